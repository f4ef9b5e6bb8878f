"""Text of a submission on one line: nothing that moves a cursor, hides, or turns the reading direction.

XML allows no control character, a table no line break, and a direction mark could show a name as
another one.
"""

from __future__ import annotations

import unicodedata

_SPACE = {"Cc", "Zl", "Zp", "Zs"}
_GONE = {"Cf", "Cs", "Cn", "Co"}


def plain(text: str) -> str:
    """The text with every run of spaces, line ends and control characters as one space, marks without a shape left out."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    kinds = ((character, unicodedata.category(character)) for character in text)
    return " ".join("".join(" " if kind in _SPACE else "" if kind in _GONE else one for one, kind in kinds).split())


def shorten(text: str, limit: int) -> str:
    """The plain text, with an ellipsis where it is longer than so many characters."""
    whole = plain(text)
    return whole if len(whole) <= limit else whole[: limit - 1].rstrip() + "…"
