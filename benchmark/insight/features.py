"""What a fixed ImageNet network sees: the pooled features before its classifier, kept in the workspace.

Features are kept in pieces, each by the hash of its pixels and of the network. A run that was stopped goes on
where it was, and a second run computes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.errors import InputError
from benchmark.files import atomic, digest, write_array
from benchmark.pretrained import locate
from benchmark.submission import Submission
from benchmark.submission import load as load_submission

if TYPE_CHECKING:
    from torch import nn

BACKBONE = "tf-efficientnet-lite0"
VERSION = 1
"""Raised whenever the features of some pixels change."""

PIECE, BATCH = 512, 128
"""Images kept together, and images a batch."""

Floats32 = npt.NDArray[np.float32]
Progress = Callable[[int, int | None], None]


class Backbone(NamedTuple):
    """A network with its ImageNet weights, not yet built.

    Attributes:
        submission: its description.
        weights: the file.
        layout: how the file names its tensors.
        reference: where the file came from.
        sha256: of the file.
    """

    submission: Submission
    weights: Path
    layout: str | None
    reference: str
    sha256: str

    @property
    def digest(self) -> str:
        """Hash of what decides the features of some pixels."""
        return digest({"version": VERSION, "model": self.submission.digest, "weights": self.sha256, "batch": BATCH})


def backbone(name: str = BACKBONE) -> Backbone:
    """A submission's network with its ImageNet weights.

    Raises:
        InputError: when it names no weights.
        WeightsUnavailable: when they are not here.
    """
    submission = load_submission(name)
    if submission.spec.weights is None:
        raise InputError("has no ImageNet weights", field="weights", found=name)
    found = locate(submission.spec.weights)
    return Backbone(submission, found.path, found.layout, found.reference, found.sha256)


class Features:
    """Features of images, computed or read.

    Args:
        backbone: the network; built when the first piece is computed.
        folder: where pieces are kept.
    """

    def __init__(self, backbone: Backbone, folder: Path) -> None:
        self.backbone, self.folder = backbone, folder
        self.computed = 0
        self._network: nn.Module | None = None
        self._lock = Lock()

    def __call__(self, images: npt.NDArray[np.uint8], progress: Progress | None = None) -> Floats32:
        """Pooled features of grey images.

        Args:
            images: uint8 (n, size, size).
            progress: told images done and images in all.

        Returns:
            float32 (n, features), in an image's place and not depending on its neighbours.

        Raises:
            InputError: when the network does not take images of this size.
        """
        refusal = self.backbone.submission.takes(images.shape[1])
        if refusal:
            raise InputError(refusal, field=self.backbone.submission.name)
        starts = range(0, len(images), PIECE)
        with _workers() as pool:
            futures = [pool.submit(self._piece, images[start : start + PIECE]) for start in starts]
            try:
                for start, future in zip(starts, futures, strict=True):
                    future.result()
                    if progress:
                        progress(min(start + PIECE, len(images)), len(images))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return np.concatenate([future.result() for future in futures])

    def _piece(self, images: npt.NDArray[np.uint8]) -> Floats32:
        images = np.array(images)  # of its own, since a mapped array cannot be written and torch wants one that can
        state = hashlib.sha256(f"{self.backbone.digest}:{images.shape}:".encode() + images.tobytes())
        path = self.folder / f"{state.hexdigest()}.npy"
        kept = _read(path, len(images))
        if kept is None:
            kept = self._compute(images)
            with atomic(path, durable=False) as file:
                write_array(file, kept)
        return kept

    def _compute(self, images: npt.NDArray[np.uint8]) -> Floats32:
        import torch

        from benchmark.training.predict import Normaliser, logits

        with self._lock:
            if self._network is None:
                self._network = _build(self.backbone, images.shape[1])
            self.computed += len(images)
        model = self.backbone.submission.spec.model
        normalise = Normaliser(model.mean, model.std, torch.device("cpu"))
        return logits(self._network, torch.from_numpy(images), normalise, BATCH, "fp32")


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """One worker a processor, each with one thread of torch: pieces side by side share nothing and wait for nothing.

    So neither the speed on a busy machine nor the last bit of a feature depends on the number of threads.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def _read(path: Path, images: int) -> Floats32 | None:
    """A kept piece; None where there is none or it is damaged, since it can be computed again."""
    try:
        kept: Floats32 = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.ndim == 2 and len(kept) == images and kept.dtype == np.float32 else None


def _build(backbone: Backbone, size: int) -> nn.Module:
    """The network without its classifier, in evaluation mode; torch's generator is left as it was."""
    import torch
    from torch import nn

    from benchmark.training.model import build
    from benchmark.training.weights import load_imagenet

    with torch.random.fork_rng(devices=[]):
        network = build(backbone.submission.spec.model, backbone.submission.folder, num_classes=1000, img_size=size)
    load_imagenet(network, backbone.weights, backbone.layout)
    whole: Any = network.eval().to(memory_format=torch.channels_last)

    class Penultimate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = whole

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            pooled: torch.Tensor = whole.forward_head(whole.forward_features(batch), pre_logits=True)
            return pooled

    return Penultimate().eval()
