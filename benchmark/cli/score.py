"""`karyobench score`: every score again from stored predictions, or those of a model that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, emit, interval, percent, say, table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.elsewhere.against import Difference
    from benchmark.elsewhere.figures import Figures
    from benchmark.ledger import Ledger

SELF_RUN = "self-run: labels were in reach, folds as stated, not checked"


def score(
    keys: Annotated[list[str] | None, typer.Argument(help="First characters of keys; default: all records.")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Predictions of a model trained elsewhere: .csv, .parquet or .npz; see docs/scores.md."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="With --predictions: what was predicted.")
    ] = None,
    track: Annotated[str | None, typer.Option("--track", "-t", help="With --predictions: whose folds.")] = None,
    fold: Annotated[
        list[int] | None, typer.Option(help="Only the test images of these folds. Default: of all of the track.")
    ] = None,
    values: Annotated[str, typer.Option(help="What the numbers are: auto, logits or probabilities.")] = "auto",
    against: Annotated[
        list[str] | None, typer.Option(help="Also hold it against this submission of the ledger.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it beside the ledger; the board lists it apart, as self-run.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="With --keep: what to call it.")] = None,
    who: Annotated[str | None, typer.Option(help="With --keep: who ran it.")] = None,
    how: Annotated[str | None, typer.Option(help="With --keep: which model, trained how.")] = None,
    training_data: Annotated[str | None, typer.Option(help="With --keep: what it was trained on.")] = None,
    split: Annotated[
        str | None, typer.Option(help="With --keep: what kept the test images out of its training.")
    ] = None,
    link: Annotated[str | None, typer.Option(help="With --keep: an address, http or https.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Compute every score again from the stored predictions; or score those of a model trained elsewhere.

    Examples: karyobench score
              karyobench score --predictions mine.csv --dataset bioimlab-q --track pocket
    """
    from benchmark.ledger import Ledger

    ledger = Ledger(workspace / "ledger")
    of_file = {
        "--dataset": dataset, "--track": track, "--fold": fold, "--values": None if values == "auto" else values, "--against": against,
        "--keep": keep or None, "--name": name, "--who": who, "--how": how, "--training-data": training_data, "--split": split, "--link": link,
    }  # fmt: skip
    if predictions is None:
        alone = [option for option, value in of_file.items() if value]
        if alone:
            raise InputError("is for a file of predictions", field=alone[0], hint="Give the file with --predictions")
        _again(ledger, keys or [], json)
        return
    if keys:
        raise InputError("keys are of the ledger, and --predictions is a file", field="KEYS", found=keys[0])
    if not keep:
        _untold(of_file)
    told = {"who": who, "how": how, "training_data": training_data, "split": split, "link": link}
    _elsewhere(
        ledger,
        workspace,
        predictions,
        dataset,
        track,
        fold,
        values,
        against or [],
        json,
        (name, told) if keep else None,
    )


def _untold(options: dict[str, Any]) -> None:
    for option in ("--name", "--who", "--how", "--training-data", "--split", "--link"):
        if options[option] is not None:
            raise InputError("is kept with the score", field=option, hint="Add --keep")


def _elsewhere(
    ledger: Ledger, workspace: Path, path: Path, dataset: str | None, track: str | None, fold: list[int] | None, values: str,
    against: list[str], json: bool, kept: tuple[str | None, dict[str, str | None]] | None,
) -> None:  # fmt: skip
    from benchmark import track as tracks
    from benchmark.data import card as cards
    from benchmark.elsewhere import against as sealed
    from benchmark.elsewhere import figures, given, matching
    from benchmark.elsewhere.store import Store

    if track is None or dataset is None:
        raise InputError("is wanted with --predictions", field="--track" if track is None else "--dataset",
                         allowed=tracks.names() if track is None else cards.names())  # fmt: skip
    if values not in ("auto", "logits", "probabilities"):
        raise InputError("unknown", field="--values", found=values, allowed=("auto", "logits", "probabilities"))
    on = tracks.load(track)
    if dataset not in on.targets:
        raise InputError(f"is no target of the track {on.name}", field="--dataset", found=dataset, allowed=on.targets)
    card, manifest = cards.load(dataset), _manifest(workspace, dataset)
    folds = matching.checked_folds(fold, on.folds)
    form: Any = None if values == "auto" else values
    matched = matching.match(given.read(path), manifest, dataset, folds, form, path)
    found = figures.compute(matched.stored, manifest, folds)
    differences = [
        one
        for other in against
        for one in sealed.compare(ledger, other, on.name, dataset, manifest, folds, matched.stored)
    ]
    entry = None
    if kept:
        name, told = kept
        lacking = [
            f"--{key.replace('_', '-')}" for key, value in {"name": name, **told}.items() if not value and key != "link"
        ]
        if lacking:
            raise InputError("is wanted with --keep: the board shows it", field=lacking[0])
        entry = Store(ledger).keep(str(name), told, matched, manifest, card, on, path)
    if json:
        said = [{**one._asdict(), "difference": one.difference._asdict()} for one in differences]
        emit({"self_run": SELF_RUN, "dataset": dataset, "track": on.name, "folds": folds, "form": matched.form, **found.plain(),
              "against": said, "kept": entry and entry.id})  # fmt: skip
        return
    say(render(found, f"{dataset}, folds {', '.join(map(str, folds))} of the track {on.name}; {matched.form}"))
    if differences:
        say(f"\n{render_against(differences)}")
    if entry:
        say(f"\nkept as {entry.score.name} ({entry.id[:12]}); karyobench leaderboard build lists it apart, as self-run")


def _manifest(workspace: Path, dataset: str) -> Any:
    """Of the images that the workspace holds, or else as it is shipped."""
    from benchmark.data import card as cards
    from benchmark.data import manifest as manifests
    from benchmark.data.store import Store

    store, group = Store(workspace), cards.load(dataset).group
    found = (
        manifests.read(store.folder(dataset) / "manifest.csv", group)
        if store.has(dataset)
        else manifests.shipped(dataset, group)
    )
    if found is None:
        raise InputError(
            "has no manifest yet", field="--dataset", found=dataset, hint=f"Run: karyobench data fetch {dataset}"
        )
    return found


def render(found: Figures, what: str) -> str:
    """Scores, classes and confusions of a file of predictions."""
    classes = [
        (
            one.name,
            one.images,
            interval({"value": one.f1, "low": one.low, "high": one.high}) if one.images else "no image",
        )
        for one in found.classes
    ]
    wrong = ", ".join(f"{one.true}→{one.said} ×{one.times}" for one in found.confusions) or "none"
    return (
        f"{what}\n{found.images:,} images of {found.groups} groups\n\n"
        f"macro-F1   {interval(found.macro_f1._asdict())} %\naccuracy   {percent(found.accuracy)} %\n"
        f"top-2      {percent(found.top2)} %\nECE        {found.ece:.3f}\n\n"
        f"{table(classes, ('class', 'images', 'F1 %'))}\n\ncommonest confusions (true→read as): {wrong}\n\n"
        "Brackets: 95 % interval for these predictions on other groups (cells or cases), by drawing whole groups again; it says nothing\n"
        f"of another training. {SELF_RUN}."
    )


def render_against(differences: list[Difference]) -> str:
    """The same images beside submissions of the ledger."""
    rows = [
        (one.submission, one.protocol, one.repeats, percent(one.score), interval(one.difference._asdict(), signed=True))
        for one in differences
    ]
    return (
        f"{table(rows, ('submission', 'protocol', 'repeats', 'macro-F1 %', 'self-run minus it'))}\n\n"
        "In points, on the same images; the interval is for these very trainings on other groups. Exploratory, and no verdict: nothing is\n"
        "known of how often the model was trained, or of what it had seen."
    )


def _again(ledger: Ledger, keys: list[str], json: bool) -> None:
    records = [r for r in ledger.records() if r["status"] == "scored"]
    for key in keys:
        if not any(r["key"].startswith(key) for r in records):
            raise InputError("no scored record of this key", file=ledger.path, field="key", found=key)
    chosen = [r for r in records if not keys or any(r["key"].startswith(key) for key in keys)]
    found = [(r, ledger.rescore(r)) for r in chosen]
    if json:
        emit([{"key": r["key"], "submission": r["submission"]["name"], "arm": r["arm"], "scores": s} for r, s in found])
        return
    rows = [
        (r["key"][:12], r["submission"]["name"], r["arm"], r["dataset"]["name"], r["fold"], r["repeat"], percent(s["macro_f1"]),
         percent(s["accuracy"]), percent(s["top2"]), f"{s['ece']:.3f}",
         "" if s["karyotype_accuracy"] is None else percent(s["karyotype_accuracy"]))
        for r, s in found
    ]  # fmt: skip
    say(
        table(
            rows,
            (
                "key",
                "submission",
                "arm",
                "dataset",
                "fold",
                "repeat",
                "macro-F1",
                "accuracy",
                "top-2",
                "ECE",
                "whole cells",
            ),
        )
    )
