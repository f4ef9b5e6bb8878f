"""What the board shows, as plain data: the one contract between the ledger's reader and every page, chart and file.

`benchmark.board.collect` fills it from a ledger, everything else of the package reads it and nothing
else. All scores and gains are parts of 1, times are seconds, energies joules, sizes bytes, dates ISO
8601 (UTC). Its JSON schema is published beside the data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from pydantic import Field, JsonValue

from benchmark.files import Strict

SCHEMA = 1

VerdictName = Literal["better", "worse", "equivalent", "undecided", "withheld"]
GradeName = Literal["bitwise", "tolerance", "statistical", "failed"]
Badge = Literal["simulated", "self-run", "sealed", "unpinned", "flagged", "withdrawn", "bitwise", "tolerance", "statistical",
                "not reproduced"]  # fmt: skip
"""Marks of a row. `self-run`: some of its units ran outside the sealed container, as a process of whoever ran
them; `sealed`: none did. `unpinned`: weights without a fixed hash. `flagged`: a learning curve rises implausibly fast.
`bitwise`, `tolerance`, `statistical`: the weakest of the best grades of its reproduced records; `not reproduced`: one of
them was never had again."""

ChangeKind = Literal["entered", "extended", "replaced", "corrected", "reproduced", "withdrawn", "self-run"]


class Estimate(Strict):
    """A score with its 95 % interval, in parts of 1; no bounds where none can be given."""

    value: float
    low: float | None
    high: float | None


class Gain(Strict):
    """What one protocol gains over another, in parts of 1 of macro-F1, and what may be claimed of it."""

    over: str = Field(description="the baseline protocol")
    value: float
    low: float | None = Field(description="95 % interval")
    high: float | None
    interval: Literal["trainings and groups", "groups", "none"] = Field(
        description="what the interval speaks of: new trainings on new groups; these trainings on new groups; nothing"
    )
    verdict: VerdictName
    exploratory: bool
    p: float | None = Field(description="adjusted over the family; null where the verdict is withheld")
    family: int = Field(description="number of contrasts that p is adjusted for")
    smallest: float | None = Field(description="smallest gain that this design finds four times in five")
    smallest_margin: float | None = Field(
        description="narrowest ± margin within which equivalence can be judged; above half a point it is withheld"
    )
    repeats_for_point: int | None = Field(description="repeats that find one point so; 0: it takes more groups")
    needs: str = Field(description="what is missing for a verdict; empty when nothing is")
    transfer: Literal["", "yes", "no", "not tested"]
    trainings: int
    groups: int
    sentence: str
    over_long: Gain | None = Field(
        None, description="the same over imagenet-long, its control for longer training; null where that was not run"
    )


class Result(Strict):
    """One protocol of one row."""

    macro_f1: Estimate | None = Field(description="null where every training failed")
    trainings: int = Field(description="fold × repeat, of full repeats")
    failed: tuple[str, ...] = Field(description="kind of every failed training")
    gain: Gain | None = Field(description="over imagenet; null for imagenet itself, and where it is absent")
    f1: tuple[float | None, ...] = Field(description="F1 of the 24 classes, mean over repeats; null: class absent")
    accuracy: float | None
    seconds: float | None = Field(
        description="of one training with the stages before it, mean; processor time where it was read"
    )
    energy_joules: float | None = Field(description="likewise; null where it could not be read")


class Rank(Strict):
    """Shared rank by macro-F1 of two-step, with its simultaneous 95 % interval."""

    rank: int
    low: int
    high: int
    of: int = Field(description="submissions ranked")


class Row(Strict):
    """One submission on one target of one track."""

    track: str = Field(description="label of the track, with its version where the ledger holds several")
    submission: str
    title: str
    family: str
    target: str
    stain: Literal["Q", "G"] | None = Field(description="null where the ledger does not say")
    results: dict[str, Result] = Field(description="by protocol")
    rank: Rank | None
    parameters: int | None = Field(description="of the network; null where no record says")
    devices: tuple[str, ...]
    badges: tuple[Badge, ...]
    reproduced: dict[GradeName, int] = Field(description="reproduced records by their best grade")
    records: int
    entered: str = Field(description="date of its first record")
    updated: str = Field(description="date of its last record")


class Dataset(Strict):
    """A data set that a track scores, as the ledger's manifest and card describe it."""

    name: str
    title: str
    stain: Literal["Q", "G"] | None
    simulated: bool
    images: int
    cells: int
    groups: int
    group_by: str
    fold_groups: tuple[int, ...] = Field(description="number of groups that each fold tests")
    fold_images: tuple[int, ...] = Field(description="number of images that each fold tests")
    description: str
    citation: tuple[str, ...]
    terms: str
    homepage: str | None
    manifest: str = Field(description="SHA-256")


class TrackInfo(Strict):
    """A track as its ledger document tells it."""

    label: str
    name: str
    digest: str
    title: str
    description: str
    simulated: bool
    targets: tuple[str, ...]
    protocols: tuple[str, ...] = Field(description="those that any row holds, in the order of the suite")
    image_size: int
    epochs: int
    folds: int
    repeats: int
    harness: tuple[str, ...] = Field(
        (), description="by which versions of the harness its records were made, and whether those are comparable"
    )
    datasets: tuple[Dataset, ...]
    document: dict[str, JsonValue] = Field(description="the whole recipe")
    yaml: str = Field(description="the same as YAML")


class Answer(Strict):
    """An answer to the general question over all submissions of a track."""

    track: str
    question: str
    value: float
    low: float | None
    high: float | None
    p: float
    submissions: int
    new_submissions: bool = Field(description="whether it speaks of submissions beyond these")
    family: str = Field(
        "",
        description="the family that all of them are of, and that alone it speaks of; empty where they are of several",
    )


class Change(Strict):
    """Something that happened to the board."""

    date: str
    kind: ChangeKind
    submission: str
    track: str | None
    text: str
    earlier: str = Field(
        "", description="version that was replaced, where it has a page: `submissions/<submission>@<version>.html`"
    )
    elsewhere: bool = Field(False, description="whether it is of a score from elsewhere, and not of a submission")


class Sentence(Strict):
    """What a report says."""

    submission: str = Field(description="that it is about; empty: about none alone")
    text: str


class Insight(Strict):
    """A report of `karyobench insight` that the ledger keeps."""

    name: str = Field(description="of its files in the folder `insight`")
    kind: str
    title: str
    track: str
    digest: str = Field(description="SHA-256 of the report")
    sentences: tuple[Sentence, ...]


class ClassScore(Strict):
    """F1 of one class of a score from elsewhere, with its 95 % interval over groups."""

    name: str
    images: int
    f1: float | None
    low: float | None
    high: float | None


class Confusion(Strict):
    """How many images of a class were read as another."""

    true: str
    said: str
    count: int


class SelfRun(Strict):
    """A score of a model that was trained elsewhere: computed from its predictions, and never ranked.

    Labels were in its author's reach, and that the test images were kept out of training is as its author states.
    """

    id: str = Field(description="SHA-256 of what is kept of it")
    name: str
    track: str
    dataset: str
    stain: Literal["Q", "G"] | None
    simulated: bool
    manifest: str = Field(description="SHA-256")
    folds: tuple[int, ...]
    images: int
    groups: int
    form: Literal["logits", "probabilities"]
    macro_f1: Estimate = Field(description="interval over groups, for these very predictions")
    accuracy: float
    top2: float
    ece: float
    classes: tuple[ClassScore, ...]
    confusions: tuple[Confusion, ...] = Field(description="the commonest")
    who: str
    how: str
    training_data: str
    split: str
    link: str | None
    harness: str = Field(description="version that scored it")
    ended: str
    replaced: bool = Field(description="by a newer score of its name on this dataset and track")
    withdrawn: str | None = Field(description="date")
    reason: str | None


class Source(Strict):
    """The ledger that a board was built from."""

    records: int
    reproductions: int
    head: str = Field(description="hash of the last record")
    newest: str = Field(description="date of the newest record")
    self_run: str = Field("", description="hash over the scores from elsewhere; empty where there are none")
    harness: str = Field(description="version of the harness that built the board")


class Board(Strict):
    """Everything on the board but the submissions' own pages."""

    schema_version: int = SCHEMA
    source: Source
    classes: tuple[str, ...] = Field(description="names of the 24 classes, in the order of every f1 and confusion")
    protocols: dict[str, str] = Field(description="meaning of every protocol")
    controls: tuple[str, ...]
    tracks: tuple[TrackInfo, ...]
    rows: tuple[Row, ...] = Field(description="withdrawn ones left out")
    general: tuple[Answer, ...]
    changes: tuple[Change, ...] = Field(description="newest first")
    insight: tuple[Insight, ...] = ()
    self_run: tuple[SelfRun, ...] = Field(
        (), description="scores from elsewhere, by name; replaced and withdrawn ones last; never ranked"
    )
    status: bool = Field(False, exclude=True, description="whether a page shows how a run is getting on; no result")


def about(reports: Iterable[Insight]) -> dict[str, list[Insight]]:
    """Reports by the submissions that they speak of, each with the sentences about that one."""
    found: dict[str, list[Insight]] = defaultdict(list)
    for report in reports:
        for name in dict.fromkeys(one.submission for one in report.sentences if one.submission):
            own = tuple(one for one in report.sentences if one.submission == name)
            found[name].append(report.model_copy(update={"sentences": own}))
    return found
