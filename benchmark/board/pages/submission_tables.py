"""Tables of a submission's page as HTML, made by hand: templates are too slow for ten thousand pages of a thousand cells.

Everything that is not a number of ours goes through `escape`: that of `html`, since markupsafe's makes an object a cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

import numpy as np
from markupsafe import Markup

from benchmark.board.detail_model import CellLine, ClassLine, RecordLine, TargetDetail
from benchmark.board.model import Estimate, Gain, Result, Row
from benchmark.protocol import BASELINE, TWO_STEP
from benchmark.wording import points

NOTHING = "–"
SHORT = 12
"""Characters of a key or hash that are shown; commands take eight or more."""

LISTED = 12
"""Mistakes that are listed."""


def duration(seconds: float) -> str:
    """`38 s`, `2.5 min`, `1.2 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def size(count: int | None) -> str:
    """Bytes as `1.47 GB`."""
    return NOTHING if count is None else f"{count / 1e9:.2f} GB"


def energy(joules: float | None) -> str:
    """Joules as `1.23 kJ`."""
    return NOTHING if joules is None else f"{joules / 1000:.2f} kJ"


def parameters(count: int | None) -> str:
    """`4.65 million`, or that it is not known."""
    return "not known" if count is None else f"{count / 1e6:.2f} million"


def span(low: float | None, high: float | None, signed: bool = False) -> str:
    """`94.5 to 96.0`, or empty where there are no bounds."""
    return "" if low is None or high is None else f"{points(low, signed)} to {points(high, signed)}"


def _of_one(value: float | None) -> str:
    """A part of 1 that is never negative, in %: as `points`, for the hundreds of a page."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def _p(value: float | None) -> str:
    """A p-value with three decimals, so that they stand in line."""
    return NOTHING if value is None else f"{value:.3f}" if value >= 0.001 else "&lt; 0.001"


def score(estimate: Estimate | None) -> str:
    """A cell's content: macro-F1 with its interval."""
    if estimate is None:
        return NOTHING
    bounds = span(estimate.low, estimate.high)
    return f"{points(estimate.value)}<small>{bounds or 'no interval'}</small>"


def _table(caption: str, heads: Iterable[tuple[str, bool]], rows: Iterable[str], label: str) -> Markup:
    head = "".join(f'<th scope="col"{" class=num" if number else ""}>{escape(text)}</th>' for text, number in heads)
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(label)}"><table class="data tight"><caption>'
        f"<span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def scores(row: Row) -> Markup:
    """Macro-F1, gain, verdict and cost of every protocol; the gain over longer training where a protocol has one."""
    longer = any(result.gain and result.gain.over_long for result in row.results.values())
    heads = (
        ("Protocol", False), ("Macro-F1, %", True), ("Gain over imagenet, points", True), ("Verdict", False),
        ("p, adjusted", True), ("Detectable, points", True), *((("Over longer training, points", True),) if longer else ()),
        ("Trainings", True), ("Accuracy, %", True), ("Time of one", True), ("Energy of one", True),
    )  # fmt: skip
    return _table(
        "Small: 95 % interval, for new trainings on new groups; with * for these very trainings on new groups. "
        "Time and energy: with the stages before it; time of the processor, where that was read.",
        heads, (_score_row(name, result, longer) for name, result in row.results.items()), f"Scores on {row.target}",
    )  # fmt: skip


def _value(gain: Gain) -> str:
    """A cell's content: the points that one protocol has more, with their interval."""
    bounds = span(gain.low, gain.high, True)
    return f"<strong>{points(gain.value, True)}</strong><small>{bounds + '*' * (gain.interval == 'groups') if bounds else 'no interval'}</small>"


def _longer(gain: Gain | None) -> str:
    """A cell: the gain over the control for longer training, with its verdict."""
    found = gain.over_long if gain else None
    if found is None:
        return f"<td class=num>{NOTHING}</td>"
    return f'<td class=num>{_value(found)}<small class="verdict-{found.verdict}">{found.verdict}</small></td>'


def _score_row(name: str, result: Result, longer: bool) -> str:
    gain = result.gain
    if gain is None:
        cells = (
            f"<td class=num>{NOTHING}</td><td>{'baseline' if name == BASELINE else NOTHING}</td>"
            + f"<td class=num>{NOTHING}</td>" * 2
        )
    else:
        cells = (
            f"<td class=num>{_value(gain)}</td>"
            f'<td><span class="verdict verdict-{gain.verdict}">{gain.verdict}</span>{"<small>exploratory</small>" if gain.exploratory else ""}</td>'
            f"<td class=num>{_p(gain.p)}</td>"
            f"<td class=num>{_of_one(gain.smallest)}</td>"
        )
    if longer:
        cells += _longer(gain)
    time = NOTHING if result.seconds is None else duration(result.seconds)
    kinds = ", ".join(f"{kind} ×{count}" for kind, count in Counter(result.failed).items())
    failed = f"<small>failed: {escape(kinds)}</small>" if kinds else ""
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class=num>{score(result.macro_f1)}</td>{cells}'
        f"<td class=num>{result.trainings}{failed}</td><td class=num>{_of_one(result.accuracy)}</td><td class=num>{time}</td>"
        f"<td class=num>{energy(result.energy_joules)}</td></tr>"
    )


def by_class(target: str, lines: Sequence[ClassLine], protocols: Sequence[str]) -> Markup:
    """F1 of every class by protocol, and what two-step gains."""
    heads = [("Chromosome", False), *((name, True) for name in protocols)]
    gains = any(line.gain is not None for line in lines)
    if gains:
        heads += [("Gain of two-step, points", True), ("95 % interval", True), ("p, adjusted", True)]
    rows = []
    for line in lines:
        cells = "".join(f"<td class=num>{_of_one(line.f1.get(name))}</td>" for name in protocols)
        if gains:
            gain = NOTHING if line.gain is None else points(line.gain, True)
            cells += f"<td class=num>{gain}</td><td class=num>{span(line.low, line.high, True) or NOTHING}</td><td class=num>{_p(line.p)}</td>"
        rows.append(f'<tr><th scope="row">{escape(line.name)}</th>{cells}</tr>')
    caption = "F1 in %, mean over repeats." + (
        " Gains over imagenet are exploratory: p is adjusted over the classes (Benjamini-Hochberg)." if gains else ""
    )
    return _table(caption, heads, rows, f"F1 by chromosome on {target}")


def worst(target: str, lines: Sequence[CellLine], protocols: Sequence[str], word: str) -> Markup:
    """The groups that were read worst."""
    heads = [
        (word.capitalize(), False),
        ("Images", True),
        *((name, True) for name in protocols),
        ("Commonest mistakes", False),
    ]
    rows = []
    for line in lines:
        cells = "".join(f"<td class=num>{_of_one(line.accuracy.get(name))}</td>" for name in protocols)
        rows.append(
            f'<tr><th scope="row">{escape(line.group)}</th><td class=num>{line.images}</td>{cells}'
            f"<td>{escape(', '.join(line.confusions)) or NOTHING}</td></tr>"
        )
    return _table(
        "Accuracy in %, mean over repeats; 8→X ×3: an 8 was called X three times.", heads, rows, f"Worst of {target}"
    )


def mistakes(classes: Sequence[str], found: TargetDetail) -> tuple[str, str]:
    """The protocol whose mistakes are shown first, and its commonest as text: `8 read as X: 3`."""
    arms = found.confusion
    if not arms:
        return "", ""
    name = TWO_STEP if TWO_STEP in arms else max(arms, key=lambda arm: _macro_f1(found.row.results.get(arm)))
    counts = np.array(arms[name])
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:LISTED].tolist()
    top = [(counts.item(place), *divmod(place, len(classes))) for place in order]
    return name, ", ".join(f"{classes[i]} read as {classes[j]} ({count})" for count, i, j in top if count)


def _macro_f1(result: Result | None) -> float:
    return result.macro_f1.value if result and result.macro_f1 else -1.0


def records(target: str, lines: Sequence[RecordLine]) -> Markup:
    """Every record, one line each."""
    heads = (
        ("Key", False), ("Protocol", False), ("Fold", True), ("Repeat", True), ("Macro-F1, %", True), ("Time", True),
        ("Memory", True), ("Energy", True), ("Ended", False), ("Reproduced", False), ("Curve", False), ("Made by", False), ("Hash", False),
    )  # fmt: skip
    return _table(
        "One line a training; times are of its last stage alone. Keys and hashes: the first 12 characters, more than the commands need.",
        heads, map(_record, lines), f"Records on {target}",
    )  # fmt: skip


def _record(line: RecordLine) -> str:
    result = (
        points(line.macro_f1) if line.macro_f1 is not None else f"failed: {escape(line.failure or 'no reason given')}"
    )
    return (
        f'<tr><th scope="row"><code title="{escape(line.key)}">{escape(line.key[:SHORT])}</code></th><td>{_chain(line.protocol, line.chain)}</td>'
        f"<td class=num>{line.fold}</td><td class=num>{line.repeat}</td><td class=num>{result}</td><td class=num>{duration(line.seconds)}</td>"
        f"<td class=num>{size(line.peak_bytes)}</td><td class=num>{energy(line.energy_joules)}</td><td class=nowrap>{escape(line.ended[:10])}</td>"
        f"<td>{line.reproduced or NOTHING}</td><td>{escape(line.curve) or NOTHING}</td>"
        f"<td>{_maker(line.device, line.sandbox, line.image, line.harness, tuple(line.packages.items()))}</td>"
        f'<td><code title="{escape(line.hash)}">{escape(line.hash[:SHORT])}</code></td></tr>'
    )


@lru_cache(maxsize=1024)
def _chain(protocol: str, chain: tuple[str, ...]) -> str:
    return f"{escape(protocol)}<small>{escape(' → '.join(chain))}</small>"


@lru_cache(maxsize=1024)
def _maker(device: str, sandbox: str, image: str | None, harness: str, packages: tuple[tuple[str, str], ...]) -> str:
    """What made a record: the same for many."""
    where = f"{sandbox}, image {image.removeprefix('sha256:')[:SHORT]}" if image else sandbox
    names = ", ".join(f"{name} {version}" for name, version in packages)
    return f"{escape(device)}, {escape(where)}<small>harness {escape(harness)}; {escape(names)}</small>"
