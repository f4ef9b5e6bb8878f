"""Faults on real nodes: what the workers of a Ray cluster run in these tests, and a head as a program of its own.

Everything is the product's but the training, which is a few lines of numpy that write down when they start and
end, and do what a file named after the unit tells them: `kill` their process, be `skewed` by an hour, `fail` as a model
does, `break` as a machine does, or wait while there is a file `hold`.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np
from safetensors.numpy import save_file

import benchmark.engine.ray
import benchmark.remote
import benchmark.remote.head
from benchmark import protocol as protocols
from benchmark import track as tracks
from benchmark.artefacts import Artefacts
from benchmark.campaign import Campaign
from benchmark.engine import Options
from benchmark.engine.schedule import Policy
from benchmark.job import Job
from benchmark.plan import Unit
from benchmark.protocol import SOURCE, TARGET, Protocol
from benchmark.remote import cache
from benchmark.sandbox import SANDBOXES, Limits, Outcome, ProcessSandbox, Sandbox
from benchmark.submission import Spec, Submission, load
from benchmark.track import Track

BOOK = "KARYOBENCH_TEST_BOOK"
"""Variable: folder in which trainings are written down and faults are told."""

BEAT = 0.3
DEADLINE = 90.0
TWO_STAGES = Protocol("two-stages", "random", (SOURCE, TARGET), False, "both stains, without any weights")
SKEW = 3600.0


class Book:
    """One test's folder: what was trained, and what is to go wrong.

    Args:
        folder: named after the store, so that tests on one cluster do not meet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, address: str) -> Book:
        return cls(Path(os.environ[BOOK]) / hashlib.sha256(address.encode()).hexdigest()[:16])

    def write(self, what: str, key: str) -> None:
        with (self.folder / "book").open("a") as file:
            file.write(f"{what} {key} {os.getpid()} {os.environ.get('TEST_NODE', '')}\n")

    def lines(self) -> list[list[str]]:
        path = self.folder / "book"
        return [line.split() for line in path.read_text().splitlines()] if path.is_file() else []

    def count(self, what: str, key: str | None = None) -> int:
        return sum(line[0] == what and key in (None, line[1]) for line in self.lines())

    def tell(self, fault: str, key: str = "all") -> Path:
        path = self.folder / f"{fault}-{key}"
        path.touch()
        return path

    def told(self, fault: str, key: str) -> Path | None:
        return next((p for k in (key, "all") if (p := self.folder / f"{fault}-{k}").exists()), None)

    def wait(self, what: str, key: str | None = None, count: int = 1) -> None:
        until = time.monotonic() + DEADLINE
        while self.count(what, key) < count:
            assert time.monotonic() < until, f"no {count} x {what} {key}: {self.lines()}"
            time.sleep(0.02)


class Simulated(Sandbox):
    """Distances to the mean image of each class, moved by what the unit starts from."""

    name: ClassVar[str] = "simulated"
    book: ClassVar[Book]

    def run(self, inputs: Path, output: Path, limits: Limits, report: Any) -> Outcome:
        job = Job.model_validate_json((inputs / "job.json").read_text())
        self.book.write("start", job.key)
        if path := self.book.told("kill", job.key):
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        until = time.monotonic() + DEADLINE
        while self.book.told("hold-then-kill", job.key) and time.monotonic() < until:
            time.sleep(0.02)
        if self.book.told("killer", job.key):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.book.told("fail", job.key):
            return Outcome("model-failure", "nan", "the loss is not a finite number")
        if path := self.book.told("break", job.key):
            path.unlink()
            return Outcome("infrastructure", "disk", "no space left")
        report({"epoch": 1, "epochs": job.epochs})
        until = time.monotonic() + DEADLINE
        while self.book.told("hold", job.key) and time.monotonic() < until:
            time.sleep(0.02)
        train, labels, test = (np.load(inputs / f"{n}.npy").astype(float) for n in ("train", "train_labels", "test"))
        means = np.stack([train[labels == c].mean(0).ravel() for c in range(job.classes)])
        start = inputs / "start.safetensors"
        bias = job.seed % 5 + (sum(start.read_bytes()) % 7 if start.is_file() else 0)
        logits = -((test.reshape(len(test), 1, -1) - means) ** 2).mean(-1) / 100 + bias
        np.save(output / "logits.npy", logits.astype(np.float32))
        save_file({"means": (means + job.seed % 11 + bias).astype(np.float32)}, output / "model.safetensors")
        (output / "log.jsonl").write_text("".join(f'{{"epoch": {n + 1}}}\n' for n in range(job.epochs)))
        (output / "environment.json").write_text(json.dumps({"gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}))
        self.book.write("end", job.key)
        return Outcome("finished", seconds=1.5, peak_bytes=10)


class Sharing(Simulated):
    """The same, where units share a process."""

    name: ClassVar[str] = "sharing"

    def shares(self, device: str, code: bool) -> bool:
        return True


class Turns(ProcessSandbox):
    """The product's own, with units that take turns on a processor; `kill` ends the process in which they do so, once it
    has as many as the file says."""

    book: ClassVar[Book]

    def __init__(self) -> None:
        super().__init__(share=True)

    def run(self, inputs: Path, output: Path, limits: Limits, report: Any) -> Outcome:
        key = Job.model_validate_json((inputs / "job.json").read_text()).key
        self.book.write("start", key)

        def told(line: dict[str, Any]) -> None:
            if path := self.book.told("kill", key):
                [trainer] = self._trainers.running.values()
                until = time.monotonic() + DEADLINE
                while len(trainer._answers) < int(path.read_text() or 1) and time.monotonic() < until:
                    time.sleep(0.02)
                path.unlink()
                os.kill(trainer.process.pid, signal.SIGKILL)
            report(line)

        outcome = super().run(inputs, output, limits, told)
        self.book.write(f"beside-{outcome.details.get('beside')}", key)
        return outcome


def plain_submission() -> Submission:
    """A small network of timm's, without code."""
    spec = {
        "name": "small-net", "title": "Small", "paper": "https://example.org", "license": "MIT",
        "model": {"timm": "test_efficientnet", "image_size": {"min": 16}, "mean": [0.5] * 3, "std": [0.5] * 3},
    }  # fmt: skip
    return Submission(Spec.model_validate(spec), Path("small-net"), ())


@contextlib.contextmanager
def skewed(seconds: float) -> Any:
    """The wall clock of this process goes wrong; its monotonic clock does not."""
    real, now = time.time, datetime.datetime

    def wrong() -> float:
        return real() + seconds

    class Wrong(now):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) + datetime.timedelta(seconds=seconds)

    with mock.patch("time.time", wrong), mock.patch("datetime.datetime", Wrong):
        yield


def execute(address: str, kit: str, unit: Unit) -> dict[str, Any]:
    """`remote.execute` on a node with a disk of its own."""
    import ray

    SANDBOXES.update(simulated=Simulated, sharing=Sharing)
    Simulated.book = Turns.book = book = Book.of(address)
    identity = ray.get_runtime_context().get_node_id()
    os.environ["TEST_NODE"] = identity
    os.environ[cache.FOLDER] = str(book.folder / "nodes" / identity)
    with skewed(SKEW) if book.told("skew", unit.key) else contextlib.nullcontext():
        return benchmark.remote.execute(address, kit, unit)


def execute_in_turns(address: str, kit: str, unit: Unit) -> dict[str, Any]:
    """The same with real trainings, on a processor."""
    SANDBOXES["process"] = Turns
    return execute(address, kit, unit)


def quick() -> Any:
    """The product with a shorter scale of time, and the execute above."""
    stack = contextlib.ExitStack()
    for patch in (
        mock.patch.object(benchmark.engine.ray, "POLICY", Policy(pause=0.1, taken=0.5)),
        mock.patch.object(benchmark.remote.head, "execute", execute),
        mock.patch.object(benchmark.remote, "pack", functools.partial(benchmark.remote.pack, beat=BEAT)),
        mock.patch.dict(SANDBOXES, {"simulated": Simulated, "sharing": Sharing}),
        mock.patch.dict(protocols.PROTOCOLS, {TWO_STAGES.name: TWO_STAGES}),
    ):
        stack.enter_context(patch)
    return stack


def campaign_of(workspace: Path, track: Track, submission: Submission, store: str | None) -> Campaign:
    return Campaign(workspace, track, [submission], artefacts=Artefacts(store) if store else None)


def run(campaign: Campaign, address: str | None, engine: str = "ray", pack: int | None = None, **options: Any) -> Any:
    """Both stains in a row towards each, and each alone, in two folds: eight units; in packs, one of them a node."""
    with quick():
        plan = campaign.plan(["scratch", "two-stages"], None, [0, 1])
        units = campaign.todo(plan, **options)
        how = Options(address=address, pack=pack, gpus=2.0) if pack else Options(address=address)
        sandbox = "sharing" if pack else "simulated"
        return campaign.run(units, lambda unit, line: None, sandbox=sandbox, engine=engine, options=how)


def main(workspace: str, track: str, submission: str, store: str, address: str, pack: str = "") -> None:
    """A head as a program."""
    campaign = campaign_of(Path(workspace), tracks.load(track), load(submission), store)
    run(campaign, address, pack=int(pack) if pack else None)
