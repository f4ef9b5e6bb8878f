"""Steps that train: one smoke unit a protocol, by the real planner and runner, in a workspace that is thrown away."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmark import memo
from benchmark import protocol as protocols
from benchmark import track as tracks
from benchmark.campaign import Campaign
from benchmark.checking.rehearsing import first_line, packages
from benchmark.checking.step import SkippedError, Step, Subject
from benchmark.data import card as cards
from benchmark.data import imports
from benchmark.data import manifest as manifests
from benchmark.data.manifest import FOLDS
from benchmark.data.simulate import SETTINGS, Settings, simulate_people
from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.files import disk_errors
from benchmark.provenance import harness
from benchmark.submission import MARKER, Submission
from benchmark.track import Track

PEOPLE = 10
"""Of each simulated dataset: two a fold."""

EPOCHS = 2


def smoke(item: Submission, seconds: float) -> Track:
    """The smoke track with few epochs, at the smallest size from its own on that a submission takes.

    Args:
        item: the submission.
        seconds: that a unit may take.
    """
    track = tracks.load("smoke")
    sizes = item.spec.model.image_size
    least = max(track.preprocess.size, sizes.min)
    size = -(-least // sizes.multiple_of) * sizes.multiple_of
    if item.takes(size) is not None:
        size = sizes.min
    return track.model_copy(
        update={
            "timeout": max(1, int(seconds)),
            "recipe": track.recipe.model_copy(update={"epochs": EPOCHS}),
            "preprocess": track.preprocess.model_copy(update={"size": size}),
        }
    )


def datasets(workspace: Path, names: tuple[str, ...]) -> None:
    """Put small simulated datasets into a workspace; they are drawn once for each version of this package.

    Raises:
        InputError: when what draws them is not installed.
    """
    kept = memo.default().parent / f"check-{harness()['code'][:16]}"
    if not kept.is_dir():
        with disk_errors(kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            drawn = Path(tempfile.mkdtemp(prefix=".check-", dir=kept.parent))
            try:
                for name in names:
                    _draw(Store(drawn), name)
                os.rename(drawn, kept)
            except OSError:
                if not kept.is_dir():  # else another check was faster
                    raise
            finally:
                shutil.rmtree(drawn, ignore_errors=True)
    with disk_errors(workspace):
        shutil.copytree(kept, workspace, dirs_exist_ok=True)


def _draw(store: Store, name: str) -> None:
    """Draw one dataset; a fold has a man and a woman, and the second of them is another fold's validation part."""
    card, settings = cards.load(name), SETTINGS[name]
    images = {item.image: item for item in simulate_people(Settings(settings.stain, settings.seed, PEOPLE))}
    bare = manifests.build(imports.entries(images.values()), card.group)
    person = np.array([int(entry.case.removeprefix("c")) - 1 for entry in bare.entries])
    fold = person % FOLDS
    validation_of = np.where(person >= FOLDS, (fold - 1) % FOLDS, -1)
    store.write(card, bare.with_folds(fold, validation_of), {name: item.pixels for name, item in images.items()})


def unit(subject: Subject, protocol: str) -> str:
    """Train what one protocol needs for the first target of the smoke track."""
    packages(subject)
    item, workspace = subject.submission, subject.folder / "workspace"
    track = smoke(item, subject.seconds)
    datasets(workspace, track.targets)
    campaign = Campaign(workspace, track, [item], fetch=not subject.offline)
    plan = campaign.plan([protocol], track.targets[:1], [0], [0])
    for reason in plan.blocked():
        raise SkippedError(reason)
    ended = campaign.run(campaign.todo(plan), lambda unit, line: None, sandbox=subject.sandbox, jobs=1)
    for trained, record in ended:
        if record["status"] != "scored":
            failure, where = record["failure"], " → ".join(trained.chain)
            problem = f"the unit {where} failed ({failure['kind']}): {first_line(failure['message'])}"
            raise InputError(problem, file=item.folder / MARKER, field="model")
    size = track.preprocess.size
    trainings = f"{len(ended)} training{'s' if len(ended) > 1 else ''}"
    return f"{' → '.join(plan.units[-1].chain)}: {trainings}, {EPOCHS} epochs at {size} x {size}, scored"


def steps() -> list[Step]:
    """A step for every protocol of the study."""
    return [Step(f"unit {name}", partial(unit, protocol=name), ("folder", "repeat")) for name in protocols.MAIN]
