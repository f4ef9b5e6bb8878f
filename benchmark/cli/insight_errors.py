"""`karyobench insight karyotype` and `errors`: which chromosomes are missed, and what a whole cell would tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, say
from benchmark.cli.insight_report import Output, write

if TYPE_CHECKING:
    from benchmark.arm import Trial as Which
    from benchmark.insight.attention.beside import Beside
    from benchmark.memo import Memo
    from benchmark.results import Results

Submissions = Annotated[list[str], typer.Argument(metavar="SUBMISSION...", help="Names, as in the ledger.")]
TrackName = Annotated[str, typer.Option("--track", "-t", help="Whose trainings.")]
Target = Annotated[
    str | None, typer.Option(help="Only this dataset. Default: all that the submissions were scored on.")
]


def _open(
    workspace: Path, memo: Memo, submissions: list[str], track: str, target: str | None
) -> tuple[Results, list[Which]]:
    """The ledger's results of a track, and the trials that are asked for."""
    from benchmark import track as tracks
    from benchmark.allocator import keep_memory
    from benchmark.insight import outputs
    from benchmark.ledger import Ledger
    from benchmark.results import Results

    keep_memory()
    results = Results(Ledger(workspace / "ledger"), tracks.load(track).name, memo=memo)
    return results, outputs.trials(results, submissions, track, target)


def _maps(workspace: Path, track: str, submissions: list[str], seed: int) -> Beside:
    """Maps of the networks of shipped submissions."""
    from benchmark import track as tracks
    from benchmark.insight.attention.beside import Beside
    from benchmark.submission import load

    return Beside(workspace, tracks.load(track), {name: load(name) for name in submissions}, seed)


def karyotype(
    submissions: Submissions,
    track: TrackName = "pocket",
    target: Target = None,
    output: Output = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Read each cell as a whole (two of each autosome, XX or XY) beside each image for itself: what does it gain?

    From the stored predictions. Writes karyotype.json, .md, .svg and .png; see docs/errors.md.

    Example: karyobench insight karyotype tf-efficientnet-lite0 --track pocket -w leaderboard
    """
    from benchmark.insight.karyotype.compare import compare
    from benchmark.insight.karyotype.picture import picture
    from benchmark.insight.karyotype.render import markdown
    from benchmark.memo import Memo
    from benchmark.memo import default as memory

    with Memo(memory()) as memo, bar("reading cells", "readings") as progress:
        results, trials = _open(workspace, memo, submissions, track, target)
        report = compare(results, track, trials, progress)
    folder, data, text = output or workspace / "insight", report.model_dump(mode="json"), markdown(report)
    write(folder, "karyotype", data, text, picture(report))
    if json:
        emit(data)
        return
    say(text)
    say(f"wrote {folder / 'karyotype.json'}, .md, .svg and .png")


def errors(
    submissions: Submissions,
    track: TrackName = "pocket",
    target: Target = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", "-p", help="Compare these. Default: scratch, imagenet, two-step as far as they ran."
        ),
    ] = None,
    output: Output = None,
    gallery: Annotated[bool, typer.Option(help="Also a page with images, in WORKSPACE/insight only.")] = True,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps/--no-maps",
            help="In the gallery, also where the networks look, of those trained here. The submission's code runs unsealed.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Which chromosomes are missed, by which protocol, with what they are confused, and is the label right?

    From the stored predictions over the folds that all protocols have, and the dataset's images. Writes errors.json, .md, .svg and .png,
    and errors-gallery.html, which holds images of the dataset and stays in the workspace; see docs/errors.md.

    Examples: karyobench insight errors tf-efficientnet-lite0 --track pocket
              karyobench insight errors tf-efficientnet-lite0 --target cir-g -p imagenet -p two-step
    """
    from benchmark import protocol as protocols
    from benchmark import track as tracks
    from benchmark.files import atomic
    from benchmark.insight.errors.gallery import page
    from benchmark.insight.errors.picture import picture
    from benchmark.insight.errors.render import markdown
    from benchmark.insight.errors.report import examine
    from benchmark.insight.extra import require
    from benchmark.memo import Memo

    require("skimage", "statsmodels", *(["captum"] if gallery and maps else []))
    chosen = list(dict.fromkeys(protocol or ()))
    for name in chosen:
        protocols.get(name)
    results, trials = _open(workspace, Memo(), submissions, track, target)
    report, seen = examine(workspace, results, tracks.load(track), trials, chosen, seed, bar)
    folder, data, text = output or workspace / "insight", report.model_dump(mode="json"), markdown(report)
    write(folder, "errors", data, text, picture(report))
    shown = workspace / "insight" / "errors-gallery.html"
    if gallery:
        looks = _maps(workspace, track, submissions, seed) if maps else None
        with bar("gallery") as progress:
            html = page(seen, looks, progress)
        with atomic(shown) as file:
            file.write(html.encode())
    if json:
        emit(data)
        return
    say(text)
    say(f"wrote {folder / 'errors.json'}, .md, .svg and .png{f', and {shown}' if gallery else ''}")
