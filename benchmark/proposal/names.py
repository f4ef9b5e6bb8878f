"""Names and titles that a reader would take for another's.

Two rules. **The same skeleton** is an error: after Unicode look-alikes, upper case, separators, doubled letters
and the pairs that differ by a stroke (0/o, 1/l/i, 5/s, rn/m, vv/w) are made one, nothing distinguishes the two. **One letter
apart** is a warning, because honest names are: ResNet, ResNeXt and ResNeSt are three architectures. Names that differ in a
digit alone are sizes or versions of one family (lite0, lite1) and pass, unless the digit only looks different.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

STROKES = (("vv", "w"), ("rn", "m"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("|", "l"))


class Likeness(NamedTuple):
    """What a name is too close to.

    Attributes:
        field: `name` or `title`.
        other: whose.
        level: `error` or `warning`.
        text: a sentence.
    """

    field: str
    other: str
    level: str
    text: str


@lru_cache(maxsize=1024)
def skeleton(text: str) -> str:
    """What is left of a name when everything is taken away that a reader may overlook."""
    plain = "".join(map(_latin, unicodedata.normalize("NFKD", text)))
    once = re.sub(r"([a-uw-z])\1+", r"\1", unicodedata.normalize("NFKD", plain).casefold())
    short = "".join(c for c in once if unicodedata.category(c)[0] in "LNS")
    for pair, single in STROKES:
        short = short.replace(pair, single)
    return short


def _latin(character: str) -> str:
    """The Latin letter that a character looks like, itself where there is none; by Unicode's table of confusables."""
    if character.isascii():
        return character
    from confusable_homoglyphs import confusables

    found = confusables.is_confusable(character, greedy=True, preferred_aliases=[])
    likes = [one["c"] for entry in found or () for one in entry["homoglyphs"] if one["c"].isascii()]
    letters = [one for one in likes if len(one) == 1 and one.isalnum()]
    return min(letters, key=lambda one: (not one.islower(), one)) if letters else character


def near(first: str, second: str) -> bool:
    """Whether one letter was put in, left out, replaced or swapped with its neighbour; digits do not count.

    Example: `resnet50` and `resent50`, not `lite0` and `lite1`.
    """
    if first == second or abs(len(first) - len(second)) > 1:
        return False
    short, long = sorted((first, second), key=len)
    start = next((k for k, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) != len(long):
        return short[start:] == long[start + 1 :] and not long[start].isdigit()
    if short[start + 1 :] == long[start + 1 :]:
        return not (short[start].isdigit() or long[start].isdigit())
    swapped = short[start : start + 2] == long[start : start + 2][::-1]
    return swapped and short[start + 2 :] == long[start + 2 :] and not short[start : start + 2].isdigit()


def likenesses(name: str, title: str | None, others: Mapping[str, str]) -> list[Likeness]:
    """What a submission's name and title are too close to.

    Args:
        name: of its folder.
        title: of its `submission.yaml`; None where it cannot be read.
        others: title of every other submission, by name.
    """
    found = []
    for other, known in others.items():
        if other == name:
            continue
        if skeleton(other) == skeleton(name):
            text = f"the name {name} looks like that of {other}; choose one that tells the two apart"
            found.append(Likeness("name", other, "error", text))
        elif near(name, other):
            text = f"the name {name} is one letter from {other}: a reader may take one for the other"
            found.append(Likeness("name", other, "warning", text))
        if title is not None and skeleton(known) == skeleton(title):
            text = f"the title {title!r} looks like that of {other}, {known!r}; choose one that tells the two apart"
            found.append(Likeness("title", other, "error", text))
    return found
