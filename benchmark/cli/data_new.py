"""`karyobench data new`: a dataset from a folder of labelled crops."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.common import DEFAULT_WORKSPACE, Workspace, bar, note, say
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.data.card import Card

Folder = Annotated[Path, typer.Argument(help="Folder or .zip of crops: BMP, PNG or TIFF, one chromosome a file.")]

NOWHERE = "none"
"""An address of images that are published nowhere."""

NEEDED = {
    "names": "How files are named, such as {label}/{case}_{cell}*.png",
    "stain": "Stain, Q or G",
    "polarity": "light-on-dark or dark-on-light",
    "title": "Title",
    "terms": "Licence or terms of use",
    "cite": "What is to be cited",
    "address": f"Web address of the images ({NOWHERE}: they are published nowhere)",
}
"""What must be said, with the question that a terminal asks; none of it is guessed."""


def new(
    name: Annotated[str, typer.Argument(help="The dataset's name: lower case, digits and hyphens.")],
    folder: Folder,
    names: Annotated[
        str | None,
        typer.Option(
            help="Template of the end of the path, with {label}, {case}, {cell} and *; or re: and a regular expression."
        ),
    ] = None,
    stain: Annotated[str | None, typer.Option(help="Q or G.")] = None,
    polarity: Annotated[str | None, typer.Option(help="light-on-dark or dark-on-light.")] = None,
    title: Annotated[str | None, typer.Option(help="One line for tables.")] = None,
    terms: Annotated[str | None, typer.Option(help="Licence or terms of use.")] = None,
    cite: Annotated[list[str] | None, typer.Option(help="What is to be cited. Repeatable.")] = None,
    address: Annotated[str | None, typer.Option(help=f"Where the images are published; {NOWHERE}: nowhere.")] = None,
    description: Annotated[str, typer.Option(help="What it is, in some sentences.")] = "",
    labels: Annotated[
        str,
        typer.Option(
            help="How classes are written: plain (1, X), padded (01), chr (chr1), numbers (23 is X), from-zero (0 is 1)."
        ),
    ] = "plain",
    label: Annotated[list[str] | None, typer.Option(help="A class written otherwise, as A1=1. Repeatable.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="A class that is truly absent, as Y. Repeatable.")] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Pattern of files that do not belong to it. Repeatable.")
    ] = None,
    ungrouped: Annotated[
        bool, typer.Option("--ungrouped", help="Nobody knows the cells: folds by image, flattered scores.")
    ] = False,
    white: Annotated[
        int | None, typer.Option(help="16-bit images: the grey value that is white, as 4095 or 65535.")
    ] = None,
    colour: Annotated[str, typer.Option(help="refuse, or luminance.")] = "refuse",
    transparent: Annotated[
        str, typer.Option(help="What transparent images lie on: refuse, black or white.")
    ] = "refuse",
    overlaps: Annotated[list[str] | None, typer.Option(help="A dataset of the same people. Repeatable.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of datasets for card and manifest.")] = Path(
        "datasets"
    ),
    replaced: Annotated[bool, typer.Option("--replace", help="Replace a dataset of this name.")] = False,
    despite: Annotated[
        bool, typer.Option("--despite-audit", help="Keep it although a check of the audit fails.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make a dataset of a folder of labelled crops: card, manifest, folds and audit; its images go into the workspace.

    What is not said is asked for on a terminal, and is an error elsewhere. Nothing is kept unless everything is
    right; exits 3 when the audit finds a breach. See docs/own-data.md.

    Example: karyobench data new my-g crops --names "{label}/{case}_{cell}*.png" --stain G --polarity dark-on-light
             --title "My chromosomes" --terms CC-BY-4.0 --cite "unpublished" --address none
    """  # fmt: skip
    from benchmark import track as tracks
    from benchmark.data.bring import Asked, bring
    from benchmark.data.store import Store

    said = {
        "names": names,
        "stain": stain,
        "polarity": polarity,
        "title": title,
        "terms": terms,
        "cite": cite,
        "address": address,
    }
    known = _complete(said)
    reading = {
        "names": known["names"], "labels": labels, "given": _given(label or ()), "leave_out": leave_out or [],
        "white": white, "colour": colour, "transparent": transparent,
    }  # fmt: skip
    card = _card(name, known, description, reading, overlaps or [])
    asked = Asked(card, tuple(without or ()), ungrouped)
    store = Store(workspace)
    for other in card.overlaps:
        store.card(other)
    how = tracks.load("pocket").preprocess
    made, report = bring(store, folder, asked, output, how, bar, replaced=replaced, despite=despite)
    say(report.text())
    if not report.ok and not despite:
        note(
            "audit failed: nothing was kept. Mend what it names (leave copies out with --leave-out, give cells of one person "
            "one case), or keep it knowingly with --despite-audit"
        )
        raise typer.Exit(3)
    counts, manifest = made.card.counts, made.manifest
    groups = len(set(manifest.groups.tolist()))
    say(
        f"\n{name}: {counts.images:,} images, {counts.cells or 'unknown'} cells, {counts.cases or 'unknown'} cases, "
        f"{groups:,} groups (by {made.card.group}) in five folds\n"
        f"wrote {output / name}/card.yaml and manifest.csv; images are in {workspace}"
    )


def _complete(said: dict[str, Any]) -> dict[str, Any]:
    """All that is needed, asked for on a terminal.

    Raises:
        InputError: names every option that is missing where nobody can be asked.
    """
    missing = [name for name, value in said.items() if not value]
    if missing and not sys.stdin.isatty():
        options = ", ".join(f"--{name}" for name in missing)
        raise InputError("needed, and no terminal to ask on", field=options, allowed=[NEEDED[name] for name in missing])
    answers = {name: typer.prompt(NEEDED[name], err=True) for name in missing}
    return {**said, **answers}


def _given(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        written, equals, name = pair.partition("=")
        if not (written and equals and name) or written in found:
            raise InputError(
                "not a class written otherwise, or twice", field="--label", found=pair, allowed="WRITTEN=CLASS, as A1=1"
            )
        found[written] = name
    return found


def _card(name: str, known: dict[str, Any], description: str, reading: dict[str, Any], overlaps: Sequence[str]) -> Card:
    from benchmark.data import card as cards
    from benchmark.files import validate

    address = None if known["address"] == NOWHERE else known["address"]
    text = (
        description
        or f"{known['title']}: labelled crops of single chromosomes, {known['stain']}-band, {known['polarity'].replace('-', ' ')}."
    )
    citation = [known["cite"]] if isinstance(known["cite"], str) else known["cite"]
    data = {
        "name": name, "title": known["title"], "stain": known["stain"], "polarity": known["polarity"], "layout": "crops",
        "reading": reading, "group": "image", "description": text, "citation": citation, "terms": known["terms"],
        "homepage": address, "sources": [{"kind": "manual", "url": address}] if address else [],
        "counts": {"images": 1, "cells": 0, "cases": 0}, "overlaps": overlaps,
    }  # fmt: skip
    return validate(data, cards.Card, "data new")
