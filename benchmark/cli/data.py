"""`karyobench data`: list, fetch, import, verify, show and audit datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Json, Workspace, bar, emit, note, say, table
from benchmark.cli.data_new import new
from benchmark.cli.data_resplit import resplit
from benchmark.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from benchmark.data.card import Card
    from benchmark.data.store import Dataset, Store

app = typer.Typer(help="Datasets: list, fetch, import, make, resplit, verify, show, audit.", no_args_is_help=True)
app.command()(new)
app.command()(resplit)

Name = Annotated[str, typer.Argument(help="A dataset, as `karyobench data list` names it.")]


@app.command("list")
def list_(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """List the datasets, and which are in the workspace.

    Example: karyobench data list
    """
    from benchmark.data.store import Store

    store = Store(workspace)
    found = [(store.card(name), store.has(name)) for name in store.names()]
    if json:
        emit([{**card.model_dump(mode="json"), "imported": has} for card, has in found])
        return
    rows = [
        (c.name, c.stain, "simulated" if c.simulated else "real", c.counts.images, c.counts.cells or "not known",
         c.counts.cases or "not known", c.group, "yes" if has else "no", c.title)
        for c, has in found
    ]  # fmt: skip
    say(table(rows, ("dataset", "stain", "images are", "images", "cells", "cases", "folds by", "imported", "title")))


@app.command()
def fetch(
    name: Name,
    workspace: Workspace = DEFAULT_WORKSPACE,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You have read the terms and accept them.")
    ] = False,
    source: Annotated[int | None, typer.Option(help="Which source of the card, from 0. Default: all in turn.")] = None,
) -> None:
    """Download a dataset from where its authors or a mirror publish it, and import it.

    Shows the terms of use first; nothing is requested before --accept-terms.

    Example: karyobench data fetch cir-g --accept-terms
    """
    from benchmark.data import fetch as fetching
    from benchmark.data import imports
    from benchmark.data.store import Store

    store = Store(workspace)
    card = _with_files(store.card(name))
    if card.simulated:
        with bar(f"rendering {name}") as progress:
            imports.render_simulated(store, card, progress)
        say(f"{name}: {card.counts.images} simulated images rendered")
        return
    say(f"{card.title}\n\nTerms of use: {card.terms}\n\nCite: " + "\n      ".join(card.citation) + "\n")
    with bar(f"fetching {name}", "bytes") as progress:
        path = fetching.fetch(
            card, workspace / "downloads" / name, accept_terms=accept_terms, source=source, progress=progress
        )
    try:
        _import(store, name, path, fetching.source_of(card, path).folder)
    except InputError:
        note(f"what was downloaded is kept in {path}; delete it to download again")
        raise


@app.command("import")
def import_(
    name: Name,
    path: Annotated[
        Path | None, typer.Argument(help="Folder, .zip, .tar or .tar.gz. Not needed for simulated data.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Import a dataset from a folder or archive in its official layout.

    Every image is compared with the committed manifest; what is missing, extra, altered or
    undecodable is named, and then nothing is imported. A dataset that is not shipped is given as the path of the
    folder with its card and manifest, which the workspace then knows by name; see docs/own-data.md.

    Examples: karyobench data import bioimlab-q single_chromosomes.zip
              karyobench data import datasets/my-g crops.zip
              karyobench data import sim-q
    """
    from benchmark.data import imports
    from benchmark.data.store import Store

    store = Store(workspace)
    if "/" in name:
        _import_own(store, Path(name), path)
        return
    card = _with_files(store.card(name))
    if card.simulated:
        with bar(f"rendering {name}") as progress:
            imports.render_simulated(store, card, progress)
        say(f"{name}: {card.counts.images} simulated images rendered")
    elif path is None:
        raise InputError("a path is needed", field="PATH", hint=f"Or download it: karyobench data fetch {name}")
    else:
        _import(store, name, path)


def _with_files(card: Card) -> Card:
    """The card, unless its images come from no file."""
    if card.layout == "resplit":
        raise InputError(
            "its images are those of another dataset", field="NAME", found=card.name, hint="It was made by: karyobench data resplit"
        )  # fmt: skip
    return card


def _import_own(store: Store, folder: Path, path: Path | None) -> None:
    """Import a dataset that is not shipped, from the folder of its card and manifest."""
    from benchmark.data import card as cards
    from benchmark.data import imports
    from benchmark.data import manifest as manifests

    card = cards.read(folder / "card.yaml")
    if card.name in cards.names() and cards.folder(card.name).resolve() != folder.resolve():
        raise InputError("a shipped dataset has this name", file=folder / "card.yaml", field="name", found=card.name)
    if card.layout != "crops":
        raise InputError("only the shipped ones have this layout", file=folder / "card.yaml", field="layout",
                         found=card.layout, allowed="crops")  # fmt: skip
    if path is None:
        raise InputError("a path is needed", field="PATH", allowed="the folder or archive of its images")
    manifest = manifests.read(folder / "manifest.csv", card.group)
    with bar(f"importing {card.name}") as progress:
        _imported(imports.import_crops(store, card, manifest, path, progress))


def _import(store: Store, name: str, path: Path, folder: str = "") -> None:
    from benchmark.data import imports

    with bar(f"importing {name}") as progress:
        dataset = imports.import_archive(store, store.card(name), path, progress, folder)
    _imported(dataset)


def _imported(dataset: Dataset) -> None:
    name = dataset.card.name
    groups = len(set(dataset.manifest.groups))
    say(
        f"{name}: {len(dataset.manifest)} images in {groups} groups (by {dataset.card.group}), every pixel as in the manifest"
    )


@app.command()
def verify(name: Name, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Check every imported image against its manifest's hash.

    Example: karyobench data verify bioimlab-q
    """
    from benchmark.data.store import Store

    dataset = Store(workspace).open(name)
    altered = list(dataset.altered())
    if altered:
        raise IntegrityError(
            f"{len(altered)} altered: {', '.join(altered[:10])}", file=dataset.folder, hint="Import it again"
        )
    say(f"{name}: {len(dataset.manifest)} images, all as in the manifest")


@app.command()
def show(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG to write.")] = Path("chromosomes.png"),
    cell: Annotated[
        str | None, typer.Option(help="Draw the karyogram of this cell instead of a contact sheet.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Show images as a model sees them, at this size in pixels.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write a picture: a contact sheet by class, or the karyogram of one cell.

    Examples: karyobench data show sim-g -o sheet.png
              karyobench data show bioimlab-q --cell 007 -o cell.png
    """
    from benchmark.data import show as pictures
    from benchmark.data.preprocess import Preprocess
    from benchmark.data.store import Store

    store = Store(workspace)
    dataset = store.open(name)
    if cell is not None:
        pictures.karyogram(dataset, cell, output)
    else:
        prepared = store.prepared(name, Preprocess(size=size, exponent=0.5)).images if size else None
        pictures.contact_sheet(dataset, output, images=prepared)
    say(f"wrote {output}")


@app.command()
def audit(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets; default: all that are imported.")] = None,
    track: Annotated[str, typer.Option(help="Whose preprocessing is audited.")] = "pocket",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Prove that no group and no near-duplicate crosses a split and that the frame tells nothing.

    Exits 3 when a check fails.

    Example: karyobench data audit bioimlab-q cir-g
    """
    from benchmark import track as tracks
    from benchmark.data import audit as auditing
    from benchmark.data.store import Store

    store = Store(workspace)
    chosen = names or [name for name in store.names() if store.has(name)]
    if not chosen:
        raise InputError("no dataset is imported", file=workspace, hint="Run: karyobench data import sim-q")
    datasets = [store.open(name) for name in chosen]
    how = tracks.load(track).preprocess
    with bar("auditing", "steps") as progress:
        images = {d.card.name: store.prepared(d.card.name, how).images for d in datasets}
        report = auditing.audit(datasets, images, progress=progress)
    if json:
        emit(report.to_json())
    else:
        say(report.text())
    if not report.ok:
        note("audit failed")
        raise typer.Exit(3)
