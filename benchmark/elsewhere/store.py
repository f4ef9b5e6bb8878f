"""Self-run scores kept beside a ledger, in a store of their own that never touches its chain.

Layout, in the ledger's folder::

    self-run/<sha256>.json   a score, or the withdrawal of one; named by the hash of its content
    self-run/<sha256>.npz    predictions, float16 logits in manifest order; named by the hash of the file

Nothing is ever changed or removed: a newer score of the same name on the same dataset and track takes the place
of an older one, and a withdrawal is one document more. So two stores are merged by taking what one lacks, in any order.
Figures are computed again from the predictions wherever they are shown.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark.data.card import Card
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.elsewhere.document import Gone, Score, Told
from benchmark.elsewhere.figures import Figures, compute
from benchmark.elsewhere.matching import Matched, positions
from benchmark.errors import InputError, IntegrityError
from benchmark.files import atomic, canonical, digest, read_text, validate
from benchmark.ledger import Ledger
from benchmark.packing import pack, unpack
from benchmark.provenance import harness
from benchmark.scoring import Stored
from benchmark.track import Track
from benchmark.withdrawal import MOST, line

FOLDER = "self-run"
FILES = r"[0-9a-f]{64}\.(json|npz)"
LARGEST = 64 * 1024
"""Bytes of a document."""

GONE = "self-run-withdrawal"
DRIFT = 1e-9


class Entry(NamedTuple):
    """A kept score.

    Attributes:
        id: hash of its document.
        score: the document.
        withdrawal: why it is not listed any more.
        replaced: by a newer one of its name, on the same dataset and track.
    """

    id: str
    score: Score
    withdrawal: Gone | None
    replaced: bool


class Store:
    """The self-run scores of a ledger.

    Args:
        ledger: whose manifests, tracks and cards they refer to.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.folder = ledger.folder / FOLDER

    def entries(self) -> list[Entry]:
        """All scores, oldest first.

        Raises:
            IntegrityError: for a document that is not of its form, or not what its name says.
        """
        documents = {path.stem: self._read(path) for path in sorted(self.folder.glob("*.json"))}
        gone: dict[str, Gone] = {}
        for one in sorted(
            (one for one in documents.values() if isinstance(one, Gone)), key=lambda one: (one.ended, one.reason)
        ):
            gone.setdefault(one.of, one)
        scores = [(key, one) for key, one in documents.items() if isinstance(one, Score)]
        for of in gone.keys() - {key for key, _ in scores}:
            raise IntegrityError("withdraws a score that is not there", file=self.folder, field="of", found=of)
        scores.sort(key=lambda one: (one[1].ended, one[0]))
        newest = {_place(one): key for key, one in scores if key not in gone}
        return [Entry(key, one, gone.get(key), newest.get(_place(one), key) != key) for key, one in scores]

    def _read(self, path: Path) -> Score | Gone:
        try:
            data = json.loads(read_text(path, LARGEST))
        except ValueError as error:
            raise IntegrityError("not JSON", file=path) from error
        if not isinstance(data, dict) or digest(data) != path.stem:
            raise IntegrityError("is not what its name says", file=path)
        try:
            return validate(data, Gone, path) if data.get("type") == GONE else validate(data, Score, path)
        except InputError as error:
            raise IntegrityError(
                error.problem, file=path, field=error.field, found=error.found, allowed=error.allowed
            ) from error

    def keep(
        self,
        name: str,
        told: Mapping[str, Any],
        matched: Matched,
        data: Manifest,
        card: Card,
        track: Track,
        given: Path,
    ) -> Entry:
        """Keep a score with what its author says of it.

        Args:
            name: what it is called; a newer one of the name takes the place of an older one.
            told: fields of `Told`.
            matched: its predictions.
            data: the manifest.
            card: of the dataset.
            track: whose folds were taken.
            given: the file that was handed in.

        Raises:
            InputError: for a name that is none or a submission's, or words that are too long, of several lines, or no
                web address; nothing is kept.
        """
        taken = sorted({record["submission"]["name"] for record in self.ledger.records()})
        if name in taken:
            raise InputError(
                "is the name of a submission of this ledger", field="--name", found=name, allowed="another name"
            )
        said = validate(dict(told), Told, "what is said of the score")
        stored, content = matched.stored, pack(matched.stored)
        score = validate({
            "format": 1, "type": "self-run", "name": name, "told": said.model_dump(),
            "dataset": {"name": card.name, "manifest": data.digest, "group": data.group_by, "card": digest(card.model_dump(mode="json"))},
            "track": {"name": track.name, "digest": track.digest, "simulated": track.simulated}, "folds": list(matched.folds),
            "form": matched.form, "predictions": {"sha256": hashlib.sha256(content).hexdigest(), "images": len(stored)},
            "given": hashlib.sha256(given.read_bytes()).hexdigest(), "scores": compute(stored, data, matched.folds).scores,
            "harness": harness(), "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }, Score, "the score")  # fmt: skip
        self.ledger.put_manifest(data)
        self.ledger.put_document("cards", score.dataset.card, card.model_dump(mode="json"))
        self.ledger.put_document("tracks", track.digest, track.model_dump(mode="json"))
        with atomic(self.folder / f"{score.predictions.sha256}.npz") as file:
            file.write(content)
        return Entry(self._write(score), score, None, False)

    def _write(self, one: Score | Gone) -> str:
        data = one.model_dump(mode="json")
        with atomic(self.folder / f"{digest(data)}.json") as file:
            file.write(f"{canonical(data)}\n".encode())
        return digest(data)

    def withdraw(self, name: str, reason: str) -> int:
        """Withdraw all scores of a name; returns how many.

        Raises:
            InputError: for a name without a score, one that is withdrawn already, or no reason.
        """
        own = [one for one in self.entries() if one.score.name == name]
        if not own:
            known = sorted({one.score.name for one in self.entries()})
            raise InputError(
                "no score of this name", file=self.folder, field="name", found=name, allowed=known or "none"
            )
        listed = [one for one in own if one.withdrawal is None]
        if not listed:
            raise InputError("is withdrawn already", file=self.folder, field="name", found=name)
        text = line(reason, "reason", "must say why", MOST)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        for one in listed:
            data = {"format": 1, "type": GONE, "of": one.id, "reason": text, "ended": now}
            self._write(Gone.model_validate(data))
        return len(listed)

    def predictions(self, score: Score) -> Stored:
        """The stored predictions, shape (test images of its folds, 24).

        Raises:
            IntegrityError: when the file is missing, is not what its name says, or is of other images than the manifest's.
        """
        path = self.folder / f"{score.predictions.sha256}.npz"
        try:
            content = path.read_bytes()
        except OSError:
            raise IntegrityError("predictions are missing", file=path) from None
        if hashlib.sha256(content).hexdigest() != path.stem:
            raise IntegrityError("predictions are not what their name says", file=path)
        stored = unpack(content)
        wanted = len(positions(self.manifest(score), score.folds)), len(CLASSES)
        if stored.dtype != np.float16 or stored.shape != wanted or len(stored) != score.predictions.images:
            raise IntegrityError(
                "wrong type or shape", file=path, found=f"{stored.dtype} {stored.shape}", allowed=f"float16 {wanted}"
            )
        if not np.isfinite(stored).all():
            raise IntegrityError("predictions are not finite", file=path)
        return np.asarray(stored)

    def manifest(self, score: Score) -> Manifest:
        """That it was scored against; errors as `Ledger.manifest`."""
        return self.ledger.manifest(score.dataset.manifest, score.dataset.group)

    def figures(self, score: Score) -> Figures:
        """Every figure, from the stored predictions; errors as `predictions`."""
        return compute(self.predictions(score), self.manifest(score), score.folds)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (file, problem): forms, names, missing files, scores that drifted."""
        try:
            entries = self.entries()
        except IntegrityError as error:
            yield f"{FOLDER}/{Path(str(error.file)).name}", str(error)
            return
        for one in entries:
            where = f"{FOLDER}/{one.id}.json"
            try:
                for kind, name in (("tracks", one.score.track.digest), ("cards", one.score.dataset.card)):
                    self.ledger.document(kind, name)
                again = self.figures(one.score).scores
            except InputError as error:
                yield where, str(error)
                continue
            if again.keys() != one.score.scores.keys() or any(
                abs(again[k] - one.score.scores[k]) > DRIFT for k in again
            ):
                yield where, "scores drifted from the predictions"
        held = {one.score.predictions.sha256 for one in entries}
        for path in sorted(self.folder.glob("*.npz")):
            if path.stem not in held:
                yield f"{FOLDER}/{path.name}", "no score is of this file"

    def check(self) -> None:
        """Refuse a store with anything wrong.

        Raises:
            IntegrityError: the first of `problems`.
        """
        for where, problem in self.problems():
            raise IntegrityError(problem, file=self.ledger.folder / where, hint="Run: karyobench ledger verify")

    def files(self) -> list[Path]:
        """Paths of everything that the scores are and refer to, below the ledger's folder."""
        entries = self.entries()
        own = [Path(FOLDER) / path.name for path in sorted(self.folder.iterdir()) if path.is_file() and path.suffix in (".json", ".npz")] if entries else []  # fmt: skip
        for one in entries:
            data, track = one.score.dataset, one.score.track
            own += [
                Path("manifests") / f"{data.manifest}.csv",
                Path("cards") / f"{data.card}.json",
                Path("tracks") / f"{track.digest}.json",
            ]
        return list(dict.fromkeys(own))

    def take(self, theirs: Store) -> int:
        """Take over what another store has beyond ours; returns the number of its scores and withdrawals.

        Raises:
            IntegrityError: when the other store does not verify; nothing is changed.
        """
        theirs.check()
        lacking = [name for name in theirs.files() if not (self.ledger.folder / name).is_file()]
        for name in sorted(lacking, key=lambda one: one.parts[0] == FOLDER and one.suffix == ".json"):  # documents last
            with atomic(self.ledger.folder / name) as file:
                file.write((theirs.ledger.folder / name).read_bytes())
        return sum(one.parts[0] == FOLDER and one.suffix == ".json" for one in lacking)


def _place(one: Score) -> tuple[str, str, str]:
    return one.name, one.dataset.name, one.track.name


def listed(entries: Sequence[Entry]) -> list[Entry]:
    """Those that are neither withdrawn nor replaced."""
    return [one for one in entries if one.withdrawal is None and not one.replaced]
