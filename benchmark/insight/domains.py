"""The domains that are compared: the datasets of a track in a workspace, and natural images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.insight.reference import Natural, folder, photographs
from benchmark.insight.resample import LEAST_GROUPS, Ints
from benchmark.track import Track

NATURAL = "natural"
Progress = Callable[[int, int | None], None]
Bar = Callable[..., AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Domain:
    """Images of one kind as a network sees them on a track.

    Attributes:
        name: of the dataset, or `natural`.
        title: for people.
        kind: Q, G or natural.
        simulated: whether they are drawn.
        images: uint8 (n, size, size).
        group_names: of each image, (n,).
        group_by: what a group is.
        labels: class of each image, (n,); None for natural images.
        origin: SHA-256 of the manifest, or over the files of natural images.
    """

    name: str
    title: str
    kind: Literal["Q", "G", "natural"]
    simulated: bool
    images: npt.NDArray[np.uint8]
    group_names: npt.NDArray[np.str_]
    group_by: str
    labels: Ints | None
    origin: str

    @cached_property
    def groups(self) -> Ints:
        """Number of the group of each image, from 0 without gaps, (n,)."""
        return np.asarray(np.unique(self.group_names, return_inverse=True)[1], dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1

    @cached_property
    def pixels(self) -> str:
        """SHA-256 of the images as they are compared."""
        return hashlib.sha256(
            f"{self.images.shape}:".encode() + np.ascontiguousarray(self.images).tobytes()
        ).hexdigest()


def datasets(workspace: Path, track: Track, names: Sequence[str], bar: Bar) -> list[Domain]:
    """The datasets of a track that are in a workspace, rendered for it where they were not yet.

    Args:
        workspace: its folder.
        track: whose targets and preprocessing.
        names: these datasets instead, on the track's preprocessing.
        bar: shows progress.

    Raises:
        InputError: when none is imported, one that was asked for is not, or one has too few groups.
    """
    store = Store(workspace)
    chosen = list(dict.fromkeys(names)) or [name for name in track.targets if store.has(name)]
    if not chosen:
        raise InputError(
            f"no dataset of the track {track.name} is imported", file=workspace, allowed=track.targets,
            hint=f"Run: karyobench data fetch {track.targets[0]}",
        )  # fmt: skip
    found = []
    for name in chosen:
        with bar(f"preparing {name}") as progress:
            ready = store.prepared(name, track.preprocess, progress)
        card, manifest = ready.card, ready.manifest
        domain = Domain(
            name, card.title, card.stain, card.simulated, ready.images, manifest.groups, card.group, manifest.labels,
            manifest.digest,
        )  # fmt: skip
        if domain.count < LEAST_GROUPS:
            allowed = f"{LEAST_GROUPS} or more"
            raise InputError("too few groups to resample", field=name, found=domain.count, allowed=allowed)
        found.append(domain)
    return found


def natural(where: Path | None, size: int, seed: int, bar: Bar) -> tuple[Domain, Natural]:
    """Natural images as a domain, and what is known of their source.

    Args:
        where: a folder; None for the photographs of scikit-image and scikit-learn.
        size: of the images, in pixels.
        seed: draws images of a large folder.
        bar: shows progress.
    """
    with bar("reading natural images") as progress:
        found = photographs(size, progress) if where is None else folder(where, size, seed, progress)
    domain = Domain(
        NATURAL, "natural images", "natural", False, found.images, found.groups, found.group_by, None, found.files
    )  # fmt: skip
    return domain, found
