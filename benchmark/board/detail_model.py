"""What the page of one submission shows, and the counts that any two are compared by: the second half of `model`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from benchmark.board.model import SCHEMA, Change, GradeName, Row
from benchmark.files import Strict


class Curve(Strict):
    """Validation macro-F1 and training loss of one training, an entry an epoch."""

    target: str
    protocol: str
    fold: int
    repeat: int
    macro_f1: tuple[float | None, ...]
    loss: tuple[float | None, ...]


class RecordLine(Strict):
    """One record of the ledger."""

    key: str
    hash: str
    target: str
    protocol: str
    chain: tuple[str, ...]
    fold: int
    repeat: int
    status: Literal["scored", "failed"]
    macro_f1: float | None
    failure: str | None
    seconds: float
    peak_bytes: int | None
    energy_joules: float | None
    device: str
    sandbox: str
    image: str | None = Field(description="digest of the container's image")
    harness: str
    packages: dict[str, str]
    ended: str
    reproduced: GradeName | None
    curve: str = Field(description="`too fast`, `as expected`, `not whole` or empty")


class ClassLine(Strict):
    """F1 of one class by protocol, and the gain of two-step over imagenet."""

    name: str
    f1: dict[str, float | None]
    gain: float | None
    low: float | None
    high: float | None
    p: float | None = Field(description="Benjamini-Hochberg over the classes; exploratory")


class CellLine(Strict):
    """One cell (or case) and how well it was read."""

    group: str
    images: int
    accuracy: dict[str, float] = Field(description="by protocol, mean over repeats")
    confusions: tuple[str, ...] = Field(
        description="commonest mistakes of two-step, or else of the best protocol: `8→X ×3`"
    )


class TargetDetail(Strict):
    """All that a submission's page shows of one target."""

    row: Row
    version: str = Field("", description="of its records, where that is not the version of the page")
    harness: tuple[str, ...] = Field(
        (), description="whether its records are comparable with those of the harness that built the board"
    )
    confusion: dict[str, tuple[tuple[int, ...], ...]] = Field(
        description="by protocol, true classes in rows, summed over full repeats"
    )
    by_class: tuple[ClassLine, ...]
    worst: tuple[CellLine, ...] = Field(description="the worst groups, worst first, at most 12")
    curves: tuple[Curve, ...]
    records: tuple[RecordLine, ...]


class TrackDetail(Strict):
    """One track of a submission's page."""

    track: str
    targets: tuple[TargetDetail, ...]


class Withdrawal(Strict):
    """Why a submission is no longer listed."""

    date: str
    reason: str


class Version(Strict):
    """One version of a submission: a model, its code and its weights."""

    name: str = Field(
        "", description="eight hex digits; its page is `<submission>@<name>.html`, unless it is the current one"
    )
    withdrawal: Withdrawal | None = None
    model: str
    code: str | None
    weights: tuple[str, ...]
    document: str
    first: str
    last: str
    records: int
    current: bool


class Detail(Strict):
    """One submission's page."""

    schema_version: int = SCHEMA
    submission: str
    title: str
    family: str
    paper: str
    license: str
    note: str | None
    parameters: int | None
    spec: dict[str, JsonValue]
    yaml: str
    versions: tuple[Version, ...]
    withdrawal: Withdrawal | None
    version: str = Field("", description="of an earlier version's page; empty: the submission's own page")
    replaced: str = Field("", description="date since when an earlier version is replaced")
    earlier: tuple[Detail, ...] = Field((), description="pages of the earlier versions")
    tracks: tuple[TrackDetail, ...]
    changes: tuple[Change, ...]


class Counts(Strict):
    """What F1 is made of, of one protocol on one target: for a comparison of any two submissions.

    Flat lists in the order [repeat][group][class] of the 24 classes; `true` is that of every repeat.
    """

    target: str
    protocol: str
    folds: tuple[int, ...] = Field(description="number of groups that each fold tests, in the order of the groups")
    fold_numbers: tuple[int, ...] = Field(
        default=(), description="which folds those are; empty: not told, so that all must be the same to be paired"
    )
    repeats: tuple[int, ...] = Field(description="names of the full repeats")
    groups: int
    hits: tuple[int, ...]
    claimed: tuple[int, ...]
    true: tuple[int, ...] = Field(description="[group][class]")


class Tallies(Strict):
    """The counts of one submission on one track."""

    submission: str
    track: str
    manifests: dict[str, str] = Field(description="target to the hash of its manifest")
    counts: tuple[Counts, ...]
