"""A new dataset from a folder of labelled crops: card, manifest, folds, audit, and its images in the workspace.

Everything is checked before anything is kept: first all names, then all pixels, then the folds. The images are put
together in a folder that nothing reads, which gets its name when the audit has passed; card and manifest
for others come last. What is killed on the way leaves nothing that looks finished, and the same command then
gives the same dataset: folds hang on the names and labels alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmark.data import audit as auditing
from benchmark.data import card as cards
from benchmark.data import crop_checks, folds
from benchmark.data import manifest as manifests
from benchmark.data.audit_report import Report
from benchmark.data.card import Card, Counts
from benchmark.data.importers import crops
from benchmark.data.importers.archive import Member, kind_of, members
from benchmark.data.manifest import FOLDS, Entry, Manifest, pixel_hash
from benchmark.data.naming import Labels, Named, Names
from benchmark.data.preprocess import Preprocess
from benchmark.data.store import Dataset, Store, render
from benchmark.errors import InputError
from benchmark.files import atomic, disk_errors, write_array

Progress = Callable[[int, int | None], None]
Bars = Callable[[str, str], AbstractContextManager[Progress]]
"""Given a title and what is counted, a progress bar."""

MOST_PROBLEMS = 1000
"""Files with something wrong after which no further one is looked at."""


@dataclass(frozen=True)
class Asked:
    """What a person says of a folder.

    Args:
        card: all but its group and its counts, which are found.
        without: classes that are known to be absent.
        ungrouped: whether folds may be drawn by image, where names tell neither cell nor case.
    """

    card: Card
    without: tuple[str, ...] = ()
    ungrouped: bool = False


class Crop(NamedTuple):
    """One file, and what its path says."""

    image: str
    member: Member
    named: Named


class Brought(NamedTuple):
    """A new dataset and what its audit found."""

    dataset: Dataset
    report: Report


def survey(path: Path, asked: Asked) -> tuple[list[Crop], Card]:
    """Read all names, and nothing else, and complete the card.

    Args:
        path: a folder or a zip.
        asked: what was said of it.

    Returns:
        Files by image id, ascending, and the card.

    Raises:
        InputError: for a name that does not fit, one id twice, absent classes, or too few groups.
    """
    how = asked.card.reading
    assert how is not None
    names = Names(how.names, Labels(how.labels, how.given))
    group = _group(names, asked.ungrouped)
    if path.is_file() and kind_of(path) == "tar":
        raise InputError("a tar cannot be read in any order", file=path, allowed="a folder or a .zip", hint="Unpack it")
    found, problems = [], []
    for member in members(path, crops.SUFFIXES):
        if not crops.wanted(member, how):
            continue
        try:
            found.append(_crop(member, names))
        except InputError as error:
            problems.append(error)
    if problems:
        raise crop_checks.one_error(problems)
    if not found:
        raise InputError("every file is left out", file=path, field="--leave-out", found=", ".join(how.leave_out))
    found.sort(key=lambda crop: crop.image)
    for first, second in pairwise(found):
        if first.image == second.image:
            raise InputError("two files of one name", file=second.member.name, found=first.member.name)
    found = _one_cell_a_name(found)
    said = [crop.named for crop in found]
    if problem := crop_checks.absent((one.label for one in said), asked.without):
        raise problem
    _check_groups(said, group)
    counts = Counts(
        images=len(found),
        cells=len({(one.case, one.cell) for one in said if one.cell}),
        cases=len({one.case for one in said if one.case}),
    )
    return found, asked.card.model_copy(update={"group": group, "counts": counts})


def _one_cell_a_name(found: list[Crop]) -> list[Crop]:
    """Where cells of two cases have one name, every cell is named with its case: a cell is known by its name alone."""
    cases: dict[str, set[str]] = {}
    for crop in found:
        cases.setdefault(crop.named.cell, set()).add(crop.named.case)
    if "" in cases or all(len(owners) == 1 for owners in cases.values()):
        return found
    return [one._replace(named=one.named._replace(cell=f"{one.named.case}-{one.named.cell}")) for one in found]


def _crop(member: Member, names: Names) -> Crop:
    try:
        member.name.encode()
    except UnicodeEncodeError as error:
        raise InputError("not UTF-8", file=ascii(member.name), field="name") from error
    return Crop(member.name.rpartition(".")[0], member, names.read(member.name))


def _group(names: Names, ungrouped: bool) -> str:
    if "case" in names.fields:
        return "case"
    if "cell" in names.fields:
        return "cell"
    if ungrouped:
        return "image"
    raise InputError(
        "names tell neither the cell nor the case", field="names", found=names.text,
        allowed="{case} or {cell} beside {label}",
        hint="Chromosomes of one person would stand on both sides of every split, and scores would be flattered. "
        "If nobody knows the cells any more, say so: --ungrouped",
    )  # fmt: skip


def _check_groups(said: Sequence[Named], group: str) -> None:
    if group == "image":
        return
    count = len({getattr(one, group) for one in said})
    if count >= 2 * FOLDS:
        return
    hint = "Add people" if group == "case" else "Add cells"
    if group == "case":
        cells = len({(one.case, one.cell) for one in said if one.cell})
        hint += (
            f". Or give up that nobody stands on both sides: without {{case}} in names, folds go by its {cells} cells, "
            "and scores say nothing of a new person"
            if cells >= 2 * FOLDS
            else ", or pool the images with those of another study"
        )
    raise InputError(
        "too few groups for five folds with validation",
        field=group,
        found=count,
        allowed=f"at least {2 * FOLDS}",
        hint=hint,
    )


def decode(found: Sequence[Crop], card: Card, pixels: Path, progress: Progress) -> list[Entry]:
    """Decode and check all crops, and write their pixels back to back.

    Raises:
        InputError: for crops that cannot be used, a polarity that most contradict, or one picture under two labels.
    """
    assert card.reading is not None
    entries, problems, framed, looked = list[Entry](), list[InputError](), 0, 0
    with atomic(pixels, durable=False) as file:
        for looked, crop in enumerate(found, start=1):
            try:
                values = crops.decode(crop.member.read(), crop.member.name, card.reading)
                seen = crop_checks.look(values, card.polarity, crop.member.name)
            except InputError as wrong:
                seen, values = crop_checks.Seen(wrong, False), None
            if seen.problem is not None or values is None:
                framed += seen.framed
                problems += [seen.problem] if seen.problem else []
                if len(problems) >= MOST_PROBLEMS:
                    break
            else:
                height, width = values.shape
                file.write(values.tobytes())
                entries.append(Entry(crop.image, *crop.named, width, height, pixel_hash(values)))
            progress(looked, len(found))
        if error := crop_checks.wrong_polarity(framed, looked, card.polarity):
            raise error
        if problems:
            raise crop_checks.one_error(problems)
        if error := crop_checks.two_labels(entries):
            raise error
    return entries


def bring(
    store: Store, path: Path, asked: Asked, output: Path, how: Preprocess, bars: Bars, *, replaced: bool = False,
    despite: bool = False,
) -> Brought:  # fmt: skip
    """Make a dataset.

    Args:
        store: the workspace's.
        path: a folder or a zip.
        asked: what was said of it.
        output: folder of datasets: card and manifest go into one of the dataset's name there.
        how: the preprocessing that is audited; what it gives is kept.
        bars: progress.
        replaced: whether a dataset of that name may be there, and is replaced.
        despite: whether it is kept although a check of the audit fails.

    Raises:
        InputError: for anything wrong; then nothing is kept.
    """
    name = asked.card.name
    place = output / name
    _check_free(store, name, place, replaced)
    found, card = survey(path, asked)
    with store.staged(name) as folder:
        with bars(f"reading {name}", "images") as progress:
            entries = decode(found, card, folder / "pixels.bin", progress)
        bare = manifests.build(entries, card.group, path)
        with bars("drawing folds", "steps") as progress:
            progress(0, 1)
            manifest = bare.with_folds(*folds.draw(bare))
            progress(1, 1)
        report = _audit(store, Dataset(card, manifest, folder), how, bars)
        if not report.ok and not despite:
            return Brought(Dataset(card, manifest, folder), report)
        _check_same(store, card, manifest, replaced)
        dataset = store.adopt(folder, card, manifest)
    with disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    manifests.write(place / "manifest.csv", manifest)
    cards.write(place / "card.yaml", card)
    return Brought(dataset, report)


def _check_free(store: Store, name: str, place: Path, replaced: bool) -> None:
    there = place / "card.yaml"
    shipped = cards.folder(name) if name in cards.names() else None
    if shipped is not None and shipped.resolve() != place.resolve():
        raise InputError("a shipped dataset has this name", file=shipped, field="name", found=name)
    if there.exists() and not replaced:
        raise InputError("there is such a dataset", file=there, field="name", found=name, hint="Replace it: --replace")
    if replaced:
        shutil.rmtree(store.prepared_folder(name), ignore_errors=True)


def _check_same(store: Store, card: Card, manifest: Manifest, replaced: bool) -> None:
    """Another dataset of that name in the workspace is not overwritten; the same one is, to no effect."""
    if replaced or not store.has(card.name):
        return
    before = store.open(card.name)
    if before.manifest.digest != manifest.digest or before.card.polarity != card.polarity:
        raise InputError(
            "the workspace holds another dataset of this name", file=store.folder(card.name), field="name",
            found=card.name, hint="Replace it: --replace",
        )  # fmt: skip


def _audit(store: Store, dataset: Dataset, how: Preprocess, bars: Bars) -> Report:
    with bars("preparing", "images") as progress:
        images = render(dataset, how, progress)
    with bars("auditing", "steps") as progress:
        report = auditing.audit([dataset], {dataset.card.name: images}, progress=progress)
    with atomic(store.array_of(dataset, how), durable=False) as file:
        write_array(file, images)
    return report
