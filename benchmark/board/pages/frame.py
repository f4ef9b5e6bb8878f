"""How every page of the board is made: Jinja with everything escaped, one frame, and the files pages load.

What a page reads besides its own HTML is a classic script: neither modules nor `fetch` work from a disk.
Every text of a submission is hostile: templates escape it, `script` cannot be left by it, `link` lets only
web addresses through, and the frame's policy lets a page load nothing but its own folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.board.model import Badge, Board, VerdictName
from benchmark.files import digest
from benchmark.wording import duration, p_value, points, reach

HERE = Path(__file__).parents[1]
TEMPLATES, STATIC = HERE / "templates", HERE / "static"

BADGES: dict[Badge, str] = {
    "simulated": "drawn images, not people's chromosomes: the figures show that the suite runs, and nothing else",
    "self-run": "some trainings ran outside the sealed container, as a process of whoever ran them",
    "sealed": "every training ran in the sealed container, without network and without the test labels",
    "unpinned": "the ImageNet weights have no fixed hash, so that the same run may start from other weights",
    "flagged": "a learning curve rises implausibly fast; somebody should look at it",
    "withdrawn": "taken off the board; its records stay in the ledger",
    "bitwise": "run again, with the same logits to the bit",
    "tolerance": "run again, with logits that differ by rounding alone",
    "statistical": "run again, with scores that differ by no more than chance",
    "not reproduced": "a record of it was run again and never came out the same, not even within chance",
}
"""What each badge says, in words."""

VERDICTS: dict[VerdictName, str] = {
    "better": "a new training on new cells or people is expected to gain: chance alone would hardly do this",
    "worse": "likewise, but it is expected to lose",
    "equivalent": "the gain is shown to lie within half a point of nothing, and the trainings are many enough to show that",
    "undecided": "neither can be said; the smallest detectable gain says what would have been seen",
    "withheld": "too few trainings or groups for any verdict: it takes six of each",
}
"""What each verdict says, in words."""


def link(address: str | None) -> str:
    """The address where it is one of the web (http or https, with a host), else an empty text."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return ""
    return address or "" if parts.scheme in ("http", "https") and parts.netloc else ""


def signed(value: float) -> str:
    """Parts of 1 as points with a sign, for a gain."""
    return points(value, signed=True)


def script(name: str, data: object) -> bytes:
    """A classic script that hands data to the page: `KB.put(name, data)`.

    The data is parsed from a text literal, which browsers do faster than reading it as code. Neither
    `</script>`, U+2028 nor a quote can end the literal.

    Args:
        name: what the page asks for with `KB.get`.
        data: anything JSON can hold, without NaN.

    Raises:
        ValueError: for NaN or infinity.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    text = text.replace("\\", "\\\\").replace("'", "\\'").replace("<", "\\u003c")
    return f"KB.put({json.dumps(name)}, JSON.parse('{text}'));\n".encode()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # a page would look for changed templates, thousands of times
    )
    environment.filters.update(points=points, signed=signed, p_value=p_value, link=link, duration=duration, reach=reach)
    environment.globals.update(BADGES=BADGES, VERDICTS=VERDICTS)
    return environment


_ENVIRONMENT = _environment()


def render(template: str, *, root: str, page: str, board: Board, **values: Any) -> bytes:
    """One page.

    Args:
        template: file below `templates`.
        root: from the page to the board's folder: empty, or `../`.
        page: `board`, `compare`, `method`, `changes`, `elsewhere` or `status`: which entry of the navigation is current; else none is.
        board: what the frame's footer speaks of.
        values: what the template asks for besides.

    Returns:
        UTF-8 bytes.

    Raises:
        jinja2.UndefinedError: when the template asks for something that was not given.
    """
    found = _ENVIRONMENT.get_template(template).render(root=root, page=page, board=board, **values)
    return found.encode()


def look() -> str:
    """Hash of all templates: pages that were made with others are made again."""
    return digest({path.name: path.read_text(encoding="utf-8") for path in TEMPLATES.iterdir()})


def assets() -> Iterator[tuple[str, bytes]]:
    """Every file that pages share, as (path in the board's folder, content)."""
    for path in sorted(STATIC.iterdir()):
        if path.suffix in (".css", ".js"):
            yield f"assets/{path.name}", path.read_bytes()
    yield "assets/vendor-licenses.txt", (STATIC / "vendor" / "LICENSES").read_bytes()
