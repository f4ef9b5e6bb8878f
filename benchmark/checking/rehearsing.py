"""Steps that build the model and train one batch at each track's image size, in the sandbox and under a deadline."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from benchmark.checking.step import SkippedError, Step, Subject
from benchmark.data.manifest import CLASSES
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import write_json
from benchmark.job import FINDINGS, REHEARSAL, Findings, Rehearsal, Start
from benchmark.pretrained import Located
from benchmark.sandbox import Limits, Sandbox
from benchmark.sandbox.inputs import link
from benchmark.sandbox.outputs import BadOutputError, regular
from benchmark.submission import MARKER, Submission
from benchmark.track import Recipe, Track

MAX_FINDINGS = 1 << 20
MEMORY = 16 << 30
"""Bytes that a process may take for itself, where there is no container to hold it."""

SHOWN = 3


class Rehearsed(NamedTuple):
    """What was seen of a rehearsal.

    Attributes:
        findings: from inside.
        peak_bytes: largest memory of the whole process, from outside; None where it cannot be read.
    """

    findings: Findings
    peak_bytes: int | None


def rehearse(
    item: Submission,
    sandbox: Sandbox,
    folder: Path,
    image_size: int,
    *,
    seconds: float,
    located: Located | None = None,
    pace: Recipe | None = None,
) -> Rehearsed:
    """Build a submission's model, and train it on one batch of noise, in a sandbox.

    Args:
        item: the submission.
        sandbox: where its code runs.
        folder: where inputs and outputs may lie while it runs.
        image_size: side in pixels.
        seconds: after which it is ended.
        located: weights to load first.
        pace: recipe of which two steps are timed, too.

    Raises:
        InputError: when the model cannot be built or trained, as the sandbox saw it.
        InfrastructureError: when the machine failed.
    """
    inputs, output = folder / "inputs", folder / "output"
    for path in (inputs, output):
        shutil.rmtree(path, ignore_errors=True)
    (inputs / "code").mkdir(parents=True)
    output.mkdir()
    start = Start(kind="random")
    if located is not None:
        start = Start(
            kind="imagenet", file=f"start{located.path.suffix}", layout=located.layout, classifier=located.classifier
        )
        link(located.path, inputs / str(start.file))
    job = Rehearsal(
        model=item.spec.model.model_dump(mode="json"), classes=len(CLASSES), image_size=image_size, seed=0,
        start=start, pace=pace, threads=1, memory=MEMORY,
    )  # fmt: skip
    write_json(inputs / REHEARSAL, job.model_dump(mode="json"))
    for path in item.code:
        shutil.copyfile(path, inputs / "code" / path.name)
    outcome = sandbox.run(inputs, output, Limits(seconds, 1), lambda line: None)
    where = item.folder / MARKER
    if outcome.status == "infrastructure":
        raise InfrastructureError(f"{where}: {outcome.message}")
    if outcome.status == "model-failure":
        problem = first_line(outcome.message)
        text = problem if outcome.kind == "bad-model" else f"the model fails ({outcome.kind}): {problem}"
        raise InputError(text, file=where, hint=f"At {image_size} x {image_size} pixels")
    return Rehearsed(_read(output, where), outcome.peak_bytes)


def first_line(message: str) -> str:
    """Of what a sandbox says of a failure; below it stands what the code printed."""
    return (message.splitlines() or ["without a word"])[0]


def _read(output: Path, where: Path) -> Findings:
    """What the rehearsal wrote, believed as little as any output."""
    try:
        regular(output / FINDINGS, MAX_FINDINGS)
        return Findings.model_validate_json((output / FINDINGS).read_bytes())
    except BadOutputError as error:
        problem = "the model's process ended before it answered"
        raise InputError(problem, file=where, field="model", hint="Does its code call exit?") from error
    except (ValidationError, OSError) as error:
        raise InputError("the model's process left no readable answer", file=where, field="model") from error


def packages(subject: Subject) -> None:
    """Skip what needs packages that this sandbox does not install."""
    named = any(path.name == "requirements.txt" for path in subject.submission.code)
    if named and not subject.sandbox.installs:
        raise SkippedError(f"requirements.txt is installed in the container only, not by {subject.sandbox.name}")


def build(subject: Subject, track: Track) -> str:
    """Build, forward and backward at one track's size, twice from the same seed."""
    size = track.preprocess.size
    refusal = subject.submission.takes(size)
    if refusal:
        raise SkippedError(f"{refusal}: not on this track")
    packages(subject)
    found = rehearse(subject.submission, subject.sandbox, subject.folder, size, seconds=subject.seconds).findings
    where = subject.submission.folder / MARKER
    if not found.repeats:
        raise InputError("not deterministic: two trainings from the same seed differ", file=where, field="model")
    if not found.seeded:
        problem = "its initial weights do not depend on the seed"
        raise InputError(problem, file=where, field="model", hint="Does its code call torch.manual_seed?")
    subject.digests[size] = found.digest
    if len(subject.digests) == 1:
        _first(subject, found, size)
    per_image = f", {found.multiply_adds / 1e6:,.1f} M multiply-adds an image" if found.multiply_adds else ""
    return f"{size} x {size}: {found.parameters:,} parameters{per_image}, the same twice, other seeds differ"


def _first(subject: Subject, found: Findings, size: int) -> None:
    """Keep the figures of the smallest size, and warn of what is seen once."""
    subject.report.facts |= {
        "image_size": size, "parameters": found.parameters, "multiply_adds": found.multiply_adds,
        "seconds_a_pass": found.seconds,
    }  # fmt: skip
    if found.untouched:
        names = ", ".join(found.untouched[:SHOWN])
        subject.warn(f"{len(found.untouched)} parameters get no gradient: {names}")
    if found.printed:
        subject.warn(f"it prints while it is built or run: {found.printed!r}; nobody reads that")
    if found.network and subject.sandbox.name == "process":
        subject.warn("the kernel did not let its process be cut off from the network")


def again(subject: Subject) -> str:
    """The same in a fresh process, which must agree to the bit."""
    if not subject.digests:
        raise SkippedError("built at no size")
    item, size = subject.submission, min(subject.digests)
    found = rehearse(item, subject.sandbox, subject.folder, size, seconds=subject.seconds).findings
    if found.digest != subject.digests[size]:
        problem = "not deterministic: two processes with the same seed differ"
        raise InputError(problem, file=item.folder / MARKER, field="model")
    return f"{size} x {size}: two processes agree to the bit"


def loaded(subject: Subject) -> str:
    """Load the ImageNet weights, strictly, and run the model with them."""
    if subject.located is None:
        raise SkippedError("no weights here")
    if not subject.digests:
        raise SkippedError("built at no size")
    size = min(subject.digests)
    found = rehearse(
        subject.submission, subject.sandbox, subject.folder, size, seconds=subject.seconds, located=subject.located
    ).findings
    left = f", left out: {', '.join(found.dropped)}" if found.dropped else ""
    return f"{found.matched} tensors{left}"


def steps(tracks: Sequence[Track]) -> list[Step]:
    """A step for every track, and those that follow."""
    builds: list[Callable[[Subject], str]] = [partial(build, track=track) for track in tracks]
    names = [f"build {track.name}" for track in tracks]
    return [
        *(Step(name, run, ("folder",)) for name, run in zip(names, builds, strict=True)),
        Step("repeat", again, ("folder",)),
        Step("load weights", loaded, ("folder",)),
    ]
