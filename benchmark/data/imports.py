"""Importing a dataset: decode, compare with the committed manifest, store.

An import is whole or absent. Every image that is missing, extra, altered or undecodable is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data import card as cards
from benchmark.data import folds
from benchmark.data import manifest as manifests
from benchmark.data.card import Card
from benchmark.data.importers import IMPORTERS, RawImage, crops, members
from benchmark.data.manifest import Entry, Manifest
from benchmark.data.simulate import simulate
from benchmark.data.store import Dataset, Store
from benchmark.errors import InputError, IntegrityError
from benchmark.files import disk_errors

SUFFIXES = {"bioimlab": (".bmp",), "cir": (".tif", ".tiff"), "cir-origin": (".tif", ".tiff")}
Progress = Callable[[int, int | None], None]


class Differences(NamedTuple):
    """What distinguishes some images from a manifest; ids, or file name and reason."""

    missing: list[str]
    extra: list[str]
    altered: list[str]
    undecodable: list[str]

    @property
    def any(self) -> bool:
        """Whether there is any difference."""
        return any(self)

    def text(self) -> str:
        """One line naming up to ten of each kind."""
        parts = []
        for kind, found in zip(self._fields, self, strict=True):
            if found:
                rest = f" and {len(found) - 10} more" if len(found) > 10 else ""
                parts.append(f"{len(found)} {kind}: {', '.join(found[:10])}{rest}")
        return "; ".join(parts)


class Decoded(NamedTuple):
    """What an archive held: images by id, and what could not be read."""

    images: dict[str, RawImage]
    undecodable: list[str]


def decode(card: Card, path: Path, progress: Progress, folder: str = "") -> Decoded:
    """Read every image of an archive in the card's layout.

    Args:
        card: of the dataset.
        path: folder, zip or tar.
        progress: called with images done and images expected.
        folder: only what lies below a folder of this name.

    Raises:
        InputError: when nothing in it can be decoded, or one image is there twice.
    """
    reader = IMPORTERS[card.layout]
    images: dict[str, RawImage] = {}
    undecodable: list[str] = []
    for count, member in enumerate(members(path, SUFFIXES[card.layout], folder), start=1):
        try:
            for item in reader([member]):
                if item.image in images:
                    raise InputError("the same image twice", file=path, field=member.name, found=item.image)
                images[item.image] = item
        except InputError as error:
            if error.file == path:
                raise
            undecodable.append(str(error))
        progress(count, card.counts.images)
    if not images:
        reason = f" ({undecodable[0]})" if undecodable else ""
        raise InputError(f"no image in the layout {card.layout!r} can be read{reason}", file=path, field=card.name)
    return Decoded(images, undecodable)


def entries(images: Iterable[RawImage]) -> list[Entry]:
    """Manifest lines of decoded images, without folds."""
    lines = []
    for item in images:
        height, width = item.pixels.shape
        lines.append(
            Entry(item.image, item.label, item.cell, item.case, width, height, manifests.pixel_hash(item.pixels))
        )
    return lines


def compare(manifest: Manifest, found: dict[str, Entry], undecodable: list[str]) -> Differences:
    """Set images beside a manifest."""
    wanted = {entry.image: entry for entry in manifest.entries}
    altered = [name for name, entry in found.items() if name in wanted and entry.sha256 != wanted[name].sha256]
    return Differences(
        sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys()), sorted(altered), undecodable
    )


def new_manifest(card: Card, found: list[Entry], path: Path) -> Manifest:
    """A manifest with freshly drawn folds, for a dataset that has none committed.

    Raises:
        InputError: when the counts that the card knows are others.
    """
    group_by = card.group
    manifest = manifests.build(found, group_by)
    counts = {
        "images": (len(manifest), card.counts.images),
        "cells": (len({e.cell for e in found} - {""}), card.counts.cells),
        "cases": (len({e.case for e in found} - {""}), card.counts.cases),
    }
    for field, (got, wanted) in counts.items():
        if wanted and got != wanted:
            raise InputError("not the number the card names", file=path, field=field, found=got, allowed=str(wanted))
    return manifest.with_folds(*folds.draw(manifest))


def import_archive(store: Store, card: Card, path: Path, progress: Progress, folder: str = "") -> Dataset:
    """Import a dataset from a folder or archive.

    Args:
        store: where to.
        card: what it should be.
        path: folder, zip or tar in the card's layout.
        progress: called with images done and images expected.
        folder: only what lies below a folder of this name, as the source says.

    Raises:
        InputError: for images that are missing, extra, altered or undecodable; each is named.
    """
    if card.layout == "simulated":
        raise InputError("a simulated dataset is rendered, not imported from files", field=card.name)
    if card.layout == "crops":
        return import_crops(
            store, card, manifests.read(cards.folder(card.name) / "manifest.csv", card.group), path, progress
        )
    images, undecodable = decode(card, path, progress, folder)
    lines = entries(images.values())
    committed = manifests.shipped(card.name, card.group)
    if committed is None:
        if undecodable:
            raise IntegrityError(Differences([], [], [], undecodable).text(), file=path)
        manifest = new_manifest(card, lines, path)
    else:
        differences = compare(committed, {line.image: line for line in lines}, undecodable)
        if differences.any:
            raise IntegrityError(f"not the images of {card.name}: {differences.text()}", file=path)
        manifest = committed
    return store.write(card, manifest, {name: item.pixels for name, item in images.items()})


def import_crops(store: Store, card: Card, manifest: Manifest, path: Path, progress: Progress) -> Dataset:
    """Import a dataset of crops by the manifest's hashes: names and folders of the files may be other ones.

    Args:
        store: where to.
        card: of layout `crops`.
        manifest: which images.
        path: folder, zip or tar.
        progress: called with images done and images expected.

    Raises:
        IntegrityError: for images that are missing, extra or undecodable; each is named.
    """
    assert card.reading is not None
    places: dict[str, list[int]] = {}
    for position, entry in enumerate(manifest.entries):
        places.setdefault(entry.sha256, []).append(position)
    starts = np.cumsum([0, *(entry.width * entry.height for entry in manifest.entries)])
    extra, undecodable = list[str](), list[str]()
    with store.staged(card.name) as folder, disk_errors(folder):
        pixels = np.memmap(folder / "pixels.bin", np.uint8, "w+", shape=(int(starts[-1]),))
        missing = set(places)
        for count, member in enumerate(members(path, crops.SUFFIXES), start=1):
            try:
                for name, values in crops.read([member], card.reading):
                    digest = manifests.pixel_hash(values)
                    missing.discard(digest)
                    extra += [] if digest in places else [name]
                    for position in places.get(digest, ()):
                        pixels[starts[position] : starts[position + 1]] = values.ravel()
            except InputError as error:
                undecodable.append(str(error))
            progress(count, len(manifest))
        gone = sorted(manifest.entries[position].image for digest in missing for position in places[digest])
        differences = Differences(gone, sorted(extra), [], undecodable)
        if differences.any:
            raise IntegrityError(f"not the images of {card.name}: {differences.text()}", file=path)
        pixels.flush()
        del pixels
        return store.adopt(folder, card, manifest)


def render_simulated(store: Store, card: Card, progress: Progress) -> Dataset:
    """Render a simulated dataset into the workspace.

    Its folds come from the committed manifest; pixel hashes are those of this machine, since
    another build of the numerical libraries may round a pixel differently. Such a difference
    changes the manifest's hash and with it every key, so that results never mix.

    Raises:
        InputError: when the committed manifest does not list the same images.
    """
    images: dict[str, RawImage] = {}
    for item in simulate(card.name):
        images[item.image] = item
        progress(len(images), card.counts.images)
    lines = entries(images.values())
    committed = manifests.shipped(card.name, card.group)
    if committed is None:
        manifest = new_manifest(card, lines, Path(card.name))
    else:
        bare = manifests.build(lines, card.group)
        if [e.image for e in bare.entries] != [e.image for e in committed.entries]:
            raise IntegrityError("the simulation does not give the images of the manifest", field=card.name)
        manifest = bare.with_folds(committed.folds, committed.validation_of)
    return store.write(card, manifest, {name: item.pixels for name, item in images.items()})
