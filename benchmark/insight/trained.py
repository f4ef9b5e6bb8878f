"""A finished unit's network and the images it was tested on, so that one can look into it.

The unit is found in the workspace's ledger and its checkpoint is checked against the record. Nothing is trained,
fetched or written, but for images of an imported dataset that no run has prepared yet.

A submission with code of its own is built in this process, outside any sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from benchmark import protocol as protocols
from benchmark.data.manifest import CLASSES, FOLDS
from benchmark.data.store import Prepared, Store
from benchmark.errors import InputError, IntegrityError
from benchmark.files import sha256_file
from benchmark.ledger import Ledger
from benchmark.records import Record
from benchmark.submission import Submission
from benchmark.track import Track
from benchmark.trainer import CHECKPOINT
from benchmark.training.model import build
from benchmark.training.predict import Normaliser, as_float, logits
from benchmark.training.weights import classifier_layers

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Place:
    """Which classifier is meant: protocol, target, fold (from 0) and repeat (from 0)."""

    protocol: str
    target: str
    fold: int
    repeat: int

    def __str__(self) -> str:
        return f"{self.protocol} → {self.target}, fold {self.fold}, repeat {self.repeat}"


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, and its dataset at the track's size.

    Attributes:
        place: which classifier of its submission it is.
        record: of the ledger.
        submission: its submission.
        track: its track.
        data: all images of the target, their manifest and card.
        network: on its device, channels last in memory, as it was trained.
        normalise: from values 0 to 1 to what the network takes.
        device: where it is.
    """

    place: Place
    record: Record
    submission: Submission
    track: Track
    data: Prepared
    network: nn.Module
    normalise: Normaliser
    device: torch.device

    @property
    def key(self) -> str:
        """The unit's key."""
        return str(self.record["key"])

    @cached_property
    def positions(self) -> Ints:
        """Manifest positions of the test images, ascending, (n,)."""
        return self.data.manifest.part(self.place.fold, "test")

    @cached_property
    def images(self) -> U8:
        """The test images as they were prepared, uint8 (n, size, size), in manifest order."""
        return np.array(self.data.images[self.positions])

    @cached_property
    def labels(self) -> Ints:
        """Their classes, (n,)."""
        return self.data.manifest.labels[self.positions]

    @cached_property
    def groups(self) -> npt.NDArray[np.str_]:
        """Their groups, (n,)."""
        return self.data.manifest.groups[self.positions]

    def batch(self, images: U8) -> torch.Tensor:
        """What the network takes: uint8 (n, size, size) → float32 (n, 3, size, size), normalised, on its device."""
        return self.normalise(as_float(torch.from_numpy(np.array(images)).to(self.device)))

    def logits(self, images: U8 | None = None) -> Floats32:
        """Logits of images, by default of the test images, (n, 24), computed as in the unit itself."""
        chosen = torch.from_numpy(np.array(self.images if images is None else images)).to(self.device)
        recipe = self.track.recipe
        return logits(self.network, chosen, self.normalise, recipe.batch_size, recipe.precision)

    def features(self, images: U8 | None = None) -> Floats32:
        """What goes into the last layer, (n, features), of images or of the test images.

        Raises:
            InputError: when the network has no linear last layer that is called on its own.
        """
        layer = self._classifier()
        kept: list[torch.Tensor] = []
        hook = layer.register_forward_pre_hook(lambda module, given: kept.append(given[0].detach().float().cpu()))
        try:
            count = len(self.logits(images))
        finally:
            hook.remove()
        if not kept:
            raise self._without("its last linear layer is never called")
        return torch.cat([one.flatten(1) for one in kept])[:count].numpy()

    def _classifier(self) -> nn.Module:
        names = classifier_layers(self.network)
        parts: dict[str, nn.Module] = dict(self.network.named_modules())
        if not names or names[0] not in parts:
            raise self._without("it has no linear last layer")
        return parts[names[0]]

    def _without(self, why: str) -> InputError:
        return InputError(f"this network has no features to compare: {why}", field=self.submission.name)


def find(ledger: Ledger, submission: Submission, track: Track, place: Place) -> Record:
    """The newest record of a classifier that was scored.

    Raises:
        InputError: when there is none, its training failed, or it was made with another version of the
            submission or of the track.
    """
    protocols.get(place.protocol)
    if not protocols.get(place.protocol).sources:
        track.sources_of(place.target)
    if not 0 <= place.fold < FOLDS:
        raise InputError("no such fold", field="fold", found=place.fold, allowed=f"0 to {FOLDS - 1}")
    wanted = (submission.name, track.name, place.protocol, place.target, place.fold, place.repeat)
    there = [
        one for one in ledger.records()
        if (one["submission"]["name"], one["track"]["name"], one["arm"], one["dataset"]["name"], one["fold"], one["repeat"])
        == wanted
    ]  # fmt: skip
    where = f"{submission.name} {place}"
    if not there:
        hint = f"Run: karyobench run {submission.name} --track {track.name}"
        raise InputError("this classifier has not been trained here", file=ledger.path, field=where, hint=hint)
    fitting = [one for one in there if _version(one) == (track.digest, submission.digest, submission.code_hash)]
    if not fitting:
        other = "the track" if there[-1]["track"]["digest"] != track.digest else "this submission"
        raise InputError(
            f"the checkpoint is of another version of {other}", file=ledger.path, field=where,
            found=there[-1]["key"], hint="Train it again with the present one, or look with the one it was trained with",
        )  # fmt: skip
    if fitting[-1]["status"] != "scored":
        found = (fitting[-1].get("failure") or {}).get("kind")
        raise InputError("its training failed", file=ledger.path, field=where, found=found)
    return fitting[-1]


def _version(record: Record) -> tuple[Any, Any, Any]:
    return record["track"]["digest"], record["submission"]["model"], record["submission"]["code"]


def checkpoint(workspace: Path, record: Record) -> Path:
    """A recorded unit's checkpoint.

    Raises:
        IntegrityError: when it is not in the workspace, or is not the one that was recorded.
    """
    path = workspace / "units" / str(record["key"]) / CHECKPOINT
    if not path.is_file():
        hint = "Copy its folder from the workspace in which it was trained"
        raise IntegrityError("the unit's checkpoint is not in this workspace", file=path, hint=hint)
    found = sha256_file(path)
    if found != record["checkpoint"]:
        allowed = f"{record['checkpoint'][:12]}, as recorded"
        raise IntegrityError("the checkpoint was altered", file=path, found=found[:12], allowed=allowed)
    return path


def load(
    workspace: Path,
    track: Track,
    submission: Submission,
    place: Place,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Trained:
    """Load a finished unit.

    Args:
        workspace: holds its ledger, checkpoint and dataset.
        track: its track.
        submission: its submission.
        place: which of the submission's classifiers.
        device: `cpu`, `cuda` or `cuda:N`.
        progress: told images rendered and images in all, where the dataset was not prepared.

    Raises:
        InputError: when the classifier was not trained here, failed, or is of another version of its
            submission, track or dataset; when the dataset is not imported.
        IntegrityError: when its checkpoint is gone, altered, or of another network.
    """
    record = find(Ledger(workspace / "ledger"), submission, track, place)
    path = checkpoint(workspace, record)
    data = Store(workspace).prepared(place.target, track.preprocess, progress)
    if data.manifest.digest != record["dataset"]["manifest"]:
        raise InputError(
            "it was trained on another version of this dataset", file=workspace / "datasets" / place.target,
            field="manifest", found=data.manifest.digest[:12], allowed=record["dataset"]["manifest"][:12],
        )  # fmt: skip
    model = submission.spec.model
    with torch.random.fork_rng(devices=[]):
        network = build(model, submission.folder, num_classes=len(CLASSES), img_size=track.preprocess.size)
    try:
        network.load_state_dict(load_file(path), strict=True)
    except (RuntimeError, SafetensorError) as error:
        problem = f"the checkpoint is not of this submission's network: {str(error).splitlines()[0]}"
        raise IntegrityError(problem, file=path, field=submission.name) from error
    where = torch.device(device)
    network.eval().to(where).to(memory_format=torch.channels_last)
    return Trained(
        place, record, submission, track, data, network, Normaliser(model.mean, model.std, where), where
    )  # fmt: skip
