"""Logits of images under a model, in evaluation mode."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmark.job import USUAL, MemoryFormat

T = TypeVar("T")

MEMORY_FORMATS: dict[MemoryFormat, torch.memory_format] = {
    "channels-last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


class Normaliser:
    """From grey bytes on any device to what the model was made for: three equal channels, normalised.

    Args:
        mean: of each channel, for values 0 to 1.
        std: likewise.
        device: where the model is.
        memory_format: of the images that it makes, and of the model's training.
    """

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
        memory_format: MemoryFormat = USUAL,
    ) -> None:
        self.memory_format = memory_format
        self.mean = torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self.std = torch.tensor(std, device=device).view(1, -1, 1, 1)

    def __call__(self, grey: torch.Tensor) -> torch.Tensor:
        """(n, 1, side, side) values 0 to 1 → (n, 3, side, side), in the memory format."""
        return ((grey - self.mean) / self.std).contiguous(memory_format=MEMORY_FORMATS[self.memory_format])


def as_float(images: torch.Tensor) -> torch.Tensor:
    """(n, side, side) bytes → (n, 1, side, side) values 0 to 1."""
    return images[:, None].float().div_(255.0)


class Forward:
    """A network in evaluation mode on batches of one size; on a GPU recorded as a CUDA graph at its second batch.

    Args:
        model: on its device.
        normalise: the submission's normalisation.
        precision: `fp32` or `bf16`.
        record: whether it may be recorded; else every batch is called.
    """

    def __init__(self, model: nn.Module, normalise: Normaliser, precision: str, record: bool = False) -> None:
        self.model, self.normalise, self.precision, self.record = model, normalise, precision, record
        self.graph: torch.cuda.CUDAGraph | None = None
        self.refused = ""
        """Why it could not be recorded; empty where it was, or was not tried."""
        self._input = self._output = torch.empty(0)
        self._warm = False

    def _call(self, batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            found: torch.Tensor = self.model(self.normalise(as_float(batch)))
        return found.float()

    @torch.inference_mode()
    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits of uint8 (batch, side, side), float32 (batch, classes), in memory of their own."""
        if not (self.record and batch.device.type == "cuda"):
            return self._call(batch)
        if not self._warm:
            self._warm = True
            return self._call(batch)
        if self.graph is None and not self.refused:
            self._record(batch)
        if self.graph is None:
            return self._call(batch)
        self._input.copy_(batch)
        self.graph.replay()
        return self._output.clone()

    def _record(self, batch: torch.Tensor) -> None:
        self._input = batch.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
                self._output = self._call(self._input)
        except RuntimeError as error:  # the network waits for the device: it is called, as before
            self.refused = reason(error)
            return
        self.graph = graph

    def state(self) -> dict[str, Any]:
        """How images were evaluated, for the record."""
        if not self.record:
            return {"evaluation": "called"}
        how = "called" if self.graph is None else "recorded"
        return {"evaluation": how, "evaluation_not_recorded": self.refused or None}


def reason(error: RuntimeError) -> str:
    """The first line of an error, for the record."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def logits_while(
    forward: Forward, images: torch.Tensor, batch_size: int
) -> Generator[None, None, npt.NDArray[np.float32]]:
    """Logits of all images, with a pause wherever the device must be waited for.

    Every batch has the same size: the last is filled up with blank images whose logits are
    dropped. So an image's logits do not depend on where in the order it stands.

    Args:
        forward: its network may be in any mode, and is left in evaluation mode.
        images: uint8 (n, side, side) on the network's device.
        batch_size: images a batch.

    Yields:
        While a GPU is busy.

    Returns:
        float32 (n, classes) on the CPU.
    """
    forward.model.eval()
    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        missing = batch_size - len(batch)
        if missing:
            batch = torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))])
        parts.append(forward(batch)[: batch_size - missing])
    whole = torch.cat(parts)
    if whole.device.type == "cuda":
        whole = whole.to("cpu", non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        while not done.query():  # type: ignore[no-untyped-call]
            yield
    return whole.numpy()


def logits(
    model: nn.Module, images: torch.Tensor, normalise: Normaliser, batch_size: int, precision: str
) -> npt.NDArray[np.float32]:
    """Logits of all images at once; see `logits_while`."""
    return finished(logits_while(Forward(model, normalise, precision), images, batch_size))


def finished(work: Generator[Any, None, T]) -> T:
    """What some work returns, without pauses."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
