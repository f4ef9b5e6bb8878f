"""In which memory format a submission trains faster on this machine: measured once, kept in the workspace.

Before a workspace's first longer training of a submission on a device, a probe takes a few steps of its model in each format, in
the sandbox. The channels innermost are the rule; a network that is faster contiguous, by a margin and in every one of several rounds, trains
so from then on. Every record says what was chosen, and a reproduction follows its record instead of a clock.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from benchmark.data.manifest import CLASSES
from benchmark.files import digest, disk_errors, write_json
from benchmark.job import FORMATS, PROBE, USUAL, Formats, MemoryFormat, Probe
from benchmark.machine import cpu_name, gpu_names
from benchmark.records import Record
from benchmark.sandbox import Limits, Outcome, Sandbox
from benchmark.sandbox.outputs import BadOutputError, regular
from benchmark.submission import Submission
from benchmark.track import Track

NAME = "memory-formats"

FEW = 250
"""Steps below which a training is not worth a probe, and is channels last."""

SHARE = 0.1
"""A probe may take this share of the time that a unit of the track may take."""

MAX_FORMATS = 1 << 14


class Choice(NamedTuple):
    """What a probe led to.

    Attributes:
        memory_format: to train in.
        lasting: whether asking again on this machine would not help.
        why: what was seen, as plain data.
    """

    memory_format: MemoryFormat
    lasting: bool
    why: dict[str, Any]


def recorded(record: Record) -> MemoryFormat:
    """In which format a record's training was made; those from before it was recorded are channels last."""
    return "contiguous" if (record.get("environment") or {}).get("memory_format") == "contiguous" else USUAL


class MemoryFormats:
    """The formats of one workspace, in its `memory-formats.json`; a file that cannot be read counts as empty.

    Args:
        workspace: its folder.
    """

    def __init__(self, workspace: Path) -> None:
        self.path, self.work = workspace / f"{NAME}.json", workspace / "work"

    def _kept(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return {part: dict(found.get(part) or {}) for part in ("units", "measured")}
        except (OSError, ValueError, TypeError, AttributeError):
            return {"units": {}, "measured": {}}

    def follow(self, units: Mapping[str, MemoryFormat]) -> None:
        """Have units, by key, trained in given formats, whatever is faster here."""
        with self._held():
            kept = self._kept()
            write_json(self.path, {**kept, "units": {**kept["units"], **units}})

    def choose(
        self, key: str, steps: int, submission: Submission, track: Track, sandbox: Sandbox, device: str, threads: int
    ) -> MemoryFormat:
        """The format for a unit; runs a probe where none is known.

        Args:
            key: of the unit.
            steps: of its training.
            submission: whose model and code.
            track: its recipe and size.
            sandbox: where the probe runs.
            device: `cpu`, `cuda` or `cuda:N`.
            threads: processor threads.
        """
        known = self._kept()["units"].get(key)
        if known is not None or steps < FEW:
            return "contiguous" if known == "contiguous" else USUAL
        about = {
            "submission": submission.name, "model": submission.digest, "image_size": track.preprocess.size,
            "batch_size": track.recipe.batch_size, "precision": track.recipe.precision, "device": device,
            "threads": threads, "processor": cpu_name(), "gpus": gpu_names() if device != "cpu" else [],
        }  # fmt: skip
        name = digest(about)[:16]
        with self._held():
            measured = self._kept()["measured"].get(name)
            if isinstance(measured, dict):
                return "contiguous" if measured.get("choice") == "contiguous" else USUAL
            found = self._probe(submission, track, sandbox, device, threads)
            if found.lasting:
                kept = self._kept()
                line = {**about, "choice": found.memory_format, **found.why}
                write_json(self.path, {**kept, "measured": {**kept["measured"], name: line}})
        return found.memory_format

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One at a time, also of other harnesses on this workspace: a probe is not timed beside another."""
        with disk_errors(self.work):
            self.work.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.work / f"{NAME}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _probe(self, submission: Submission, track: Track, sandbox: Sandbox, device: str, threads: int) -> Choice:
        folder = self.work / f"{NAME}.{os.getpid()}"  # swept like what a killed unit leaves
        inputs, output = folder / "inputs", folder / "output"
        asked = Probe(
            model=submission.spec.model.model_dump(mode="json"), classes=len(CLASSES), image_size=track.preprocess.size,
            recipe=track.recipe, device=sandbox.inside(device), threads=threads,
        )  # fmt: skip
        try:
            with disk_errors(folder):
                shutil.rmtree(folder, ignore_errors=True)
                (inputs / "code").mkdir(parents=True)
                output.mkdir()
                write_json(inputs / PROBE, asked.model_dump(mode="json"))
                for path in submission.code:
                    shutil.copyfile(path, inputs / "code" / path.name)
            outcome = sandbox.run(inputs, output, Limits(SHARE * track.timeout, threads, device), lambda line: None)
            return _choice(outcome, output)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _choice(outcome: Outcome, output: Path) -> Choice:
    """What a probe's end means; the file was written beside submitted code, which can do no more by it than train more slowly."""
    if outcome.status == "infrastructure":  # the unit's own training will say so, if it lasts
        return Choice(USUAL, False, {})
    if outcome.status == "model-failure":
        said = (outcome.message.splitlines() or ["without a word"])[0]
        return Choice(USUAL, True, {"failed": f"{outcome.kind}: {said}"[:500]})
    try:
        regular(output / FORMATS, MAX_FORMATS)
        found = Formats.model_validate_json((output / FORMATS).read_bytes())
    except (BadOutputError, ValidationError, OSError) as error:
        return Choice(USUAL, True, {"failed": f"no readable answer: {type(error).__name__}"})
    return Choice(found.choice, True, {"seconds_a_step": found.model_dump(mode="json")["rounds"]})
