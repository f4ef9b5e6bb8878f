"""Missed chromosomes as a page: image, label, what each protocol says, and what lies near in feature space.

The page holds pixels of the dataset. It is for the workspace's owner and is never part of a board or of this repository.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES
from benchmark.insight.errors.report import Seen
from benchmark.insight.outputs import Floats, Ints
from benchmark.stats.metrics import softmax

SHOWN, NEAREST = 12, 5
"""Images of a kind, and neighbours of each."""

Progress = Callable[[int, int | None], None]
Maps = Callable[[Seen, str, int], npt.NDArray[np.floating] | None]
"""From a trial, a protocol and an image of it to where that protocol's network looked, 0 to 1, (size, size)."""

STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; }
.warning { border: 2px solid #d55e00; padding: .5rem .8rem; }
.card { display: flex; flex-wrap: wrap; gap: .9rem; border-top: 1px solid var(--line); padding: .7rem 0; align-items: flex-start; }
.near { display: flex; gap: .9rem; }
figure { margin: 0; text-align: center; font-size: .8rem; }
img { image-rendering: pixelated; background: #000; display: block; }
.right { color: #009e73; } .wrong { color: #d55e00; } table { border-collapse: collapse; } td { padding: 0 .6rem .1rem 0; }
"""


class Neighbour(NamedTuple):
    """An image of the training part: its place in the manifest, and the cosine of its features with the image's."""

    position: int
    cosine: float


def neighbours(seen: Seen, image: int, number: int = NEAREST) -> list[Neighbour]:
    """The images of the same fold's training part whose features are nearest, the nearest first.

    Args:
        seen: a trial.
        image: number among the tested images.
        number: how many.
    """
    position = int(seen.own.positions[image])
    train = seen.own.manifest.part(int(seen.own.manifest.folds[position]), "train")
    features = _unit(seen.features)
    cosine = features[train] @ features[position]
    best = np.argsort(-cosine, kind="stable")[:number]
    return [Neighbour(int(train[one]), float(cosine[one])) for one in best]


def _unit(features: npt.NDArray[np.float32]) -> Floats:
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))


def sections(seen: Seen) -> list[tuple[str, Ints]]:
    """Headings and the images under them: of every kind those of every repeat first, then the most suspicious labels."""
    found = []
    for one in seen.members:
        often = one.chosen.sum(axis=0)
        order = np.argsort(-often, kind="stable")
        found.append((f"Images that {one.kind.title}", order[often[order] > 0][:SHOWN]))
    chosen = np.flatnonzero(seen.suspects.suspected)
    found.append(("Suspected labels", chosen[np.argsort(seen.suspects.margin[chosen], kind="stable")][:SHOWN]))
    return found


def page(trials: list[Seen], maps: Maps | None = None, progress: Progress | None = None) -> str:
    """The page.

    Args:
        trials: of a report.
        maps: gives attention, where it is known.
        progress: told images done and in all.
    """
    parts, done = [], 0
    total = sum(len(images) for seen in trials for _, images in sections(seen))
    for seen in trials:
        own = seen.own.trial
        parts.append(f"<h1>{escape(own.submission)} → {escape(own.target)}</h1>")
        for heading, images in sections(seen):
            cards = []
            for one in images:
                cards.append(_card(seen, int(one), maps))
                done += 1
                if progress:
                    progress(done, total)
            parts.append(f"<h2>{escape(heading)}</h2>{''.join(cards) or '<p>None.</p>'}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Missed chromosomes</title><style>{STYLE}</style><body>"
        '<p class="warning">This page holds images of the datasets. Their terms may not allow passing it on: keep it here.</p>'
        "<p>Neighbours: nearest by the cosine of a fixed ImageNet network's features among the images that the fold trained on.</p>"
        f"{''.join(parts)}</body></html>\n"
    )


def _card(seen: Seen, image: int, maps: Maps | None) -> str:
    own, position = seen.own, int(seen.own.positions[image])
    entry = own.manifest.entries[position]
    shown = [_figure(seen.data.images[position], 128, escape(entry.image))]
    for name in own.logits:
        found = maps(seen, name, image) if maps else None
        if found is not None:
            shown.append(_figure(_overlay(seen.data.images[position], found), 128, f"where {escape(name)} looks"))
    lines = "".join(f"<tr><td>{escape(name)}</td><td>{_says(seen, name, image)}</td></tr>" for name in own.logits)
    group = escape(str(own.manifest.groups[position]))
    text = (
        f"<div>label <b>{escape(entry.label)}</b>, cell {escape(entry.cell or '?')}, group {group}, fold "
        f"{entry.fold}<table>{lines}</table></div>"
    )
    near = "".join(
        _figure(
            seen.data.images[one.position], 64, f"{escape(own.manifest.entries[one.position].label)} ({one.cosine:.2f})"
        )
        for one in neighbours(seen, image)
    )
    return f'<div class="card">{"".join(shown)}{text}<div class="near">{near}</div></div>'


def _says(seen: Seen, name: str, image: int) -> str:
    """What a protocol says in each repeat, with its probability."""
    found = []
    for chance in softmax(seen.own.logits[name][:, image]):
        said = int(chance.argmax())
        kind = "right" if said == seen.own.truth[image] else "wrong"
        mark = "✓" if kind == "right" else "✗"
        found.append(f'<span class="{kind}">{mark} {CLASSES[said]} {100 * chance[said]:.0f} %</span>')
    return ", ".join(found)


def _overlay(image: npt.NDArray[np.uint8], found: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Attention in orange over the grey image."""
    heat = np.clip(np.asarray(found, dtype=np.float64), 0, 1)[..., None]
    grey = np.repeat(image[..., None], 3, axis=2).astype(np.float64)
    return np.asarray(
        np.clip(grey * (1 - 0.6 * heat) + np.array([255.0, 140.0, 0.0]) * 0.6 * heat, 0, 255), dtype=np.uint8
    )


def _figure(image: npt.NDArray[np.uint8], width: int, text: str) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<figure><img width="{width}" height="{width}" alt="" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
