"""One unit, inside its sandbox: reads the inputs folder, trains, leaves its output behind.

Started as ``python -m benchmark.start_worker INPUTS OUTPUT``. It sees no test label and
computes no score: whatever it prints or writes beyond the agreed files is ignored outside.
A unit is a sequence of short pieces of work, so that several can take turns on one GPU: see `benchmark.training.shared`.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from benchmark.allocator import keep_memory
from benchmark.errors import InputError
from benchmark.files import save_array
from benchmark.job import MACHINE_FAILED, MODEL_FAILED, PROBE, REHEARSAL, Failure, Job, Probe, Rehearsal
from benchmark.training.chance import Chance
from benchmark.training.environment import describe, make_deterministic, pick_device
from benchmark.training.formats import probe_while
from benchmark.training.kernels import loops
from benchmark.training.loop import DivergedError, train_while
from benchmark.training.model import build
from benchmark.training.predict import Normaliser, logits_while
from benchmark.training.rehearsal import rehearse_while
from benchmark.training.step import Images
from benchmark.training.weights import load_imagenet


def load_part(inputs: Path, part: str, device: torch.device) -> Images:
    """Labelled images of one part, on the device."""
    pixels = np.load(inputs / f"{part}.npy", allow_pickle=False)
    labels = np.load(inputs / f"{part}_labels.npy", allow_pickle=False)
    return Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device))


def start_model(job: Job, inputs: Path, device: torch.device) -> nn.Module:
    """Build the model and give it the weights it starts from."""
    model = build(job.model, inputs / "code", num_classes=job.classes, in_chans=3, img_size=job.image_size)
    if job.start.kind == "imagenet":
        load_imagenet(model, inputs / str(job.start.file), job.start.layout, job.start.classifier)
    elif job.start.kind == "checkpoint":
        model.load_state_dict(load_file(inputs / str(job.start.file)), strict=True)
    return model.to(device)


def save_model(model: nn.Module, path: Path) -> None:
    """Write the weights; tensors that share memory are written each on its own."""
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, path)


def run_while(
    job: Job, inputs: Path, output: Path, device: torch.device, warned: list[str]
) -> Generator[None, None, None]:
    """Train one unit, with a pause after every step.

    Args:
        job: of the inputs folder.
        inputs: that folder.
        output: an empty folder.
        device: to train on.
        warned: texts of the warnings so far, kept by whoever goes on with this.

    Raises:
        DivergedError: when the training diverged.
        InputError: when the submission's model is not usable.
    """
    make_deterministic(job.seed, job.threads)
    model = start_model(job, inputs, device)
    normalise = Normaliser(tuple(job.model["mean"]), tuple(job.model["std"]), device, job.memory_format)
    torch.manual_seed(job.seed)
    plain = bool(job.model.get("timm"))  # no code of its own
    record = plain and device.type == "cuda"
    parts = load_part(inputs, "train", device), load_part(inputs, "validation", device)
    with (output / "log.jsonl").open("w") as log:

        def report(line: dict[str, Any]) -> None:
            log.write(json.dumps(line) + "\n")
            log.flush()

        trained = yield from train_while(
            model, *parts, job.recipe, job.epochs, job.seed, normalise, report, record=record, plain=plain
        )
    test = torch.from_numpy(np.load(inputs / "test.npy", allow_pickle=False)).to(device)
    scores = yield from logits_while(trained.forward, test, job.recipe.batch_size)
    if not np.isfinite(scores).all():
        raise DivergedError(job.epochs)
    save_model(model, output / "model.safetensors")
    named = sorted({text for text in warned if "deterministic" in text})
    (output / "environment.json").write_text(json.dumps(describe(device, named, model) | trained.how, indent=1))
    save_array(output / "logits.npy", scores)


def disk_failed(error: Exception) -> bool:
    """Whether an error is the disk's; safetensors has its own kind that only says so in words."""
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
    named = isinstance(error, SafetensorError) and "No space left" in str(error)
    return named or (isinstance(error, OSError) and error.errno in numbers)


class Work:
    """One unit under way.

    Args:
        inputs: its inputs folder.
        output: its output folder.
        alone: whether no other unit takes turns with it in this process.
    """

    def __init__(self, inputs: Path, output: Path, alone: bool = True) -> None:
        self.inputs, self.output, self.alone = inputs, output, alone
        self.code: int | None = None
        """Exit code, once it has ended."""
        self.failure: Failure | None = None
        """Why the model failed, if it did."""
        self.device = torch.device("cpu")
        self._around: list[Callable[[], AbstractContextManager[Any]]] = []
        self._warned: list[str] = []
        self._rest: Generator[None, None, None] | None = None

    def advance(self) -> bool:
        """Do the next piece; returns whether there is more. Turns a model's failure into `failure.json` and a code."""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self._rest = self._rest or self._begin()
                with ExitStack() as stack:
                    for surroundings in self._around:
                        stack.enter_context(surroundings())
                    next(self._rest)
        except StopIteration:
            self.code = 0
        except _MachineError as error:
            print(error, file=sys.stderr)
            self.code = MACHINE_FAILED
        except Exception as error:  # whatever the submission's code raises is the submission's result
            self._failed(error)
        finally:
            self._warned += [str(one.message).splitlines()[0] for one in caught]
        if self.code is not None and self._rest is not None:
            self._rest.close()
        return self.code is None

    def _begin(self) -> Generator[None, None, None]:
        if (self.inputs / REHEARSAL).is_file():
            asked = Rehearsal.model_validate_json((self.inputs / REHEARSAL).read_text())
            if asked.pace:
                _compile()
            return rehearse_while(asked, self.inputs, self.output)
        job = self._asked()
        try:
            self.device = pick_device(job.device)
        except InputError as error:
            raise _MachineError(str(error)) from error
        if self.device.type == "cpu":
            _compile()
        if self.device.type == "cuda":
            stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            self._around.append(lambda: torch.cuda.stream(stream))
        if not self.alone:
            self._around.append(Chance(self.device).mine)
        if isinstance(job, Probe):
            return probe_while(job, self.inputs, self.output, self.device)
        return run_while(job, self.inputs, self.output, self.device, self._warned)

    def _asked(self) -> Job | Probe:
        try:
            if (self.inputs / PROBE).is_file():
                return Probe.model_validate_json((self.inputs / PROBE).read_text())
            return Job.model_validate_json((self.inputs / "job.json").read_text())
        except (OSError, ValueError) as error:
            raise _MachineError(f"the job cannot be read: {error}") from error

    def _failed(self, error: Exception) -> None:
        if isinstance(error, DivergedError):
            self.failure = Failure(kind="nan", message=str(error), epoch=error.epoch)
        elif isinstance(error, MemoryError | torch.OutOfMemoryError):
            self.failure = Failure(kind="out-of-memory", message=str(error)[:2000] or "out of memory")
        elif isinstance(error, InputError):
            self.failure = Failure(kind="bad-model", message=str(error)[:2000])
        else:
            traceback.print_exception(error)
            if disk_failed(error):
                self.code = MACHINE_FAILED
                return
            self.failure = Failure(kind="error", message=f"{type(error).__name__}: {error}"[:2000])
        (self.output / "failure.json").write_text(self.failure.model_dump_json())
        self.code = MODEL_FAILED


class _MachineError(Exception):
    """The machine let the unit down before it began."""


def _compile() -> None:
    """Have the loops of a processor ready: what is wrong with them is not the submission's fault, nor its time."""
    try:
        loops()
    except Exception as error:
        raise _MachineError(f"the loops for a processor cannot be compiled: {error}") from error


def main(arguments: list[str]) -> int:
    """Run one unit to its end; returns its exit code."""
    keep_memory()
    work = Work(Path(arguments[0]), Path(arguments[1]))
    while work.advance():
        pass
    assert work.code is not None
    return work.code
