"""Natural images to hold chromosomes against: photographs of two packages, or any folder of images.

They are made as a network would see them on the track: grey, square, of the track's size. So it is structure
that is compared and not colour. Nothing is cut out of them: a photograph has no foreground to find.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from benchmark.errors import InfrastructureError, InputError
from benchmark.insight.resample import LEAST_GROUPS, seeds

U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

PHOTOGRAPHS = {
    "skimage": ("data", ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
                         "grass.png", "gravel.png", "motorcycle_left.png", "rocket.jpg")),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
}  # fmt: skip
"""The photographs used, by package and folder. Left out of what ships with them: drawings, charts, text,
silhouettes, medical and microscope pictures, pictures of space, a blurred clock, faces of 25 pixels, and the second
eye of the motorcycle."""

DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
PARTS = (1, 2, 4)
"""Patches are squares as high as the photograph, half and a quarter of it, each half over the next."""

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2"))
MOST = 5000
"""Images taken of a folder, about as many as there are chromosomes; of more, these are drawn by chance."""


class Natural(NamedTuple):
    """Natural images at a track's size.

    Attributes:
        images: uint8 (n, size, size).
        groups: name of the photograph or subfolder of each, (n,).
        source: where they come from, for people.
        group_by: what a group is.
        files: SHA-256 over the names and bytes of the files, in order (64 hex digits).
        found: images in the folder, or photographs.
        too_small: of those looked at, how many were left out because they are smaller than the track's images.
    """

    images: U8
    groups: npt.NDArray[np.str_]
    source: str
    group_by: str
    files: str
    found: int
    too_small: int


def photographs(size: int, progress: Progress | None = None) -> Natural:
    """Patches of the photographs that ship with scikit-image and scikit-learn; no network is asked.

    Raises:
        InputError: when a package or one of its photographs is not there.
    """
    paths = [path for package in PHOTOGRAPHS for path in _shipped(package)]
    images, groups, state = [], [], hashlib.sha256()
    for number, path in enumerate(paths, start=1):
        patches = list(cut(_grey(path, state), size))
        images += patches
        groups += [path.stem] * len(patches)
        if progress:
            progress(number, len(paths))
    names = " and ".join(DISTRIBUTIONS[package] for package in PHOTOGRAPHS)
    source = f"{len(images)} patches of the {len(paths)} photographs that ship with {names}"
    return Natural(np.stack(images), np.array(groups), source, "photograph", state.hexdigest(), len(paths), 0)


def _shipped(package: str) -> list[Path]:
    found = util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            "the photographs of this package are the default reference, and it is not installed", field="--reference",
            found=DISTRIBUTIONS[package], hint="Run: pip install 'karyobench[insight]', or name a folder of images",
        )  # fmt: skip
    folder, names = PHOTOGRAPHS[package]
    paths = [Path(found.submodule_search_locations[0], folder, name) for name in names]
    for path in paths:
        if not path.is_file():
            hint = "Reinstall the package, or name a folder of images with --reference"
            raise InputError(f"{DISTRIBUTIONS[package]} ships no such photograph", file=path, hint=hint)
    return paths


def cut(image: Image.Image, size: int) -> Iterator[U8]:
    """Squares of several sizes, half over each other, none smaller than what is asked for.

    Args:
        image: grey.
        size: side of what is given, in pixels.

    Yields:
        uint8 (size, size)
    """
    for part in PARTS:
        side = min(image.size) // part
        if side < size:
            return
        step = max(1, side // 2)
        for top in range(0, image.height - side + 1, step):
            for left in range(0, image.width - side + 1, step):
                patch = image.crop((left, top, left + side, top + side))
                yield np.asarray(patch.resize((size, size), Image.Resampling.BICUBIC), dtype=np.uint8)


def folder(path: Path, size: int, seed: int = 0, progress: Progress | None = None) -> Natural:
    """The images of a folder and all below it, each cut to its central square.

    A group is a folder directly below it where there are any, else each image is its own.

    Args:
        path: of the folder.
        size: side of what is given, in pixels.
        seed: draws the images where there are more than `MOST`.
        progress: told images read and images in all.

    Raises:
        InputError: for a path that is no folder, a folder without images or with too few groups, and an image that
            can't be read or is not of 8 bits.
        InfrastructureError: for a folder that may not be read.
    """
    if not path.is_dir():
        raise InputError("no such folder of images", file=path, field="--reference")
    paths = _listed(path)
    if not paths:
        raise InputError("holds no image", file=path, field="--reference", allowed=sorted(SUFFIXES))
    chosen = paths
    if len(paths) > MOST:
        picked = seeds(seed, "reference").choice(len(paths), MOST, replace=False)
        chosen = [paths[number] for number in sorted(picked)]
    nested = any(len(one.relative_to(path).parts) > 1 for one in paths)
    images, groups, small, state = [], [], 0, hashlib.sha256()
    for number, one in enumerate(chosen, start=1):
        inside = one.relative_to(path)
        state.update(inside.as_posix().encode() + b"\0")
        image = _grey(one, state)
        if min(image.size) < size:
            small += 1
        else:
            square = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
            images.append(np.asarray(square, dtype=np.uint8))
            groups.append(inside.parts[0])
        if progress:
            progress(number, len(chosen))
    if len(set(groups)) < LEAST_GROUPS:
        what = "subfolders with images" if nested else "images"
        problem = f"too few {what} of at least {size} pixels to resample"
        allowed = f"{LEAST_GROUPS} or more"
        raise InputError(problem, file=path, field="--reference", found=len(set(groups)), allowed=allowed)
    drawn = f"{len(images):,} of {len(paths):,} images" if len(images) < len(paths) else f"{len(images):,} images"
    source = f"{drawn} of the folder {path.resolve().name}"
    group_by = "subfolder" if nested else "image"
    return Natural(np.stack(images), np.array(groups), source, group_by, state.hexdigest(), len(paths), small)


def _listed(path: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise InfrastructureError(f"{error.filename}: cannot be read: {error.strerror}") from error

    found = [
        Path(place, name)
        for place, _, names in os.walk(path, onerror=refuse)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    ]
    return sorted(found)


def _grey(path: Path, state: hashlib._Hash) -> Image.Image:
    """An image in 8-bit grey, upright as its camera says; its bytes go into the hash."""
    try:
        state.update(hashlib.sha256(path.read_bytes()).digest())
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                mode = image.mode
                grey = ImageOps.exif_transpose(image).convert("RGB" if mode in ("P", "PA") else mode).convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the image cannot be read: {reason}", file=path, field="--reference") from error
    if mode[0] in "IF":
        raise InputError("not an image of 8 bits", file=path, field="--reference", found=mode, allowed="L, RGB, ...")
    return grey
