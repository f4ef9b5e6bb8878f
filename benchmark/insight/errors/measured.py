"""What is measured of an image that may explain why it is missed; kept in the workspace in pieces, as features are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.crew import crew
from benchmark.errors import InputError
from benchmark.files import atomic, write_array
from benchmark.insight.axis import Axis, trace
from benchmark.insight.outputs import Floats

MEASURES = {"length": "length", "bend": "bend", "contrast": "contrast", "sharpness": "sharpness"}
"""Keys and their names for people."""

VERSION = 1
"""Raised whenever a value of some pixels changes."""

PIECE = 128
U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]


def measured(images: U8, folder: Path | None = None, progress: Progress | None = None) -> dict[str, Floats]:
    """Every measurement of every image.

    Args:
        images: uint8 (n, size, size), light on black.
        folder: where pieces are kept; None keeps nothing.
        progress: told images done and in all.

    Returns:
        By key: length (pixels, along the axis), bend (1 - chord / length), contrast (standard deviation of the greys of
        the body) and sharpness (standard deviation of their Laplacian over that of the greys), (n,); NaN where an image has
        no axis.
    """
    starts = list(range(0, len(images), PIECE))
    done = 0

    def finished(start: int) -> None:
        nonlocal done
        done += min(PIECE, len(images) - start)
        if progress:
            progress(done, len(images))

    with crew(lambda start: _piece(np.array(images[start : start + PIECE]), folder), starts, done=finished) as parts:
        found = list(parts)
    table = np.concatenate(found)
    return {key: table[:, column] for column, key in enumerate(MEASURES)}


def _piece(images: U8, folder: Path | None) -> Floats:
    name = hashlib.sha256(f"{VERSION}:{images.shape}:".encode() + images.tobytes()).hexdigest()
    path = None if folder is None else folder / f"{name}.npy"
    if path is not None and path.is_file():
        try:
            kept: Floats = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            kept = np.empty(0)
        if kept.shape == (len(images), len(MEASURES)):
            return kept
    found = np.array([_of(image) for image in images])
    if path is not None:
        with atomic(path, durable=False) as file:
            write_array(file, found)
    return found


def _of(image: U8) -> tuple[float, ...]:
    try:
        axis = trace(image)
    except InputError:
        return (np.nan,) * len(MEASURES)
    return (axis.length, axis.bend, *_of_greys(image, axis))


def _of_greys(image: U8, axis: Axis) -> tuple[float, float]:
    from scipy import ndimage

    light = image.astype(np.float64)
    inside = ndimage.binary_erosion(axis.body)  # the outline is the sharpest edge, and says nothing of the bands
    if inside.sum() < 2:
        return np.nan, np.nan
    contrast = float(light[inside].std())
    return contrast, float(ndimage.laplace(light)[inside].std()) / contrast if contrast > 0 else np.nan
