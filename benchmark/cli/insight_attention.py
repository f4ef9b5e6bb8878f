"""`karyobench insight attention`: where trained networks look, and whether that is evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, say
from benchmark.cli.insight_report import write


def attention(
    submission: Annotated[str, typer.Argument(metavar="SUBMISSION", help="Name or folder.")],
    target: Annotated[str, typer.Option("--target", help="Dataset of the track whose test images are looked at.")],
    track: Annotated[str, typer.Option("--track", "-t", help="Of the trained units.")] = "pocket",
    fold: Annotated[list[int] | None, typer.Option(help="Repeat for several. Default: 0.")] = None,
    repeat: Annotated[list[int] | None, typer.Option(help="Repeat for several. Default: 0.")] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="Default: those of the three that were trained.")
    ] = None,
    method: Annotated[str, typer.Option(help="hires-cam or grad-cam.")] = "hires-cam",
    images: Annotated[int | None, typer.Option(min=1, help="At most so many of each fold. Default: all.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the report and pictures. Default: WORKSPACE/insight."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show where trained networks look, in numbers and pictures, and check that the maps are evidence at all.

    Writes attention-SUBMISSION-TARGET.json, .md, .svg and .png, which hold no image, and attention-SUBMISSION-TARGET-maps.svg
    and .png, which hold chromosomes: do not publish those of real data. See docs/attention.md.

    Examples: karyobench insight attention tf-efficientnet-lite0 --target bioimlab-q
              karyobench insight attention tf-efficientnet-lite0 --track smoke --target sim-g --fold 0
    """
    from benchmark import track as tracks
    from benchmark.allocator import keep_memory
    from benchmark.errors import InputError
    from benchmark.insight.attention import picture
    from benchmark.insight.attention.maps import METHODS
    from benchmark.insight.attention.render import markdown
    from benchmark.insight.attention.report import Asked, look
    from benchmark.insight.extra import require
    from benchmark.submission import load
    from benchmark.training.environment import pick_device

    require("captum", "skimage")
    chosen = next((one for one in METHODS if one == method), None)
    if chosen is None:
        raise InputError("no such method", field="method", found=method, allowed=METHODS)
    pick_device(device)
    keep_memory()
    asked = Asked(
        tracks.load(track), load(submission), target, tuple(fold or (0,)), tuple(repeat or (0,)), tuple(protocol or ())
    )  # fmt: skip
    outcome = look(workspace, asked, method=chosen, seed=seed, bar=bar, images=images, device=device)
    folder = output or workspace / "insight"
    name = f"attention-{asked.submission.name}-{target}"
    data = outcome.report.model_dump(mode="json")
    text = markdown(outcome.report)
    write(folder, name, data, text, picture.numbers(outcome.report), picture.chromosomes(outcome))
    if json:
        emit(data)
        return
    say(text)
    say(f"wrote {folder / name}.json, .md, .svg, .png and {name}-maps.svg, .png")
