"""One step of training, and two ways to repeat it: call by call, or recorded once on a GPU and replayed.

A small network at 64 pixels is some six hundred kernels of a few microseconds a step: called one by one they
leave a GPU idle, because the processor cannot launch them as fast as they run. A step that needs nothing from
the host can be recorded as a CUDA graph and is one launch from then on. So all that a chunk of steps needs lies
on the device before it begins: which images, what was drawn for their augmentation, the rates; a counter there
says which row is next.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from benchmark.job import USUAL
from benchmark.track import Recipe
from benchmark.training.augment import Augmenter, Drawn
from benchmark.training.predict import Normaliser, as_float, reason
from benchmark.training.swap import faster_layers

WARM = 3
"""Steps before the recording: libraries choose kernels and reserve memory in them, the optimiser makes its state."""

CHUNK_BYTES = 64 << 20
FEW_THREADS = 2
LONGEST_CHUNK = 32


class Images(NamedTuple):
    """Labelled images of one part: uint8 (n, side, side) and int64 (n,), on the training device."""

    pixels: torch.Tensor
    labels: torch.Tensor


def faster(device: torch.device, recipe: Recipe) -> bool:
    """Whether layers of the harness replace the library's: theirs use one thread, which pays beside one or two."""
    return device.type == "cpu" and recipe.precision == "fp32" and torch.get_num_threads() <= FEW_THREADS


def optimiser(model: nn.Module, recipe: Recipe, rate: torch.Tensor | None = None) -> torch.optim.AdamW:
    """AdamW without weight decay on biases, norms and what the model itself excludes, as timm does it.

    Args:
        model: on its device.
        recipe: the track's.
        rate: where the learning rate is kept; a recorded step needs it on its device.
    """
    ask = getattr(model, "no_weight_decay", None)
    excluded = set(ask()) if callable(ask) else set()
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    free = {name for name, parameter in trained if parameter.ndim <= 1 or name.endswith(".bias") or name in excluded}
    groups = [
        {"params": [p for name, p in trained if name in free], "weight_decay": 0.0},
        {"params": [p for name, p in trained if name not in free], "weight_decay": recipe.weight_decay},
    ]
    recorded = rate is not None and rate.device.type == "cuda"
    made = torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True, capturable=recorded)
    for group in made.param_groups if rate is not None else ():
        group["lr"] = rate
    return made


class Step:
    """One optimiser step: bytes, augmented, through the network and back, clipped, and taken.

    Args:
        model: on the training device, in the memory format.
        training: its images.
        recipe: the track's.
        normalise: the submission's normalisation, and the memory format.
        augment: the track's augmentation, seeded.
        rate: see `optimiser`.
        plain: whether the network is one of timm's own, see `faster_layers`.
    """

    def __init__(
        self,
        model: nn.Module,
        training: Images,
        recipe: Recipe,
        normalise: Normaliser,
        augment: Augmenter,
        rate: torch.Tensor | None = None,
        plain: bool = False,
    ) -> None:
        self.model, self.training, self.recipe, self.plain = model, training, recipe, plain
        self.normalise, self.augment = normalise, augment
        self.device = training.pixels.device
        self.update = optimiser(model, recipe, rate)
        self.faster = faster(self.device, recipe) and normalise.memory_format == USUAL
        self.total = torch.zeros((), device=self.device)
        """Sum of the losses since it was last set to zero."""

    def loss(self, chosen: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """Of one batch, as a tensor without a dimension.

        Args:
            chosen: rows of the training part, int64 (batch,), on the device.
            drawn: for them, on the device.
        """
        kind, precision = self.device.type, self.recipe.precision
        images = self.normalise(self.augment.apply(as_float(self.training.pixels[chosen]), drawn))
        with (
            torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16"),
            faster_layers(self.faster, self.plain),
        ):
            out = self.model(images)
        smoothing = self.recipe.label_smoothing
        return F.cross_entropy(out.float(), self.training.labels[chosen], label_smoothing=smoothing)

    def __call__(self, chosen: torch.Tensor, drawn: Drawn) -> None:
        """Take it; arguments as of `loss`."""
        loss = self.loss(chosen, drawn)
        self.update.zero_grad(set_to_none=True)  # what a network's own code left, or a step that failed in its midst
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.update.step()
        self.update.zero_grad(set_to_none=True)  # held through the next forward pass, they cut free memory into pieces
        self.total += loss.detach()


class Called:
    """Steps call by call: what a processor does, and any network that a recording does not fit.

    Args:
        step: with a number as its rate.
    """

    def __init__(self, step: Step) -> None:
        self.step = step

    def epoch(self, chosen: torch.Tensor, rates: Sequence[float]) -> Iterator[None]:
        """Make the steps of an epoch; yields after each.

        Args:
            chosen: rows of the training part for every step, int64 (steps, batch), on the device.
            rates: of every step.
        """
        side = self.step.training.pixels.shape[-1]
        for rows, rate in zip(chosen, rates, strict=True):
            for group in self.step.update.param_groups:
                group["lr"] = rate
            drawn = self.step.augment.draw(len(rows), side)
            self.step(rows, Drawn(*(part.to(self.step.device) for part in drawn)))
            yield


@cache
def drawers() -> ThreadPoolExecutor:
    """Threads that draw chance ahead, shared by all trainings of a process."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="draw")


def drawn_ahead(augment: Augmenter, lengths: Sequence[int], batch: int, side: int) -> Iterator[Drawn]:
    """Chance for chunks of steps, each drawn by another thread while the chunk before is used.

    Args:
        augment: drawn from in the order of the chunks.
        lengths: steps of every chunk.
        batch: images a step.
        side: of the images.

    Yields:
        What `Augmenter.draw` gives, stacked: (steps, batch, ...).
    """

    def draw(steps: int) -> Drawn:
        rows = [augment.draw(batch, side) for _ in range(steps)]
        return Drawn(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    coming = None
    for number, steps in enumerate(lengths):
        ready = coming.result() if coming else draw(steps)
        coming = drawers().submit(draw, lengths[number + 1]) if number + 1 < len(lengths) else None
        yield ready


class Recorded:
    """Steps that need nothing of the host; on a GPU recorded as a CUDA graph once and replayed.

    Elsewhere the same step is called: what it does can be tested without a GPU.

    Args:
        step: with a tensor on its device as its rate.
        rate: that tensor.
        epochs: of the whole training.
        per_epoch: steps of an epoch.
        batch: images a step.
    """

    def __init__(self, step: Step, rate: torch.Tensor, epochs: int, per_epoch: int, batch: int) -> None:
        self.step, self.rate, self.per_epoch = step, rate, per_epoch
        side, device = step.training.pixels.shape[-1], step.device
        row = batch * side**2 * 4 if step.recipe.augment.noise > 0 else batch
        self.chunk = max(1, min(LONGEST_CHUNK, per_epoch, CHUNK_BYTES // row))
        lengths = [min(self.chunk, per_epoch - first) for first in range(0, per_epoch, self.chunk)]
        self._drawn = drawn_ahead(step.augment, lengths * epochs, batch, side)
        self._here: list[torch.Tensor] = []
        self._next = torch.zeros(1, dtype=torch.int64, device=device)
        self._warm = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.refused = ""
        """Why it could not be recorded; empty where it was, or was not tried."""

    def epoch(self, chosen: torch.Tensor, rates: Sequence[float]) -> Iterator[None]:
        """See `Called.epoch`."""
        for first in range(0, self.per_epoch, self.chunk):
            rows = chosen[first : first + self.chunk]
            self._load([rows, torch.tensor(rates[first : first + self.chunk]), *next(self._drawn)])
            for _ in range(len(rows)):
                self._advance()
                yield

    def _load(self, parts: Sequence[torch.Tensor]) -> None:
        """Bring what the next chunk needs into the places that the recorded step reads."""
        if not self._here:
            self._here = [part.new_zeros((self.chunk, *part.shape[1:]), device=self.step.device) for part in parts]
        for place, part in zip(self._here, parts, strict=True):
            source = part.pin_memory() if self.step.device.type == "cuda" and part.device.type == "cpu" else part
            place[: len(part)].copy_(source, non_blocking=True)
        self._next.zero_()

    def body(self) -> None:
        """One step from the device's counter on; what is recorded."""
        chosen, rate, *drawn = (part.index_select(0, self._next)[0] for part in self._here)
        self.rate.copy_(rate)
        self.step(chosen, Drawn(*drawn))
        self._next += 1

    def _advance(self) -> None:
        if self.graph is None and not self.refused and self._warm >= WARM and self.step.device.type == "cuda":
            self._record()
        if self.graph is not None:
            self.graph.replay()
        else:
            self.body()
            self._warm += 1

    def _record(self) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
                self.body()
        except RuntimeError as error:  # the network waits for the device, or a kernel cannot be recorded
            self.refused = reason(error)
            return
        self.graph = graph


def steps_of(
    model: nn.Module,
    training: Images,
    recipe: Recipe,
    normalise: Normaliser,
    seed: int,
    epochs: int,
    record: bool,
    plain: bool = False,
) -> Called | Recorded:
    """The steps of one training.

    Args:
        model: on the training device, in the memory format.
        training: its images.
        recipe: the track's.
        normalise: the submission's normalisation, and the memory format.
        seed: of the augmentation.
        epochs: of the training.
        record: whether a step needs nothing of the host, and is recorded where there is a GPU.
        plain: whether the network is one of timm's own, see `faster_layers`.
    """
    augment = Augmenter(recipe.augment, seed)
    if not record:
        return Called(Step(model, training, recipe, normalise, augment, plain=plain))
    rate = torch.full((), recipe.lr, device=training.pixels.device)
    batch = min(recipe.batch_size, len(training.pixels))
    step = Step(model, training, recipe, normalise, augment, rate, plain)
    return Recorded(step, rate, epochs, len(training.pixels) // batch, batch)


def state(steps: Called | Recorded) -> dict[str, Any]:
    """How the steps were made, for the record."""
    own = "own, fused" if steps.step.plain else "own"
    layers, form = own if steps.step.faster else "library", steps.step.normalise.memory_format
    made: dict[str, Any] = {"steps": "called", "layers": layers, "memory_format": form}
    if isinstance(steps, Recorded):
        made |= {"steps": "recorded" if steps.graph is not None else "called", "not_recorded": steps.refused or None}
    return made
