"""`karyobench insight sweep`: what one setting of a track does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, say
from benchmark.cli.insight_report import Output, write


def sweep(
    tracks: Annotated[
        list[str],
        typer.Argument(metavar="TRACK...", help="Two or more, which differ in one setting: names, or YAML files."),
    ],
    submission: Annotated[
        list[str] | None, typer.Option("--submission", "-s", help="Repeatable. Default: all that two of them trained.")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="Repeatable. Default: all that two of them trained.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Repeatable. Default: all that two of them trained.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="The track that others are held against: a name or a YAML file. Default: of the largest value.",
        ),
    ] = None,
    output: Output = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all resampling.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """What does one setting of a track do, as the size of the images? The same images by tracks that differ in that alone.

    From the stored predictions. Writes sweep-SETTING.json, .md, .svg and .png; see docs/sweep.md.

    Example: karyobench insight sweep size-32 pocket size-128 -p imagenet
    """
    from benchmark import track as known
    from benchmark.allocator import keep_memory
    from benchmark.insight.sweep.picture import picture
    from benchmark.insight.sweep.render import markdown
    from benchmark.insight.sweep.report import compare
    from benchmark.ledger import Ledger
    from benchmark.memo import Memo
    from benchmark.memo import default as memory
    from benchmark.results import Results

    keep_memory()

    def name_of(one: str) -> str:
        return known.load(one).name if Path(one).suffix in (".yaml", ".yml") else one

    names, reference = [name_of(one) for one in tracks], name_of(against) if against else None
    with Memo(memory()) as memo, bar("comparing tracks", "comparisons") as progress:
        results = Results(Ledger(workspace / "ledger"), memo=memo)
        report = compare(
            results, names, submission or (), protocol or (), target or (), reference, progress, seed=seed
        )  # fmt: skip
    folder, data, text = output or workspace / "insight", report.model_dump(mode="json"), markdown(report)
    name = f"sweep-{report.setting}"
    write(folder, name, data, text, picture(report))
    if json:
        emit(data)
        return
    say(text)
    say(f"wrote {folder / f'{name}.json'}, .md, .svg and .png")
