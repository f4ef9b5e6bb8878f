"""Reports that a ledger keeps in its folder `insight`, so that a board can show them.

Into most reports networks, images or pixels went, so that they cannot be computed again from stored predictions alone; the others take
longer than a board should. So all are shown as *reported*, and only when they have the form of their kind and all that they name is in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, canonical, digest, read_text, validate
from benchmark.ledger import Ledger
from benchmark.records import Record
from benchmark.withdrawal import version

FOLDER = "insight"
LARGEST = 5_000_000
"""Bytes of a report."""

NAME = r"[a-z]+-[a-z0-9_.-]+-[0-9a-f]{8}\.json"
"""What a kept report's file is called: kind, track, and a hash of what it is about."""


class Said(NamedTuple):
    """A sentence of a report, and the submission that it is about; empty: about none alone."""

    submission: str
    text: str


class Kind(NamedTuple):
    """A kind of report.

    Attributes:
        form: module and class of its form.
        words: module with `markdown(report)`.
        title: what it is called on a board.
        about: what tells two reports of one track apart; a newer one about the same takes an older one's place.
        said: its sentences.
        picture: module with `picture(report)`, which draws nothing but numbers; empty: none.
        alone: whether the ledger's predictions alone give its figures again.
    """

    form: str
    words: str
    title: str
    about: Callable[[Any], Any]
    said: Callable[[Any, Any], Iterable[Said]]
    picture: str = ""
    alone: bool = False


def _trials(report: Any) -> list[list[str]]:
    return sorted([one.submission, one.target] for one in report.trials)


KINDS = {
    "similarity": Kind(
        "benchmark.insight.schema:Similarity", "benchmark.insight.render", "How alike the stains are",
        lambda report: [[one.name, one.origin] for one in report.domains],
        lambda report, words: (Said("", one) for one in words.sentences(report)),
    ),
    "attention": Kind(
        "benchmark.insight.attention.schema:Attention", "benchmark.insight.attention.render", "Where the networks look",
        lambda report: [report.submission, report.target],
        lambda report, words: (Said(report.submission, f"{report.target}: {one}") for one in words.sentences(report)),
    ),
    "errors": Kind(
        "benchmark.insight.errors.schema:Errors", "benchmark.insight.errors.render", "What is read wrongly", _trials,
        lambda report, words: (Said(one.submission, text) for one in report.trials for text in words.sentences(one)),
        "benchmark.insight.errors.picture",
    ),
    "karyotype": Kind(
        "benchmark.insight.karyotype.schema:Karyotype", "benchmark.insight.karyotype.render", "Whole cells as karyotypes", _trials,
        lambda report, words: (
            Said(one.submission, text)
            for one in report.trials
            for text in (*one.sentences, *([one.gain.sentence] if one.gain else []))
        ),
        "benchmark.insight.karyotype.picture", alone=True,
    ),
    "quality": Kind(
        "benchmark.insight.quality.schema:Quality", "benchmark.insight.quality.render", "Quality of the images",
        lambda report: [[one.name for one in report.datasets], sorted({one.submission for one in report.effects})],
        lambda report, words: (
            *(Said("", one) for one in report.answers), *(Said(one.submission, one.sentence) for one in report.effects),
        ),
        "benchmark.insight.quality.picture",
    ),
    "leakage": Kind(
        "benchmark.insight.leakage.schema:Leakage", "benchmark.insight.leakage.render", "What a careless split flatters",
        lambda report: [
            report.careful.dataset, report.careless.dataset, sorted([one.submission, one.protocol] for one in report.trials),
        ],
        lambda report, words: (Said(one.submission, one.sentence) for one in report.trials),
        "benchmark.insight.leakage.picture", alone=True,
    ),
    "sweep": Kind(
        "benchmark.insight.sweep.schema:Sweep", "benchmark.insight.sweep.render", "What a setting of the track does",
        lambda report: [report.setting, sorted([one.submission, one.target, one.protocol] for one in report.trials)],
        lambda report, words: (Said(one.submission, one.sentence) for one in report.trials),
        "benchmark.insight.sweep.picture", alone=True,
    ),
}  # fmt: skip
"""The kinds of report, by the word that `karyobench insight` has for them."""


class Kept(NamedTuple):
    """A report.

    Attributes:
        kind: a key of `KINDS`.
        report: of the form of its kind.
    """

    kind: str
    report: Any

    @property
    def name(self) -> str:
        """Of its file, without the ending."""
        return f"{self.kind}-{self.report.track}-{digest(KINDS[self.kind].about(self.report))[:8]}"

    @property
    def title(self) -> str:
        """What it is called on a board."""
        return KINDS[self.kind].title

    @property
    def alone(self) -> bool:
        """Whether the ledger's predictions alone give its figures again."""
        return KINDS[self.kind].alone

    @property
    def said(self) -> list[Said]:
        """All its sentences."""
        kind = KINDS[self.kind]
        return list(kind.said(self.report, import_module(kind.words)))

    @property
    def markdown(self) -> str:
        """All of it, for people."""
        return str(import_module(KINDS[self.kind].words).markdown(self.report))

    @property
    def drawn(self) -> dict[str, bytes]:
        """Its picture as `svg` and `png`; empty where it has none that can be drawn from the report alone."""
        module = KINDS[self.kind].picture
        return dict(import_module(module).picture(self.report)) if module else {}


def read(path: Path) -> Kept:
    """Read a report, of whichever kind.

    Raises:
        InputError: when it is no report, or not of the form of its kind; names the field.
    """
    try:
        data = json.loads(read_text(path, LARGEST))
    except ValueError as error:
        raise InputError("not a report: no JSON", file=path, allowed="a file that karyobench insight wrote") from error
    kind = path.name.split("-")[0].removesuffix(".json")
    if kind not in KINDS:
        raise InputError("not a report of any kind", file=path, field="name", found=path.name, allowed=[*KINDS])
    module, name = KINDS[kind].form.split(":")
    form: type[BaseModel] = getattr(import_module(module), name)
    return Kept(kind, validate(data, form, path))


def check(one: Kept, ledger: Ledger, where: Path) -> None:
    """See that all that a report names is in a ledger.

    Args:
        one: the report.
        ledger: whose chain holds.
        where: the report's file, for messages.

    Raises:
        InputError: names the field, what was found and what is allowed.
    """
    records = ledger.records()
    tracks = {record["track"]["digest"] for record in records}
    named = list(_named(one.report))
    if (named or one.kind in ("errors", "karyotype", "leakage", "sweep")) and one.report.track_digest not in tracks:
        raise InputError(
            "the ledger holds no record of this track", file=where, field="track_digest", found=one.report.track_digest
        )
    held = {_trial(record) for record in records if record["track"]["digest"] == one.report.track_digest}
    for field, trial in named:
        if trial not in held:
            raise InputError(
                "the ledger holds no record of this version of the submission on this target and manifest",
                file=where, field=field, found=" ".join(trial), allowed=sorted(" ".join(own) for own in held),
            )  # fmt: skip
    head = getattr(one.report, "ledger", None)
    links = (record["hash"] for record in (*ledger.records(), *ledger.reproductions(), *ledger.withdrawals()))
    if head and head not in links:
        raise InputError("was computed from another ledger", file=where, field="ledger", found=head)
    keys = {record["key"] for record in records if record["status"] == "scored"}
    for number, unit in enumerate(getattr(one.report, "units", ())):
        if unit.key not in keys:
            raise InputError(
                "the ledger holds no scored record of this unit",
                file=where,
                field=f"units.{number}.key",
                found=unit.key,
            )


Named = tuple[str, str, str, str]
"""Submission, its version or model, target, manifest; the last is empty where a report does not tell it."""


def _trial(record: Record) -> Named:
    return record["submission"]["name"], version(record), record["dataset"]["name"], record["dataset"]["manifest"]


def _named(report: Any) -> Iterator[tuple[str, Named]]:
    """Trials that a report speaks of, and where."""
    manifests = {one.name: one.manifest for one in getattr(report, "datasets", ())}
    for field in ("trials", "effects"):
        for number, one in enumerate(getattr(report, field, ())):
            manifest = getattr(one, "manifest", None) or manifests.get(one.target, "")
            yield f"{field}.{number}", (one.submission, one.version, one.target, manifest)


def keep(paths: Sequence[Path], ledger: Ledger) -> list[Path]:
    """Put reports into a ledger's folder: all of them, or, when one cannot be, none.

    Args:
        paths: of reports as `karyobench insight` wrote them.
        ledger: whose records they speak of.

    Returns:
        Where they are now.

    Raises:
        InputError: for a report that is none, or speaks of something that the ledger does not hold.
    """
    found = [read(path) for path in paths]
    for path, one in zip(paths, found, strict=True):
        check(one, ledger, path)
    written = []
    for one in found:
        path = ledger.folder / FOLDER / f"{one.name}.json"
        with atomic(path) as file:
            file.write(f"{canonical(one.report.model_dump(mode='json'))}\n".encode())
        written.append(path)
    return written


def files(ledger: Ledger) -> list[Path]:
    """Paths of all reports, below the ledger's folder."""
    return [Path(FOLDER) / path.name for path in sorted((ledger.folder / FOLDER).glob("*.json"))]


def reports(ledger: Ledger) -> list[Kept]:
    """All reports that a ledger keeps, by kind and name.

    Raises:
        IntegrityError: for one that does not belong there.
    """
    found = []
    for path in sorted((ledger.folder / FOLDER).glob("*.json")):
        try:
            one = read(path)
            check(one, ledger, path)
        except InputError as error:
            raise IntegrityError(
                error.problem, file=path, field=error.field, found=error.found, allowed=error.allowed,
                hint="Delete the file, or keep a newer report",
            ) from error  # fmt: skip
        if path.stem != one.name:
            raise IntegrityError("is not what its name says", file=path, hint=f"It would be {one.name}.json")
        found.append(one)
    order = list(KINDS)
    return sorted(found, key=lambda one: (order.index(one.kind), one.name))
