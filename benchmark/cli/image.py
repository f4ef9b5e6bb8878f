"""`karyobench image`: build, check and list the image in which submitted code runs."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.common import Json, emit, note, say, table

app = typer.Typer(help="The image of the docker sandbox: build, check, list.", no_args_is_help=True)


@app.command()
def build(
    base: Annotated[
        str | None, typer.Option(help="Image with torch and torchvision to build on; default: the Dockerfile's.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Name of the image; default: made of version and sources.")] = None,
    json: Json = False,
) -> None:
    """Build the image; quick where nothing changed.

    Pip's settings (PIP_INDEX_URL and the like) and KARYOBENCH_BUILD_NETWORK are taken from the environment for the
    build and are not kept in the image.

    Example: karyobench image build
    """
    from benchmark.sandbox import image

    built = image.build(base, tag=tag, say=note)
    if json:
        emit(built._asdict())
    else:
        say(f"{built.tag}  {built.id}  {gigabytes(built.size)}, on {built.base}")


@app.command()
def check(
    reference: Annotated[str | None, typer.Argument(metavar="IMAGE", help="Tag or id; default: the newest.")] = None,
    json: Json = False,
) -> None:
    """Check that an image fits these sources, is closed, holds no labels, and that torch works in it.

    Exits 3 when something is wrong.

    Example: karyobench image check
    """
    from benchmark.errors import IntegrityError
    from benchmark.sandbox import image
    from benchmark.sandbox.image_check import check as find

    found = image.get(reference) if reference else image.newest()
    findings = find(found.id)
    if json:
        emit({"image": found._asdict(), "findings": [finding._asdict() for finding in findings]})
    else:
        rows = [("ok" if f.ok else "wrong", f.what, f.found, "" if f.ok else f.advice) for f in findings]
        say(table(rows, ("", "what", "found", "what to do")))
    wrong = [finding for finding in findings if not finding.ok]
    if wrong:
        raise IntegrityError(f"{len(wrong)} of {len(findings)} checks failed: {', '.join(f.what for f in wrong)}",
                             file=found.tag, hint=wrong[0].advice)  # fmt: skip


@app.command("list")
def list_(json: Json = False) -> None:
    """List the images that this machine's docker has, newest first, and which of them fit these sources.

    Example: karyobench image list
    """
    from benchmark.sandbox import image
    from benchmark.sandbox.context import worker_hash

    found, wanted = image.images(), worker_hash()
    if json:
        emit([{**one._asdict(), "stale": one.worker != wanted} for one in found])
        return
    rows = [
        (one.tag, one.id.removeprefix("sha256:")[:12], one.version, one.base, "yes" if one.requirements else "no",
         "stale" if one.worker != wanted else "fits", gigabytes(one.size), one.created[:16])
        for one in found
    ]  # fmt: skip
    say(table(rows, ("image", "id", "version", "base", "extra packages", "sources", "size", "created")))


def gigabytes(size: int) -> str:
    """`2.8 GB`."""
    return f"{size / 1e9:.1f} GB"
