"""One unit, inside its sandbox: reads the inputs folder, trains, leaves its output behind.

Started as ``python -m benchmark.start_worker INPUTS OUTPUT``. It sees no test label and
computes no score: whatever it prints or writes beyond the agreed files is ignored outside.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
import warnings
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
from benchmark.job import MACHINE_FAILED, MODEL_FAILED, Failure, Job
from benchmark.training.environment import describe, make_deterministic, pick_device
from benchmark.training.loop import DivergedError, Images, train
from benchmark.training.model import build
from benchmark.training.predict import Normaliser, logits
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
        load_imagenet(model, inputs / str(job.start.file), job.start.layout)
    elif job.start.kind == "checkpoint":
        model.load_state_dict(load_file(inputs / str(job.start.file)), strict=True)
    return model.to(device)


def save_model(model: nn.Module, path: Path) -> None:
    """Write the weights; tensors that share memory are written each on its own."""
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, path)


def run(job: Job, inputs: Path, output: Path, device: torch.device) -> None:
    """Train one unit.

    Raises:
        DivergedError: when the training diverged.
        InputError: when the submission's model is not usable.
    """
    make_deterministic(job.seed, job.threads)
    model = start_model(job, inputs, device)
    normalise = Normaliser(tuple(job.model["mean"]), tuple(job.model["std"]), device)
    torch.manual_seed(job.seed)
    with warnings.catch_warnings(record=True) as caught, (output / "log.jsonl").open("w") as log:
        warnings.simplefilter("always")

        def report(line: dict[str, Any]) -> None:
            log.write(json.dumps(line) + "\n")
            log.flush()

        parts = load_part(inputs, "train", device), load_part(inputs, "validation", device)
        model = train(model, *parts, job.recipe, job.epochs, job.seed, normalise, report)
    test = torch.from_numpy(np.load(inputs / "test.npy", allow_pickle=False)).to(device)
    scores = logits(model, test, normalise, job.recipe.batch_size, job.recipe.precision)
    if not np.isfinite(scores).all():
        raise DivergedError(job.epochs)
    save_model(model, output / "model.safetensors")
    named = sorted({str(w.message).splitlines()[0] for w in caught if "deterministic" in str(w.message)})
    (output / "environment.json").write_text(json.dumps(describe(device, named, model), indent=1))
    save_array(output / "logits.npy", scores)


def disk_failed(error: Exception) -> bool:
    """Whether an error is the disk's; safetensors has its own kind that only says so in words."""
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
    named = isinstance(error, SafetensorError) and "No space left" in str(error)
    return named or (isinstance(error, OSError) and error.errno in numbers)


def main(arguments: list[str]) -> int:
    """Run and turn a model's failure into `failure.json` and its exit code."""
    inputs, output = Path(arguments[0]), Path(arguments[1])
    keep_memory()
    try:
        job = Job.model_validate_json((inputs / "job.json").read_text())
    except (OSError, ValueError) as error:
        print(f"the job cannot be read: {error}", file=sys.stderr)
        return MACHINE_FAILED
    try:
        device = pick_device(job.device)
    except InputError as error:
        print(error, file=sys.stderr)
        return MACHINE_FAILED
    try:
        run(job, inputs, output, device)
        return 0
    except DivergedError as error:
        failure = Failure(kind="nan", message=str(error), epoch=error.epoch)
    except (MemoryError, torch.OutOfMemoryError) as error:
        failure = Failure(kind="out-of-memory", message=str(error)[:2000] or "out of memory")
    except InputError as error:
        failure = Failure(kind="bad-model", message=str(error)[:2000])
    except Exception as error:  # whatever the submission's code raises is the submission's result
        traceback.print_exc()
        if disk_failed(error):
            return MACHINE_FAILED
        failure = Failure(kind="error", message=f"{type(error).__name__}: {error}"[:2000])
    (output / "failure.json").write_text(failure.model_dump_json())
    return MODEL_FAILED
