"""`karyobench insight quality`: whether bad images explain failures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, say
from benchmark.cli.insight_report import write


def quality(
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="[DATASET]...", help="Default: those of the track that are imported.")
    ] = None,
    track: Annotated[str, typer.Option("--track", "-t", help="Whose datasets and ledger entries.")] = "pocket",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the report and picture. Default: WORKSPACE/insight."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is planted, removed at random and resampled.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Flag blurred, faded, cut, touching, mis-scaled and bent images, and score the ledger with and without them.

    Writes quality.json, quality.md, quality.svg and quality.png, and galleries of real images in WORKSPACE/insight only; see docs/quality.md.

    Examples: karyobench insight quality
              karyobench insight quality sim-q sim-g --track smoke
    """
    from benchmark import track as tracks
    from benchmark.allocator import keep_memory
    from benchmark.files import atomic
    from benchmark.insight.extra import require
    from benchmark.insight.quality.picture import gallery, picture
    from benchmark.insight.quality.render import markdown
    from benchmark.insight.quality.report import assess

    require("skimage")
    keep_memory()
    report, found = assess(workspace, tracks.load(track), datasets or (), seed, bar)
    folder, text, drawn = output or workspace / "insight", markdown(report), picture(report)
    data = report.model_dump(mode="json")
    write(folder, "quality", data, text, drawn)
    for one in found:
        with atomic(workspace / "insight" / f"quality-{one.measured.dataset.card.name}.png") as file:
            file.write(gallery(one))
    if json:
        emit(data)
        return
    say(text)
    say(f"wrote {folder / 'quality.json'}, .md, .svg and .png")
