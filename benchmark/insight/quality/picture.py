"""The picture of quality: ROC curves of planted defects. A gallery of real images is drawn for the workspace only."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark.board.pictures.figure import FAINT, Kind, both, caption, save, settings
from benchmark.insight.compare import number
from benchmark.insight.picture import LOOKS
from benchmark.insight.quality.flags import FLAGS
from benchmark.insight.quality.report import Flagged
from benchmark.insight.quality.schema import Quality

SHOWN = 10
"""Images of a flag in a gallery."""


def picture(report: Quality) -> dict[Kind, bytes]:
    """Draw the curves, a panel a defect, a line for each kind of images.

    Returns:
        SVG (one element on no background) and PNG (on white); the same report gives the same bytes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(9)):
        figure = Figure(figsize=(10.4, 7.2), layout="constrained")
        panels = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
        for axes, flag in zip(panels, FLAGS, strict=True):
            _panel(axes, report, flag)
        for axes in panels[3:]:
            axes.set_xlabel("flagged without the defect, %")
        for axes in panels[::3]:
            axes.set_ylabel("found with the defect, %")
        caption(figure, _caption())
        return both(figure)


def _caption() -> str:
    return (
        "Each defect was planted in images of known state; the line runs over all thresholds, the large mark is the threshold that is "
        "used, chosen on other simulated images. Real images have defects of their own, so that what is flagged without "
        "a planted one is no error throughout. AUC: 1 finds all, 0.5 none."
    )


def _panel(axes: Any, report: Quality, flag: str) -> None:
    for place, one in enumerate(report.validation):
        colour, mark = LOOKS[place % len(LOOKS)]
        curve = next(c for c in one.curves if c.flag == flag)
        across, up = 100 * np.array(curve.roc).T
        auc = number(curve.auc.value or 0.0)
        axes.plot(across, up, color=colour, linewidth=1.4, label=f"{one.images}, AUC {auc}")
        used = 100 * (curve.flagged.value or 0.0), 100 * (curve.sensitivity.value or 0.0)
        axes.plot(*used, mark, color=colour, markersize=8, markeredgecolor="white", zorder=3, clip_on=False)
    axes.plot([0, 100], [0, 100], color="#999999", linewidth=0.8, linestyle=":")
    axes.set_title(f"{flag}: {FLAGS[flag]}", fontsize=8)
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def gallery(one: Flagged) -> bytes:
    """The worst images of each flag, as cropped: PNG for one's own eyes, since it holds the dataset's images."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(settings(8)):
        figure = Figure(figsize=(12, 1.5 * len(FLAGS)), layout="constrained")
        grid = figure.subplots(len(FLAGS), SHOWN)
        for row, flag in zip(grid, FLAGS, strict=True):
            order = np.argsort(-np.nan_to_num(one.scores[flag], nan=-np.inf), kind="stable")
            worst = [int(p) for p in order[:SHOWN] if one.flags[flag][p]]
            for axes in row:
                axes.axis("off")
            for axes, place in zip(row, worst, strict=False):
                entry = one.measured.manifest.entries[place]
                axes.imshow(one.measured.light(place), cmap="gray", vmin=0, vmax=255)
                axes.set_title(
                    f"{flag} {number(float(one.scores[flag][place]))}\n{entry.image} ({entry.label})", fontsize=6
                )
        return save(figure, "png")
