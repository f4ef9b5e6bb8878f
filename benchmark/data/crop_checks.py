"""What is wrong with a crop, or with all of them together, before it becomes part of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.data.manifest import CLASSES, Entry
from benchmark.data.preprocess import foreground_level, unify
from benchmark.errors import InputError

U8 = npt.NDArray[np.uint8]

SMALLEST = 8
"""Pixels of the shorter side. The smallest real crop of the shipped datasets has 13."""

FLAT = 16
"""Grey values between the darkest and the lightest pixel, below which nothing is shown."""

FRAMED = 0.95
"""Part of the outermost pixels that are as light as a chromosome, from which on they are a frame and no background."""

NAMED = 5
"""Files that an error names."""


class Seen(NamedTuple):
    """What was found in one crop: what is wrong with it, and whether its border is no background."""

    problem: InputError | None
    framed: bool


def look(pixels: U8, polarity: str, where: str) -> Seen:
    """Look at one crop (height, width)."""
    height, width = pixels.shape
    if min(height, width) < SMALLEST:
        found, allowed = f"{width} x {height} pixels", f"at least {SMALLEST} a side"
        return Seen(InputError("too small", file=where, found=found, allowed=allowed), False)
    darkest, lightest = int(pixels.min()), int(pixels.max())
    if lightest - darkest < FLAT:
        found, allowed = f"grey values {darkest} to {lightest}", f"at least {FLAT} apart"
        return Seen(InputError("nothing is on it", file=where, found=found, allowed=allowed), False)
    light = unify(pixels, polarity)
    border = np.concatenate([light[0], light[-1], light[1:-1, 0], light[1:-1, -1]])
    part = float((border >= foreground_level(light)).mean())
    if part < FRAMED:
        return Seen(None, False)
    problem = InputError(
        "a frame, or no background around the chromosome", file=where, field=f"polarity {polarity}",
        found=f"{part:.0%} of the border as light as a chromosome" if polarity == "light-on-dark"
        else f"{part:.0%} of the border as dark as a chromosome",
        allowed=f"less than {FRAMED:.0%}", hint="Cut the frame off, or leave the file out: --leave-out PATTERN",
    )  # fmt: skip
    return Seen(problem, True)


def one_error(problems: Sequence[InputError]) -> InputError:
    """One error for many: the first, and how many and which files have the like."""
    first = problems[0]
    rest = [str(problem.file) for problem in problems[1:]]
    if not rest:
        return first
    more = f" and {len(rest) - NAMED} more" if len(rest) > NAMED else ""
    files = f"{len(rest)} other file{'s' * (len(rest) > 1)} cannot be used: {', '.join(rest[:NAMED])}{more}"
    return InputError(
        first.problem, file=first.file, field=first.field, found=first.found, allowed=first.allowed,
        hint=f"{first.hint}. {files}" if first.hint else files,
    )  # fmt: skip


def wrong_polarity(framed: int, images: int, polarity: str) -> InputError | None:
    """The error of a declared polarity that most crops contradict."""
    if framed * 2 <= images:
        return None
    other = "light-on-dark" if polarity == "dark-on-light" else "dark-on-light"
    return InputError(
        "most crops have no such background", field="polarity", found=f"{polarity}; not so in {framed:,} of {images:,}",
        allowed=f"{other}, or crops cut out on black or white", hint=f"Look at some of them, then perhaps: --polarity {other}",
    )  # fmt: skip


def absent(labels: Iterable[str], declared: Iterable[str]) -> InputError | None:
    """The error of classes that are not there, or are although they were declared absent."""
    present, gone = set(labels), set(declared)
    unknown = gone - set(CLASSES)
    if unknown:
        return InputError("no such class", field="--without", found=", ".join(sorted(unknown)), allowed="1-22, X, Y")
    if there := present & gone:
        found = ", ".join(name for name in CLASSES if name in there)
        return InputError("declared absent, and there", field="--without", found=found)
    missing = [name for name in CLASSES if name not in present | gone]
    if not missing:
        return None
    options = " ".join(f"--without {name}" for name in missing)
    hint = f"A score over fewer classes is another score. If they are truly absent, say so: {options}"
    found = ", ".join(missing)
    return InputError("no image of these classes", field="label", found=found, allowed="1-22, X, Y", hint=hint)


def two_labels(entries: Sequence[Entry]) -> InputError | None:
    """The error of pictures of equal pixels under two labels."""
    known: dict[str, Entry] = {}
    found = []
    for entry in entries:
        other = known.setdefault(entry.sha256, entry)
        if other.label != entry.label:
            found.append((other, entry))
    if not found:
        return None
    first, second = found[0]
    more = f"; {len(found) - 1} more such pairs" if len(found) > 1 else ""
    return InputError(
        "one picture under two labels", file=second.image, field="label",
        found=f"{second.label}, and {first.label} in {first.image}{more}", allowed="one label a picture",
        hint="Correct the labels, or leave both out: --leave-out PATTERN",
    )  # fmt: skip
