"""The workspace's images: imported raw pixels, and arrays prepared for a track.

Layout below the workspace::

    datasets/<name>/pixels.bin      grey bytes of all images, in manifest order, back to back
    datasets/<name>/manifest.csv
    datasets/<name>/card.yaml       of a dataset that is not shipped
    prepared/<name>/<digest>.npy    uint8 (n, size, size), memory-mapped when used

`pixels.bin` is written whole or not at all and every image is checked against the manifest's hash
when it is imported and by `verify`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.card import Card
from benchmark.data.manifest import Manifest
from benchmark.data.preprocess import Preprocess, render_cell
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, disk_errors, sync_folder, write_array

U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Dataset:
    """An imported dataset: its card, its manifest, its raw pixels."""

    card: Card
    manifest: Manifest
    folder: Path

    @cached_property
    def _offsets(self) -> npt.NDArray[np.int64]:
        areas = [entry.width * entry.height for entry in self.manifest.entries]
        return np.concatenate([[0], np.cumsum(areas)]).astype(np.int64)

    @cached_property
    def _bytes(self) -> U8:
        path = self.folder / "pixels.bin"
        size = path.stat().st_size
        if size != self._offsets[-1]:
            raise IntegrityError(
                "wrong length", file=path, found=size, allowed=str(self._offsets[-1]), hint="Import the dataset again"
            )
        return np.memmap(path, dtype=np.uint8, mode="r")

    def pixels(self, position: int) -> U8:
        """Raw grey pixels (height, width) of the image at a manifest position."""
        entry = self.manifest.entries[position]
        start = self._offsets[position]
        flat = self._bytes[start : start + entry.width * entry.height]
        return np.asarray(flat).reshape(entry.height, entry.width)

    def altered(self) -> Iterator[str]:
        """Ids of the images whose pixels are not what the manifest says."""
        for position, entry in enumerate(self.manifest.entries):
            if manifests.pixel_hash(self.pixels(position)) != entry.sha256:
                yield entry.image


class Prepared(NamedTuple):
    """What training reads: uint8 (n, size, size) in manifest order, light on black."""

    images: U8
    manifest: Manifest
    card: Card


class Store:
    """The datasets of one workspace.

    Args:
        workspace: the workspace's folder.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def folder(self, name: str) -> Path:
        """Where a dataset's raw pixels are."""
        return self.workspace / "datasets" / name

    def has(self, name: str) -> bool:
        """Whether a dataset has been imported."""
        return (self.folder(name) / "pixels.bin").is_file() and (self.folder(name) / "manifest.csv").is_file()

    def names(self) -> list[str]:
        """Names of the shipped datasets and of those that were brought into this workspace, sorted."""
        own = {path.parent.name for path in self.workspace.glob("datasets/*/card.yaml")}
        return sorted({*cards.names(), *(name for name in own if not name.startswith("."))})

    def card(self, name: str) -> Card:
        """A dataset's card: the shipped one of this name, else that of the workspace.

        Raises:
            InputError: when there is neither; lists those there are.
        """
        path = self.folder(name) / "card.yaml"
        if name in cards.names():
            return cards.load(name)
        if name not in self.names():
            hint = f"Bring your own: karyobench data new, or karyobench data import FOLDER/{name} PATH"
            raise InputError(
                "no dataset of this name", file=self.workspace, found=name, allowed=self.names(), hint=hint
            )
        return cards.read(path)

    def manifest(self, name: str) -> Manifest | None:
        """A dataset's manifest: as imported, else as shipped; None where there is neither."""
        if self.has(name):
            return self.open(name).manifest
        return manifests.shipped(name, self.card(name).group) if name in cards.names() else None

    def open(self, name: str) -> Dataset:
        """An imported dataset.

        Raises:
            InputError: when it is unknown, has not been imported, or was imported with another version of
                its committed manifest.
        """
        card = self.card(name)
        if not self.has(name):
            raise InputError(
                "dataset has not been imported",
                found=name,
                hint=f"Run: karyobench data import {name} PATH (or data fetch {name})",
            )
        path = self.folder(name) / "manifest.csv"
        manifest = manifests.read(path, card.group)
        shipped = name in cards.names() and not card.simulated
        committed = manifests.shipped(name, card.group) if shipped else None
        if committed is not None and committed.digest != manifest.digest:
            raise InputError(
                "imported with another version of its manifest", file=path, found=manifest.digest[:12],
                allowed=committed.digest[:12], hint=f"Run again: karyobench data import {name} PATH",
            )  # fmt: skip
        return Dataset(card, manifest, self.folder(name))

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """A folder in which a dataset is put together before `adopt` gives it its name; removed at the end.

        Raises:
            InputError: when another process is at it.
        """
        folder = self.folder(f".new-{name}")
        with disk_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder.with_name(f".new-{name}.lock"), os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
            with disk_errors(folder):
                folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError as error:
            raise InputError("another process is making this dataset", file=folder.parent, field=name) from error
        finally:
            os.close(handle)

    def adopt(self, folder: Path, card: Card, manifest: Manifest) -> Dataset:
        """Give a staged folder, which holds the pixels, its name in place of what has it; whole or not at all."""
        cards.write(folder / "card.yaml", card)
        manifests.write(folder / "manifest.csv", manifest)
        final, old = self.folder(card.name), self.folder(f".old-{card.name}")
        with disk_errors(final):
            shutil.rmtree(old, ignore_errors=True)
            if final.exists():
                os.rename(final, old)
            os.rename(folder, final)
            sync_folder(final.parent)
        shutil.rmtree(old, ignore_errors=True)
        return Dataset(card, manifest, final)

    def write(self, card: Card, manifest: Manifest, pixels: dict[str, U8]) -> Dataset:
        """Store imported pixels; the manifest comes last, so that an import is whole or absent."""
        folder = self.folder(card.name)
        (folder / "manifest.csv").unlink(missing_ok=True)
        with atomic(folder / "pixels.bin") as file:
            for entry in manifest.entries:
                file.write(np.ascontiguousarray(pixels[entry.image]).tobytes())
        manifests.write(folder / "manifest.csv", manifest)
        return Dataset(card, manifest, folder)

    def prepared_folder(self, name: str) -> Path:
        """Where a dataset's prepared arrays are."""
        return self.workspace / "prepared" / name

    def array_of(self, dataset: Dataset, how: Preprocess) -> Path:
        """Where the array of a dataset, imported or about to be, belongs."""
        file = f"{dataset.manifest.digest[:16]}-{how.digest()}.npy"
        return self.prepared_folder(dataset.card.name) / file

    def prepared_path(self, name: str, how: Preprocess) -> Path:
        """Where a dataset's array for a track is, once it was prepared."""
        return self.array_of(self.open(name), how)

    def is_prepared(self, name: str, how: Preprocess) -> bool:
        """Whether a dataset's array for a track is there already."""
        return self.prepared_path(name, how).is_file()

    def prepared(self, name: str, how: Preprocess, progress: Progress | None = None) -> Prepared:
        """The array for a track, rendered once and memory-mapped from then on.

        Args:
            name: of the dataset.
            how: the track's settings.
            progress: told images rendered and images in all; not called where the array is there.

        Raises:
            InputError: when the dataset is unknown or has not been imported.
            IntegrityError: when the stored array is damaged.
        """
        dataset = self.open(name)
        path = self.array_of(dataset, how)
        if not path.is_file():
            images = render(dataset, how, progress)
            with atomic(path) as file:
                write_array(file, images)
        return Prepared(_load(path, (len(dataset.manifest), how.size, how.size)), dataset.manifest, dataset.card)


def _load(path: Path, shape: tuple[int, int, int]) -> U8:
    """Map a prepared array.

    Raises:
        IntegrityError: when it is damaged or of another shape or type.
    """
    hint = "Delete this file and run again"
    try:
        images: U8 = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise IntegrityError("damaged prepared images", file=path, hint=hint) from error
    if images.shape != shape or images.dtype != np.uint8:
        found, allowed = f"{images.dtype} {images.shape}", f"uint8 {shape}"
        raise IntegrityError("not the prepared images", file=path, found=found, allowed=allowed, hint=hint)
    return images


def render(dataset: Dataset, how: Preprocess, progress: Progress | None = None) -> U8:
    """Render every image, cell by cell; where cells are not known each image is its own cell."""
    manifest = dataset.manifest
    by_cell: dict[str, list[int]] = {}
    for position, entry in enumerate(manifest.entries):
        by_cell.setdefault(f"{entry.case}/{entry.cell}" if entry.cell else f"#{position}", []).append(position)
    images = np.zeros((len(manifest), how.size, how.size), dtype=np.uint8)
    done = 0
    for positions in by_cell.values():
        images[positions] = render_cell([dataset.pixels(p) for p in positions], dataset.card.polarity, how)
        done += len(positions)
        if progress is not None:
            progress(done, len(manifest))
    return images
