"""Policy of published data: what may stand in a folder of results, and what each record must say.

The folder is laid out as `leaderboard/`: a README and `ledger/`. Each rule is one function over what was read
once; it yields what is wrong. An error forbids publication, a warning does not.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from benchmark.board.elsewhere import state
from benchmark.board.policy.published import Published, wanting
from benchmark.board.publishing.base import MARKERS
from benchmark.elsewhere.store import FILES, FOLDER, Store
from benchmark.errors import InputError, IntegrityError
from benchmark.files import digest, sha256_file
from benchmark.insight.kept import NAME, reports
from benchmark.records import Record
from benchmark.versions import era

Level = Literal["error", "warning"]

MIB = 1024 * 1024
LARGEST = 5 * MIB
"""Bytes of a file; `records.jsonl`, which grows, may have ten times as many."""

LARGE, TOO_LARGE = 200 * MIB, 1024 * MIB
"""Bytes of everything: from here on a warning, and an error."""

TOP = frozenset({"README.md", "LICENSE", ".git", ".gitattributes", "ledger", MARKERS["results"]})
KEPT: dict[str, str] = {
    "predictions": r"[0-9a-f]{32}\.npz",
    "reproductions": r"[0-9a-f]{64}\.npz",
    "manifests": r"[0-9a-f]{64}\.csv",
    "tracks": r"[0-9a-f]{64}\.json",
    "submissions": r"[0-9a-f]{64}\.json",
    "cards": r"[0-9a-f]{64}\.json",
    "insight": NAME,
    FOLDER: FILES,
}
"""Folders of a ledger and the names of their files."""

DOCUMENTS = ("tracks", "submissions", "cards")
IGNORED = frozenset({".lock"})
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"RIFF", b"\0\0\0\x0cjP")
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".dcm", ".svg"})


class Finding(NamedTuple):
    """Something against the policy: how bad, which rule, where, and what."""

    level: Level
    rule: str
    where: str
    problem: str


Found = Iterator[tuple[Level, str, str]]
"""Level, where, problem."""


def _where(number: int, record: Record) -> str:
    name = record.get("key") or record.get("of") or record.get("submission") or ""
    return f"record {number} ({str(name)[:12]})"


def whole(it: Published) -> Found:
    """The chain, every predictions file, every score and grade: `ledger verify`."""
    for finding in it.ledger.verify():
        yield "error", f"record {finding.line}", finding.problem


def layout(it: Published) -> Found:
    """Only known files, under the names that their content gives them."""
    if it.folder is not None:
        for path in sorted(it.folder.iterdir()):
            if path.name not in TOP:
                yield "error", it.name(path), "does not belong here"
    for path in sorted(it.ledger.folder.iterdir()):
        if path.name not in {"records.jsonl", *KEPT, *IGNORED}:
            yield "error", it.name(path), "does not belong here"
    for kind, pattern in KEPT.items():
        folder = it.ledger.folder / kind
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_symlink() or not path.is_file() or not re.fullmatch(pattern, path.name):
                yield "error", it.name(path), f"not a file of {kind}; allowed: names like {pattern}"


def documents(it: Published) -> Found:
    """Manifests, tracks and submissions hash to their names, and there is one for every record."""
    for kind in DOCUMENTS:
        for path in sorted((it.ledger.folder / kind).glob("*.json")):
            try:
                found = digest(json.loads(path.read_text(encoding="utf-8")))
            except ValueError as error:
                yield "error", it.name(path), f"not JSON: {error}"
                continue
            if found != path.stem:
                yield "error", it.name(path), "is not what its name says"
    for path in sorted((it.ledger.folder / "manifests").glob("*.csv")):
        if sha256_file(path) != path.stem:
            yield "error", it.name(path), "is not what its name says"
    for number, record in it.units:
        for kind, name, owner in (
            ("submissions", record["submission"]["document"], record["submission"]["name"]),
            ("tracks", record["track"]["digest"], record["track"]["name"]),
        ):
            try:
                document = it.ledger.document(kind, name)
            except (InputError, ValueError):
                yield "error", _where(number, record), f"{kind}/{name[:12]}... is missing or broken"
                continue
            if document.get("name") != owner:
                yield "error", _where(number, record), f"calls itself {owner}, its document {document.get('name')}"
        card = record["dataset"].get("card")
        if card and not (it.ledger.folder / "cards" / f"{card}.json").is_file():
            yield "error", _where(number, record), "its dataset's card is missing"
        if not (it.ledger.folder / "manifests" / f"{record['dataset']['manifest']}.csv").is_file():
            yield "error", _where(number, record), "its manifest is missing"


def insight(it: Published) -> Found:
    """Kept reports have the form of their kind and speak of what the ledger holds."""
    try:
        reports(it.ledger)
    except IntegrityError as error:
        yield "error", it.name(Path(str(error.file))), error.problem


def elsewhere(it: Published) -> Found:
    """Scores from elsewhere have their form, their predictions and the scores that those give, and the name of no submission."""
    store = Store(it.ledger)
    broken = False
    for where, problem in store.problems():
        broken = True
        yield "error", it.name(it.ledger.folder / where), problem
    if broken:
        return
    submissions = {record["submission"]["name"] for _, record in it.units}
    for one in store.entries():
        if one.score.name in submissions:
            yield "error", it.name(store.folder / f"{one.id}.json"), f"has the name of a submission: {one.score.name}"


def predictions(it: Published) -> Found:
    """A predictions file for every scored record, a record for every file, and logits alone in it."""
    wanted = {it.ledger.predictions_path(r["key"]): n for n, r in it.units if r["status"] == "scored"}
    again = {
        it.ledger.folder / "reproductions" / f"{r['predictions']['sha256']}.npz": n
        for n, r in it.sound
        if r.get("type") == "reproduction" and r["predictions"]
    }
    present = {p for kind in ("predictions", "reproductions") for p in (it.ledger.folder / kind).glob("*.npz")}
    for path, number in sorted((wanted | again).items()):
        if path not in present:
            yield "error", f"record {number}", f"{it.name(path)} is missing"
    for path in sorted(present - wanted.keys() - again.keys()):
        yield "error", it.name(path), "no record is of this file"
    for path in sorted(present):
        try:
            with zipfile.ZipFile(path) as archive:
                members = [item.filename for item in archive.infolist()]
        except zipfile.BadZipFile:
            yield "error", it.name(path), "not a NumPy archive"
            continue
        if members != ["logits.npy"]:
            yield "error", it.name(path), f"holds {', '.join(members)}; allowed: logits.npy"


def provenance(it: Published) -> Found:
    """Every record says what made it."""
    for number, record in it.lines:
        problem = wanting(record)
        if problem:
            yield "error", _where(number, record), problem


def units(it: Published) -> Found:
    """No unit twice: one key for a version with its weights, era of the harness, track, target, protocol, fold and repeat."""
    seen: dict[tuple[Any, ...], tuple[int, str]] = {}
    for number, record in it.units:
        submission, dataset = record["submission"], record["dataset"]
        unit = (
            submission["name"], submission["model"], submission["code"], record["weights"], era(record), record["track"]["digest"],
            dataset["name"], dataset["manifest"], record["arm"], record["fold"], record["repeat"],
        )  # fmt: skip
        first, key = seen.setdefault(unit, (number, record["key"]))
        if key != record["key"]:
            yield "error", _where(number, record), f"the unit of record {first} ({key[:12]}) under another key"


def pinned(it: Published) -> Found:
    """Weights with a fixed hash on every real track."""
    for number, record in it.units:
        if not record["submission"]["pinned"]:
            level: Level = "warning" if record["track"]["simulated"] else "error"
            problem = "its weights have no fixed hash" + (
                "" if level == "warning" else ": such records cannot be published"
            )
            yield level, _where(number, record), problem


def simulated(it: Published) -> Found:
    """Records of simulated images say so."""
    for number, record in it.units:
        try:
            said = it.ledger.document("tracks", record["track"]["digest"]).get("simulated")
        except (InputError, ValueError):
            continue
        if said != record["track"]["simulated"]:
            yield "error", _where(number, record), "and its track do not agree on whether the images are simulated"


def sizes(it: Published) -> Found:
    """Nothing so large that a repository would suffer."""
    total = 0
    for path in it.files:
        found = path.stat().st_size
        total += found
        allowed = LARGEST * (10 if path == it.ledger.path else 1)
        if found > allowed:
            yield "error", it.name(path), f"{found:,} bytes; allowed: {allowed:,}"
    if total > LARGE:
        yield "error" if total > TOO_LARGE else "warning", "everything", f"{total:,} bytes; allowed: {TOO_LARGE:,}"


def images(it: Published) -> Found:
    """No picture, by name or by content."""
    for path in it.files:
        with path.open("rb") as file:
            start = file.read(16)
        if path.suffix.lower() in _SUFFIXES or start.startswith(_IMAGES) or start[4:8] == b"ftyp":
            yield "error", it.name(path), "is an image"


def fresh(it: Published) -> Found:
    """The board was built from this ledger as it is."""
    if it.board is None or not it.lines:
        return
    path = it.board / "board.json"
    try:
        source = json.loads(path.read_text(encoding="utf-8"))["source"]
        head, self_run = source["head"], source.get("self_run", "")
    except (OSError, ValueError, KeyError, TypeError):
        yield "error", "board.json", "is missing or no board's"
        return
    if head != it.lines[-1][1].get("hash"):
        yield "error", "board.json", f"was built from a ledger that ended with {str(head)[:12]}; build it again"
    elif self_run != state(Store(it.ledger).entries()):
        yield "error", "board.json", "was built from other scores from elsewhere; build it again"


_ALL = (
    provenance,
    whole,
    layout,
    documents,
    insight,
    elsewhere,
    predictions,
    units,
    pinned,
    simulated,
    sizes,
    images,
    fresh,
)
RULES: dict[str, Callable[[Published], Found]] = {rule.__name__: rule for rule in _ALL}


def check(it: Published, *rules: str) -> list[Finding]:
    """What is against the policy.

    Args:
        it: what is published.
        rules: only these; default: all.

    Raises:
        InputError: when there is no ledger.
    """
    if not it.ledger.path.is_file():
        raise InputError("no ledger", file=it.ledger.folder, allowed="a folder with records.jsonl")
    return [Finding(level, name, where, text) for name in rules or RULES for level, where, text in RULES[name](it)]
