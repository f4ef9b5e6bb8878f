"""The plan: which units a command needs, what they share, and in what order they can run.

A unit's key is a hash of everything that decides its result, so that a stage that two protocols
have in common is one unit (invariant 4), and a unit that is in the ledger is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from benchmark import protocol as protocols
from benchmark.data.manifest import FOLDS, Manifest
from benchmark.errors import InputError
from benchmark.files import digest
from benchmark.protocol import Protocol, Stage
from benchmark.sources import Overlaps, arm_of, check, name_for
from benchmark.submission import Submission
from benchmark.track import Track

KEY_VERSION = 1
"""Raised when the training code changes what it computes for the same inputs."""


class Weights(NamedTuple):
    """ImageNet weights as the plan sees them: what identifies them, or why they can't be had."""

    identity: str | None
    reason: str | None = None


@dataclass(frozen=True)
class Unit:
    """One training of one stage for one fold and repeat.

    Args:
        key: hash of all that decides the result.
        submission: its name.
        arm: the protocol that ends here; `source-shuffled` for a stage of the shuffled control before its last.
        dataset: what is trained on and tested.
        fold: from 0.
        repeat: from 0.
        seed: from track, dataset, fold and repeat alone (invariant 3).
        epochs: of this stage.
        images: of its training part.
        shuffled: whether its labels are permuted.
        start: `random`, `imagenet` or `checkpoint`.
        parent: key of the unit whose checkpoint it starts from.
        chain: for people: how it came here.
        weights: identity of the ImageNet weights at the chain's root.
        blocked: why it cannot run.
    """

    key: str
    submission: str
    arm: str
    dataset: str
    fold: int
    repeat: int
    seed: int
    epochs: int
    images: int
    shuffled: bool
    start: str
    parent: str | None
    chain: tuple[str, ...]
    weights: str | None
    blocked: str | None

    @property
    def cost(self) -> int:
        """Images that pass through the model in training."""
        return self.epochs * self.images


@dataclass
class Plan:
    """Units in an order in which each comes after its parent."""

    track: Track
    units: list[Unit] = field(default_factory=list)
    classifiers: dict[tuple[str, str, str, int, int], str] = field(default_factory=dict)
    """(submission, protocol, target, fold, repeat) → key of the unit that is scored for it."""
    unshared: int = 0

    @cached_property
    def by_key(self) -> dict[str, Unit]:
        """Units by key."""
        return {unit.key: unit for unit in self.units}

    def blocked(self) -> dict[str, list[str]]:
        """Reason → what it keeps from running, `submission protocol → target`."""
        reasons: dict[str, set[str]] = {}
        for (submission, protocol, target, _, _), key in self.classifiers.items():
            reason = self.by_key[key].blocked
            if reason:
                reasons.setdefault(reason, set()).add(f"{submission} {protocol} → {target}")
        return {reason: sorted(what) for reason, what in reasons.items()}


def seed_of(track: str, dataset: str, fold: int, repeat: int) -> int:
    """The seed of a unit: below 2**31, the same for every submission and protocol."""
    text = f"karyobench:{track}:{dataset}:{fold}:{repeat}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


class Planner:
    """Makes plans for one track.

    Args:
        track: the track.
        manifests: dataset name → manifest; None where it is not known.
        weights_of: submission → its ImageNet weights.
        missing: dataset name → why its images can't be used; absent or None where they can.
        overlaps: dataset name → those that show the same people, as its card declares.
    """

    def __init__(
        self,
        track: Track,
        manifests: Mapping[str, Manifest | None],
        weights_of: Callable[[Submission], Weights],
        missing: Mapping[str, str | None],
        overlaps: Overlaps | None = None,
    ) -> None:
        self.track, self.manifests, self.missing = track, manifests, missing
        self.weights_of, self.overlaps = weights_of, overlaps or {}
        self.recipe = digest(track.recipe.model_dump(mode="json", exclude={"epochs"}))
        self.preprocess = track.preprocess.digest()
        self.sizes: dict[tuple[str, int], int] = {}

    def plan(
        self,
        submissions: Sequence[Submission],
        names: Sequence[str] = protocols.MAIN,
        targets: Sequence[str] | None = None,
        folds: Sequence[int] | None = None,
        repeats: Sequence[int] | None = None,
    ) -> Plan:
        """Plan a run.

        Args:
            submissions: what to train.
            names: protocols, with sources or without.
            targets: default: all of the track; others only for protocols that take no source, or name theirs.
            folds: default: the track's.
            repeats: default: the track's.

        Raises:
            InputError: for an unknown protocol, target, fold or a negative repeat, or sources that are or
                overlap with their target.
        """
        chosen = [protocols.get(name) for name in names]
        targets = targets or self.track.targets
        for target in targets:
            for protocol in chosen:
                if protocol.sourced:
                    check(target, self._sources(protocol, target), self.manifests, self.overlaps)
        folds = self.track.folds if folds is None else folds
        repeats = range(self.track.repeats) if repeats is None else repeats
        for fold in folds:
            if not 0 <= fold < FOLDS:
                raise InputError("no such fold", field="fold", found=fold, allowed=f"0 to {FOLDS - 1}")
        for repeat in repeats:
            if repeat < 0:
                raise InputError("no such repeat", field="repeat", found=repeat, allowed="0 or more")
        plan = Plan(self.track)
        units: dict[str, Unit] = {}
        for submission in submissions:
            weights = self.weights_of(submission)
            for repeat in repeats:
                for fold in folds:
                    for target in targets:
                        for protocol in chosen:
                            chain = self._chain(submission, protocol, target, fold, repeat, weights)
                            for unit in chain:
                                units.setdefault(unit.key, unit)
                            plan.unshared += len(chain)
                            name = name_for(self.track, protocol, target)
                            plan.classifiers[submission.name, name, target, fold, repeat] = chain[-1].key
        plan.units = list(units.values())
        return plan

    def _chain(
        self, submission: Submission, protocol: Protocol, target: str, fold: int, repeat: int, weights: Weights
    ) -> list[Unit]:
        sources = self._sources(protocol, target)
        trained = [
            (stage, dataset)
            for stage in protocol.stages
            for dataset in ((target,) if stage.data == "target" else sources)
        ]
        names = [dataset for _, dataset in trained]
        chain: list[Unit] = []
        for place, (stage, dataset) in enumerate(trained):
            last = place == len(trained) - 1
            arm = (
                name_for(self.track, protocol, target)
                if last
                else arm_of(self.track, protocol, stage, names[:place], dataset)
            )
            epochs = self._epochs(stage, target, sources, fold)
            parent = chain[-1] if chain else None
            chain.append(self._unit(submission, protocol, stage, arm, dataset, fold, repeat, epochs, weights, parent))
        return chain

    def _sources(self, protocol: Protocol, target: str) -> tuple[str, ...]:
        if not protocol.sourced:
            return ()
        return protocol.sources or self.track.sources_of(target)

    def _count(self, dataset: str, fold: int) -> int:
        if (dataset, fold) not in self.sizes:
            manifest = self.manifests.get(dataset)
            self.sizes[dataset, fold] = len(manifest.part(fold, "train")) if manifest else 0
        return self.sizes[dataset, fold]

    def _epochs(self, stage: Stage, target: str, sources: Sequence[str], fold: int) -> int:
        epochs = self.track.recipe.epochs
        own = self._count(target, fold)
        if stage.budget == "both" and own:
            return round(epochs * (1 + sum(self._count(source, fold) for source in sources) / own))
        return epochs

    def _unit(
        self,
        submission: Submission,
        protocol: Protocol,
        stage: Stage,
        arm: str,
        dataset: str,
        fold: int,
        repeat: int,
        epochs: int,
        weights: Weights,
        parent: Unit | None,
    ) -> Unit:
        manifest = self.manifests.get(dataset)
        seed = seed_of(self.track.name, dataset, fold, repeat)
        start = "checkpoint" if parent else protocol.start
        root = weights.identity if protocol.start == "imagenet" else None
        decides: dict[str, Any] = {
            "version": KEY_VERSION,
            "submission": submission.name,
            "model": submission.digest,
            "code": submission.code_hash,
            "weights": root if start == "imagenet" else None,
            "start": start,
            "manifest": manifest.digest if manifest else None,
            "fold": fold,
            "preprocess": self.preprocess,
            "recipe": self.recipe,
            "epochs": epochs,
            "seed": seed,
            "shuffled": stage.shuffled,
            "parent": parent.key if parent else None,
        }
        label = f"{dataset}{' (shuffled)' if stage.shuffled else ''}"
        before = parent.chain if parent else ("ImageNet",) if start == "imagenet" else ()
        return Unit(
            key=digest(decides)[:32],
            submission=submission.name,
            arm=arm,
            dataset=dataset,
            fold=fold,
            repeat=repeat,
            seed=seed,
            epochs=epochs,
            images=self._count(dataset, fold),
            shuffled=stage.shuffled,
            start=start,
            parent=parent.key if parent else None,
            chain=(*before, label),
            weights=root,
            blocked=self._blocked(submission, dataset, protocol, weights, parent),
        )

    def _blocked(
        self, submission: Submission, dataset: str, protocol: Protocol, weights: Weights, parent: Unit | None
    ) -> str | None:
        if parent and parent.blocked:
            return parent.blocked
        size = submission.takes(self.track.preprocess.size)
        if size:
            return size
        if protocol.start == "imagenet" and weights.reason:
            return weights.reason
        return self.missing.get(dataset)


def waiting(units: Iterable[Unit], done: Mapping[str, Any]) -> list[Unit]:
    """Units that are neither blocked nor done, in plan order."""
    return [unit for unit in units if not unit.blocked and unit.key not in done]
