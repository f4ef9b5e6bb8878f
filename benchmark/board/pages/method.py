"""The method page: what is asked, how it is answered, and what the answer cannot say, with every track's recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from benchmark import protocol as protocols
from benchmark.board.model import Board, Dataset, TrackInfo
from benchmark.board.pages.frame import render
from benchmark.versions import table

WORDS = {"case": "people", "cell": "cells", "image": "images"}
"""What the groups of a data set are."""


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """The page, as (path, content)."""
    tracks = [{"info": info, "recipe": list(recipe(info.document))} for info in board.tracks]
    datasets: dict[str, dict[str, Any]] = {}
    for info in board.tracks:
        for one in info.datasets:
            found = datasets.setdefault(one.manifest + one.name, {"one": one, "tracks": [], "folds": folds(one)})
            found["tracks"].append(info)
    yield "method.html", render(
        "method.html", root="", page="method", board=board, chains=chains(board), tracks=tracks,
        datasets=list(datasets.values()), words=WORDS, controls=set(board.controls), kinds_of_groups=kinds_of_groups(board.tracks),
        versions=table().versions,
    )  # fmt: skip


def chains(board: Board) -> list[dict[str, Any]]:
    """Every protocol of the board with the boxes of its diagram: (text, kind) each, kind being a class of the style sheet."""
    found = []
    for name, meaning in board.protocols.items():
        protocol = protocols.get(name)
        boxes = [("ImageNet photographs", "photos") if protocol.start == "imagenet" else ("random weights", "random")]
        for stage in protocol.stages:
            if stage.data == "source":
                shuffled = ", labels shuffled" if stage.shuffled else ""
                boxes += [(f"{source}{shuffled}", "source") for source in protocol.sources or ("other stain",)]
            else:
                boxes.append(
                    ("target stain, for as long as both steps" if stage.budget == "both" else "target stain", "target")
                )
        found.append({"name": name, "meaning": meaning, "boxes": boxes})
    return found


def recipe(document: Mapping[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A recipe as (setting, value), nested settings with dots, in the order of the document."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from recipe(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", "; ".join(map(_text, value)) or "none"
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: JsonValue) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def folds(one: Dataset) -> list[tuple[int, int, int]]:
    """Number, groups and images of every fold's test part."""
    return [(k, *sizes) for k, sizes in enumerate(zip(one.fold_groups, one.fold_images, strict=True))]


def kinds_of_groups(tracks: tuple[TrackInfo, ...]) -> str:
    """What the groups of the real data sets are, in words, for running text."""
    kinds = dict.fromkeys(
        WORDS.get(one.group_by, one.group_by) for info in tracks if not info.simulated for one in info.datasets
    )
    return " or ".join(kinds) or "people"
