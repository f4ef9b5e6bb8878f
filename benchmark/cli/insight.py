"""`karyobench insight`: why transfer helps, or does not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli import insight_attention, insight_errors, insight_leakage, insight_quality, insight_sweep
from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, say
from benchmark.cli.insight_report import write

app = typer.Typer(
    help="Why transfer helps: similarity, attention, errors, quality of images; what a leak flatters, what a setting does.",
    no_args_is_help=True,
)
app.command()(insight_attention.attention)
app.command()(insight_errors.errors)
app.command()(insight_errors.karyotype)
app.command()(insight_quality.quality)
app.command()(insight_leakage.leakage)
app.command()(insight_sweep.sweep)


@app.callback()
def _root() -> None:
    """Why transfer helps: similarity, attention, errors, quality of images; what a leak flatters, what a setting does."""


@app.command()
def similarity(
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="[DATASET]...", help="Default: those of the track that are imported.")
    ] = None,
    track: Annotated[str, typer.Option("--track", "-t", help="Whose datasets and preprocessing.")] = "pocket",
    reference: Annotated[
        Path | None,
        typer.Option(help="Folder of natural images, a group a subfolder. Default: photographs of two packages."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the report and picture. Default: WORKSPACE/insight."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all resampling.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Compare Q-band, G-band and natural images: are the stains closer to each other than to photographs?

    Writes similarity.json, similarity.md, similarity.svg and similarity.png; see docs/insight.md.

    Examples: karyobench insight similarity
              karyobench insight similarity sim-q sim-g --track smoke
              karyobench insight similarity --reference imagenet/val
    """
    from benchmark import track as tracks
    from benchmark.allocator import keep_memory
    from benchmark.insight.picture import picture
    from benchmark.insight.render import markdown
    from benchmark.insight.similarity import compare

    keep_memory()
    report, points = compare(workspace, tracks.load(track), datasets or (), reference, seed, bar)
    folder = output or workspace / "insight"
    data = report.model_dump(mode="json")
    drawn = picture(report, points)
    write(folder, "similarity", data, markdown(report), drawn)
    if json:
        emit(data)
        return
    say(markdown(report))
    say(f"wrote {folder / 'similarity.json'}, .md, .svg and .png")


@app.command()
def keep(
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORT...", help="JSON files that the other commands wrote.")
    ],
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="Folder of a ledger. Default: that of the workspace.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Put reports beside the ledger whose records they speak of, so that the board shows them.

    A newer report about the same takes the place of an older one. Nothing of a dataset's pixels is in a report.

    Example: karyobench insight keep karyobench-workspace/insight/*.json --ledger leaderboard/ledger
    """
    from benchmark.insight import kept
    from benchmark.ledger import Ledger

    for path in kept.keep(reports, Ledger(ledger or workspace / "ledger")):
        say(f"wrote {path}")
