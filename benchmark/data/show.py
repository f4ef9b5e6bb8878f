"""Pictures of a dataset for people: a sheet of examples by class, and the karyogram of a cell.

Both are drawn in the stain's own convention (light on black, or dark on white) and carry a mark
where the dataset is simulated. They are made from imported pixels and are never committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from benchmark.data.manifest import CLASSES, Entry
from benchmark.data.preprocess import cut, foreground_mask, unify
from benchmark.data.split_checks import cell_of
from benchmark.data.store import Dataset
from benchmark.errors import InputError
from benchmark.files import atomic

U8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

KARYOGRAM: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (("A", ("1", "2", "3")), ("B", ("4", "5"))),
    (("C", ("6", "7", "8", "9", "10", "11", "12", "X")),),
    (("D", ("13", "14", "15")), ("E", ("16", "17", "18"))),
    (("F", ("19", "20")), ("G", ("21", "22", "Y"))),
)
"""Rows of groups of classes, in the order of the Denver groups; X stands with C and Y with G."""

TILE = 72
"""Side of one example of a contact sheet, pixels."""
PAGE = 1200
"""Width of a karyogram, pixels."""
TALLEST = 190
"""Height of a karyogram's longest chromosome, pixels, unless a row would be too wide."""

_MARGIN = 36
_GAP = 6
_PAD = 26
_BETWEEN = 40
_SHOWN_CELLS = 8


class Palette(NamedTuple):
    """Grey values of a page, its text, its fainter text, its lines, and the outline of a canvas."""

    page: int
    text: int
    faint: int
    line: int
    canvas: int


_DARK = Palette(page=0, text=235, faint=150, line=90, canvas=48)
_LIGHT = Palette(page=255, text=25, faint=120, line=180, canvas=226)


def contact_sheet(
    dataset: Dataset, output: Path, *, images: U8 | None = None, per_class: int = 8, seed: int = 0
) -> None:
    """Write a PNG of examples of every class; see `draw_contact_sheet`.

    Raises:
        InputError: when `per_class` is out of range or `images` is not of this dataset.
        InfrastructureError: when the disk is full or not writable.
    """
    _save(output, draw_contact_sheet(dataset, images=images, per_class=per_class, seed=seed))


def karyogram(dataset: Dataset, cell: str, output: Path) -> None:
    """Write a PNG of all chromosomes of one cell; see `draw_karyogram`.

    Raises:
        InputError: when the dataset's cells are not known, or there is no such cell, or more than one.
        InfrastructureError: when the disk is full or not writable.
    """
    _save(output, draw_karyogram(dataset, cell))


def draw_contact_sheet(dataset: Dataset, *, images: U8 | None = None, per_class: int = 8, seed: int = 0) -> Image.Image:
    """Examples of every class, one row a class, in two columns of twelve classes.

    Raw crops keep their proportions to each other unless a canvas is larger than a tile; a faint
    outline shows each canvas.

    Args:
        dataset: an imported dataset.
        images: a track's prepared images (n, size, size) in manifest order, to show instead of raw crops.
        per_class: number of examples of a class; fewer are shown where there are fewer.
        seed: which examples are drawn.

    Raises:
        InputError: when `per_class` is out of range or `images` is not of this dataset.
    """
    if not 1 <= per_class <= 40:
        raise InputError("out of range", field="per_class", found=per_class, allowed="1 to 40")
    if images is not None and (images.ndim != 3 or len(images) != len(dataset.manifest)):
        wanted = f"({len(dataset.manifest)}, size, size)"
        raise InputError("not the prepared images of this dataset", found=images.shape, allowed=wanted)
    light_on_dark = images is not None or dataset.card.polarity == "light-on-dark"
    palette = _DARK if light_on_dark else _LIGHT
    caption, block = 44, per_class * (TILE + 2)
    half = len(CLASSES) // 2
    width = 2 * _MARGIN + 2 * (caption + block) + _MARGIN
    page, draw = _page(width, 2 * _MARGIN + 40 + half * (TILE + 2), palette)
    kind = "raw crops" if images is None else f"prepared, {images.shape[1]} px"
    _title(draw, dataset, f"{kind}, {per_class} of each class", width, palette)
    random = np.random.default_rng(seed)
    by_class = [np.flatnonzero(dataset.manifest.labels == number) for number in range(len(CLASSES))]
    chosen = [np.sort(random.permutation(positions)[:per_class]) for positions in by_class]
    factor = _raw_factor(dataset, np.concatenate(chosen)) if images is None else TILE / max(images.shape[1:])
    for number, positions in enumerate(chosen):
        left = _MARGIN + (number // half) * (caption + block + _MARGIN)
        top = _MARGIN + 40 + (number % half) * (TILE + 2)
        shade = palette.faint if len(positions) else palette.line
        draw.text((left + caption - 14, top + TILE / 2), CLASSES[number], shade, _font(18), anchor="rm")
        for column, position in enumerate(positions):
            pixels = dataset.pixels(int(position)) if images is None else np.asarray(images[position])
            tile = _scaled(pixels, min(factor, TILE / max(pixels.shape)))
            x = left + caption + column * (TILE + 2) + (TILE - tile.width) // 2
            y = top + (TILE - tile.height) // 2
            page.paste(tile, (x, y))
            if images is None:
                draw.rectangle((x, y, x + tile.width - 1, y + tile.height - 1), outline=palette.canvas)
    return page


def draw_karyogram(dataset: Dataset, cell: str) -> Image.Image:
    """All chromosomes of one cell, upright, in their pairs and groups, on one scale.

    Args:
        dataset: an imported dataset whose cells are known.
        cell: the cell's name in the manifest; `case/cell` where several cases have a cell of that name.

    Raises:
        InputError: when the dataset's cells are not known, or there is no such cell, or more than one.
    """
    positions = _find(dataset, cell)
    entries = [dataset.manifest.entries[position] for position in positions]
    palette = _DARK if dataset.card.polarity == "light-on-dark" else _LIGHT
    pictures = _chromosomes(dataset, positions, palette)
    heights = [
        max([30, *(item.height for _, names in row for n in names for item in pictures[n])]) for row in KARYOGRAM
    ]
    top, label_space = _MARGIN + 52, 62
    page, draw = _page(PAGE, top + sum(heights) + len(heights) * label_space + 10, palette)
    name, count = cell_of(entries[0]), len(entries)
    many = "1 chromosome" if count == 1 else f"{count} chromosomes"
    _title(draw, dataset, f"cell {name}   ·   {sex([entry.label for entry in entries])}   ·   {many}", PAGE, palette)
    for row, height in zip(KARYOGRAM, heights, strict=True):
        _row(page, draw, row, pictures, top + height, palette)
        top += height + label_space
    return page


def sex(labels: list[str]) -> str:
    """What the sex chromosomes of a cell tell, chromosomes being possibly missing."""
    count = labels.count("X")
    if "Y" in labels:
        return "male (" + ("X" * count or "X missing, ") + "Y" * labels.count("Y") + ")"
    if count >= 2:
        return "female (" + "X" * count + ")"
    return "sex not told (one X, no Y)" if count else "sex not told (no X, no Y)"


def _save(path: Path, picture: Image.Image) -> None:
    with atomic(path) as file:
        picture.save(file, "PNG", optimize=True)


def _find(dataset: Dataset, cell: str) -> list[int]:
    """Positions of a cell's images."""
    cells = [cell_of(entry) for entry in dataset.manifest.entries]
    known = sorted({name for name in cells if name})
    if not known:
        raise InputError(
            "the cells of this dataset are not known, so that it has no karyogram",
            field="cell",
            found=dataset.card.name,
            hint="A contact sheet can be made",
        )
    matching = [name for name in known if cell in (name, name.rsplit("/", 1)[-1])]
    if not matching:
        some = ", ".join(known[:_SHOWN_CELLS])
        more = f" and {len(known) - _SHOWN_CELLS} more" if len(known) > _SHOWN_CELLS else ""
        raise InputError(f"no such cell in {dataset.card.name}", field="cell", found=cell, allowed=some + more)
    if len(matching) > 1 and cell not in matching:
        raise InputError("several cases have a cell of this name", field="cell", found=cell, allowed=matching)
    wanted = cell if cell in matching else matching[0]
    return [position for position, name in enumerate(cells) if name == wanted]


def _chromosomes(dataset: Dataset, positions: list[int], palette: Palette) -> dict[str, list[Image.Image]]:
    """Upright pictures by class, on one scale and one brightness, in manifest order."""
    found: list[tuple[Entry, U8, float]] = []
    for position in positions:
        item = cut(dataset.pixels(position), dataset.card.polarity, upright=True)
        found.append((dataset.manifest.entries[position], item.pixels, item.bright))
    factor = TALLEST / max(pixels.shape[0] for _, pixels, _ in found)
    for row in KARYOGRAM:
        labels = [name for _, names in row for name in names]
        wide = [pixels.shape[1] for entry, pixels, _ in found if entry.label in labels]
        free = PAGE - 2 * _MARGIN - _BETWEEN * (len(row) - 1) - _PAD * len(labels) - _GAP * len(wide)
        factor = min(factor, free / max(1, sum(wide)))
    gain = 235.0 / max(float(np.median([bright for _, _, bright in found])), 1.0)
    pictures: dict[str, list[Image.Image]] = {name: [] for name in CLASSES}
    for entry, pixels, _ in found:
        values = np.clip(pixels * gain, 0, 255).astype(np.uint8)
        values = values if palette is _DARK else (255 - values).astype(np.uint8)
        pictures[entry.label].append(_scaled(values, factor))
    return pictures


def _row(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    row: tuple[tuple[str, tuple[str, ...]], ...],
    pictures: dict[str, list[Image.Image]],
    base: int,
    palette: Palette,
) -> None:
    """One row of groups: chromosomes stand on the line `base`, names below it, groups below the names."""

    def extent(name: str) -> int:
        items = pictures[name]
        return sum(item.width for item in items) + _GAP * max(0, len(items) - 1)

    labels = [name for _, names in row for name in names]
    free = PAGE - 2 * _MARGIN - _BETWEEN * (len(row) - 1) - sum(extent(name) for name in labels)
    left = float(_MARGIN)
    for group, names in row:
        start = left
        for name in names:
            items, width = pictures[name], extent(name)
            slot = width + free / len(labels)
            centre = left + slot / 2
            x = round(centre - width / 2)
            for item in items:
                page.paste(item, (x, base - item.height))
                x += item.width + _GAP
            reach = max(width / 2, 22)
            draw.line([(centre - reach, base + 5), (centre + reach, base + 5)], palette.line, 1)
            draw.text((centre, base + 17), name, palette.text if items else palette.line, _font(17), anchor="mm")
            left += slot
        draw.line([(start + 10, base + 32), (left - 10, base + 32)], palette.line, 1)
        draw.text(((start + left) / 2, base + 42), group, palette.faint, _font(13), anchor="mm")
        left += _BETWEEN


def _raw_factor(dataset: Dataset, positions: Ints) -> float:
    """Scale at which 19 of 20 chromosomes, not their canvases, fit a tile."""
    lengths = []
    for position in positions:
        mask = foreground_mask(unify(dataset.pixels(int(position)), dataset.card.polarity))
        lengths.append(max(np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1)))
    return float(TILE / np.percentile(lengths, 95))


def _scaled(pixels: U8, factor: float) -> Image.Image:
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.LANCZOS)


def _page(width: int, height: int, palette: Palette) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("L", (width, height), palette.page)
    return page, ImageDraw.Draw(page)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def _title(draw: ImageDraw.ImageDraw, dataset: Dataset, text: str, width: int, palette: Palette) -> None:
    """Dataset and subject on the left, the mark of simulated data on the right."""
    draw.text((_MARGIN, _MARGIN - 14), dataset.card.title, palette.text, _font(22), anchor="lt")
    draw.text((_MARGIN, _MARGIN + 16), text, palette.faint, _font(15), anchor="lt")
    if dataset.card.simulated:
        place = (width - _MARGIN - 10, _MARGIN)
        left, top, right, bottom = draw.textbbox(place, "SIMULATED", _font(18), anchor="rm")
        draw.rectangle((left - 10, top - 7, right + 10, bottom + 7), fill=palette.text)
        draw.text(place, "SIMULATED", palette.page, _font(18), anchor="rm")
