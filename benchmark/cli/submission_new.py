"""`karyobench submission new`: from a few answers to a folder, and what its network will take."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import Json, bar, duration, emit, note, say
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.drafting import Answers
    from benchmark.preview import Preview

DEADLINE = 300.0


def new(
    name: Annotated[str | None, typer.Argument(help="Name of the submission and of its folder.")] = None,
    timm: Annotated[str | None, typer.Option(metavar="ARCH", help="An architecture of timm.")] = None,
    factory: Annotated[bool, typer.Option("--factory", help="Your own code: writes a model.py that works.")] = False,
    code: Annotated[Path | None, typer.Option(metavar="FILE", help="Your own code: copied as model.py.")] = None,
    title: Annotated[str | None, typer.Option(help="Name for people; default: NAME.")] = None,
    paper: Annotated[str | None, typer.Option(help="Address of the paper.")] = None,
    license: Annotated[str | None, typer.Option(help="SPDX expression; default: timm's, or MIT.")] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="OWNER/REPOSITORY", help="Weights of yours on the hub.")
    ] = None,
    trained_on: Annotated[str | None, typer.Option(help="All data that these weights saw: imagenet-1k.")] = None,
    source: Annotated[str | None, typer.Option(help="Address that describes how they were trained.")] = None,
    classifier: Annotated[str | None, typer.Option(help="Layer of your model not taken from these weights.")] = None,
    directory: Annotated[Path, typer.Option(help="Where the folder is made.")] = Path("submissions"),
    track: Annotated[str, typer.Option("--track", "-t", help="For which memory and time are told.")] = "pocket",
    sandbox: Annotated[str, typer.Option(help="Where its code runs: auto, docker, process.")] = "auto",
    build: Annotated[bool, typer.Option("--build/--no-build", help="Build the model once.")] = True,
    json: Json = False,
) -> None:
    """Start a submission: write its folder, build the model once, and say what it will take.

    What no option says is asked for, where there is a terminal.

    Examples: karyobench submission new my-net --factory
              karyobench submission new my-resnet --timm resnet18 --track paper
    """
    from benchmark import submission as submissions
    from benchmark import track as tracks
    from benchmark.drafting import Answers, draft

    chosen = tracks.load(track)
    given = Answers(name or "", timm, title, paper or "", license, code, weights, trained_on, source, classifier)
    answers = _asked(given, factory)
    folder = draft(answers, directory)
    item = submissions.load(folder)
    if not json:
        say(f"{folder}")
    if answers.timm is not None and item.spec.weights is None:
        note(f"timm has no weights of {answers.timm} from ImageNet-1k alone: only protocols from scratch can run")
    if build:
        found = _built(item.folder, chosen.name if track in tracks.names() else track, sandbox)
        if json:
            emit({"folder": str(folder), **found.plain()})
        else:
            show(found)
    elif json:
        emit({"folder": str(folder)})
    note(f"Next: karyobench submission check {folder}")


def _asked(given: Answers, factory: bool) -> Answers:
    """The answers, completed by questions; without a terminal what is missing is an error."""
    from benchmark.submission import NO_PAPER

    kinds = (given.timm is not None) + factory + (given.code is not None)
    if kinds > 1 or (kinds == 0 and not terminal()):
        raise InputError("needs exactly one of --timm ARCH, --factory and --code FILE", field="--timm")
    if not given.name and not terminal():
        raise InputError("needs a name", field="NAME", hint="Run: karyobench submission new NAME --factory")
    answers = given._replace(name=given.name or _question("Name of the submission, such as my-net"))
    if not kinds:
        answers = answers._replace(timm=_question("Architecture of timm (nothing: your own model.py)", "") or None)
    if not terminal():
        return answers._replace(paper=given.paper or NO_PAPER)
    title = given.title or _question("Title for people", answers.name)
    return answers._replace(title=title, paper=given.paper or _question("Address of the paper", NO_PAPER))


def terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def _question(text: str, default: str | None = None) -> str:
    answer: str = typer.prompt(text, default=default, show_default=bool(default), err=True)
    return answer.strip()


def _built(folder: Path, track: str, sandbox: str) -> Preview:
    from benchmark import submission as submissions
    from benchmark import track as tracks
    from benchmark.checking.place import choose
    from benchmark.errors import KaryoError
    from benchmark.preview import preview

    place, warning = choose(sandbox)
    if warning:
        note(f"warning: {warning}")
    try:
        with bar("building", "models") as progress:
            progress(0, 1)
            found = preview(submissions.load(folder), tracks.load(track), place, DEADLINE)
            progress(1, 1)
            return found
    except KaryoError:
        note(f"{folder} was written and stays; mend it and run: karyobench submission check {folder}")
        raise
    finally:
        place.close()


def show(found: Preview) -> None:
    """Print what a submission will take."""
    from benchmark.cli.plan import described

    place = f"{found.image_size} x {found.image_size} pixels"
    say(f"parameters: {found.parameters:,}")
    count = "not countable" if found.multiply_adds is None else f"{found.multiply_adds / 1e6:,.1f} million"
    say(f"multiply-adds: {count} for one image of {place}")
    what = "the whole process" if found.how == "measured" else "weights, gradients, AdamW and activations alone"
    say(
        f"memory: {found.memory / 2**30:.2f} GiB at the batch of {found.batch} of track {found.track}, {found.how} ({what})"
    )
    say(f"one training: up to {duration(found.longest)} ({found.how}, one processor thread of this machine)")
    say(f"track {found.track}: {found.units} trainings")
    for line in described(found.cost):
        say(f"  {line}")
