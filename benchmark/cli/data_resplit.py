"""`karyobench data resplit`: the images of a data set with other folds, to measure what a careless split flatters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Workspace, bar, say


def resplit(
    name: Annotated[str, typer.Argument(help="An imported dataset whose folds keep cells or people whole.")],
    new: Annotated[str, typer.Argument(help="What the new one is called: lower case, digits and hyphens.")],
    by: Annotated[
        str, typer.Option("--by", help="image, or cell where the folds of NAME keep people whole.")
    ] = "image",
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other folds.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make a dataset of the very images of another one, with folds that leak: by image, or by cell.

    It is for measuring how much such folds flatter a score, and for nothing else: its audit fails, as it must. It stays in
    the workspace. See docs/leakage.md.

    Example: karyobench data resplit bioimlab-q bioimlab-q-random --by image
    """
    from benchmark.data import resplit as splitting
    from benchmark.data.store import Store

    @contextmanager
    def drawing() -> Iterator[None]:
        with bar("drawing folds", "steps") as progress:
            progress(0, 1)
            yield
            progress(1, 1)

    made, crossing = splitting.resplit(Store(workspace), name, new, by, seed, drawing)
    offender = crossing.offenders[0]
    say(
        f"{new}: the {len(made.manifest):,} images of {name} in five folds by {by}; they are in {workspace} and stay there\n\n"
        f"This split leaks, which is what it is for: {crossing.count:,} images are of a cell or a person on both sides of a split "
        f"(the first: {offender}).\nSo karyobench data audit {new} fails its check '{crossing.name}' and exits 3. Scores on {new} "
        f"rank nobody; hold them against those on {name}:\n\n"
        f"  karyobench run SUBMISSION --target {name} --target {new} -p imagenet\n  karyobench insight leakage {name} {new}"
    )
