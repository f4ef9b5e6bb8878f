"""`karyobench insight leakage`: by how many points a random split flatters."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, say
from benchmark.cli.insight_report import Output, write


def leakage(
    name: Annotated[str, typer.Argument(help="A dataset whose folds keep cells or people whole.")],
    new: Annotated[str, typer.Argument(help="The one that `karyobench data resplit` made of it.")],
    submission: Annotated[
        list[str] | None,
        typer.Option("--submission", "-s", help="Repeatable. Default: all that were trained on both."),
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="Repeatable. Default: all that were trained on both.")
    ] = None,
    track: Annotated[str, typer.Option("--track", "-t", help="Whose trainings.")] = "pocket",
    other: Annotated[
        str | None, typer.Option("--new-track", help="Whose trainings on NEW, where they are another track's.")
    ] = None,
    output: Output = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all resampling.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """By how many points does a random split flatter? The same images under both splits, with an interval over the real groups.

    From the stored predictions. Writes leakage-NEW.json, .md, .svg and .png; see docs/leakage.md.

    Example: karyobench insight leakage bioimlab-q bioimlab-q-random -p imagenet
    """
    from benchmark import track as tracks
    from benchmark.allocator import keep_memory
    from benchmark.insight.leakage.picture import picture
    from benchmark.insight.leakage.render import markdown
    from benchmark.insight.leakage.report import compare
    from benchmark.insight.leakage.splits import Where
    from benchmark.ledger import Ledger
    from benchmark.memo import Memo
    from benchmark.memo import default as memory
    from benchmark.results import Results

    keep_memory()
    careful, careless = Where(name, tracks.load(track).name), Where(new, tracks.load(other or track).name)
    with Memo(memory()) as memo, bar("comparing splits", "comparisons") as progress:
        results = Results(Ledger(workspace / "ledger"), memo=memo)
        report = compare(results, careful, careless, submission or (), protocol or (), progress, seed=seed)
    folder, data, text = output or workspace / "insight", report.model_dump(mode="json"), markdown(report)
    write(folder, f"leakage-{new}", data, text, picture(report))
    if json:
        emit(data)
        return
    say(text)
    say(f"wrote {folder / f'leakage-{new}.json'}, .md, .svg and .png")
