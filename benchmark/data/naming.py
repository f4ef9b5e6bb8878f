"""What a file's path says of a crop: its class, cell and case, by a template or a regular expression.

A template stands for the end of a path: `{case}_{cell}_{label}*.png` for the file's name alone,
`{label}/{case}-{cell}*.png` for the file and the folder it is in. A field takes everything up to the
character that follows it in the template, and never a slash; `*` takes anything but a slash. `{label}` takes only what is
a class in the form that was declared, so that `{label}*` reads `12b` as 12 and never as 1. What begins with `re:` is a regular
expression with groups `(?P<label>…)`, `(?P<cell>…)`, `(?P<case>…)`, matched against the whole path.

How classes are written is declared, never guessed: 23 is X to some and an error to others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError

FIELDS = ("label", "cell", "case")
REGULAR = "re:"
LONGEST = 300
"""Characters of a template or a regular expression."""


def _padded() -> dict[str, str]:
    return {name.zfill(2) if name.isdigit() else name: name for name in CLASSES}


def _numbers(first: int) -> dict[str, str]:
    found = {str(first + place): name for place, name in enumerate(CLASSES)}
    return found | {number.zfill(2): name for number, name in found.items()}


FORMS: dict[str, dict[str, str]] = {
    "plain": {name: name for name in CLASSES},
    "padded": _padded(),
    "chr": {f"chr{name}": name for name in CLASSES},
    "numbers": _numbers(1),
    "from-zero": _numbers(0),
}
"""How classes may be written: as they are; 01 to 09; chr1, chrX; 23 is X and 24 is Y; 0 is chromosome 1 and 22 is X."""


class Named(NamedTuple):
    """What a path says; `cell` and `case` are empty where it does not say them."""

    label: str
    cell: str
    case: str


class Labels:
    """How classes are written.

    Args:
        form: a key of `FORMS`.
        given: class by how else it is written; comes before the form.

    Raises:
        InputError: for an unknown form or class.
    """

    def __init__(self, form: str = "plain", given: Mapping[str, str] | None = None) -> None:
        if form not in FORMS:
            raise InputError("no such way to write classes", field="labels", found=form, allowed=tuple(FORMS))
        for written, name in (given or {}).items():
            if name not in CLASSES:
                allowed = "1-22, X, Y"
                raise InputError("no such class", field=f"label {written}", found=name, allowed=allowed)
            if not re.fullmatch(r"[^/\s][^/]*", written):
                raise InputError("not the name of a class in a path", field="label", found=written)
        self.form = form
        self.known = {**FORMS[form], **(given or {})}

    @cached_property
    def pattern(self) -> str:
        """Everything that is a class, the longest first, and never a part of a longer number."""
        written = sorted(self.known, key=lambda name: (-len(name), name))
        return "|".join(
            ("(?<!\\d)" if name[0].isdigit() else "") + re.escape(name) + ("(?!\\d)" if name[-1].isdigit() else "")
            for name in written
        )

    def of(self, written: str, where: str) -> str:
        """The class.

        Raises:
            InputError: names the forms that know this way to write it.
        """
        if written not in self.known:
            fits = [form for form, names in FORMS.items() if written in names]
            hint = f"It is a class in the form {' or '.join(fits)}: --labels" if fits else None
            extra = f"Or say which class it is: --label {written}=CLASS"
            raise InputError(
                "not a class as declared", file=where, field="label", found=written,
                allowed=", ".join(FORMS[self.form]), hint=f"{hint}. {extra}" if hint else extra,
            )  # fmt: skip
        return self.known[written]


class Names:
    """Reads paths.

    Args:
        text: a template, or `re:` and a regular expression.
        labels: how classes are written.

    Raises:
        InputError: when it is neither, or has no label.
    """

    def __init__(self, text: str, labels: Labels) -> None:
        self.text, self.labels = text, labels
        if len(text) > LONGEST:
            found, allowed = f"{len(text)} characters", f"at most {LONGEST}"
            raise InputError("too long", field="names", found=found, allowed=allowed)
        if text.startswith(REGULAR):
            self._strict = self._loose = self._compiled(text.removeprefix(REGULAR))
        else:
            self._strict, self._loose = (self._compiled(_expression(text, one)) for one in (labels.pattern, None))
        held = set(self._strict.groupindex)
        if "label" not in held or held - set(FIELDS):
            allowed = "{label}, and {cell} and {case} where they are known; (?P<label>...) after re:"
            raise InputError("names must hold the label", field="names", found=text, allowed=allowed)

    def _compiled(self, expression: str) -> re.Pattern[str]:
        try:
            return re.compile(expression)
        except (re.error, RecursionError, OverflowError) as error:
            raise InputError(f"not a regular expression: {error}", field="names", found=self.text) from error

    @property
    def fields(self) -> tuple[str, ...]:
        """What it tells, in the order of `FIELDS`."""
        return tuple(name for name in FIELDS if name in self._strict.groupindex)

    def read(self, path: str) -> Named:
        """What a path says.

        Args:
            path: below the folder, with slashes.

        Raises:
            InputError: when it does not fit, its label is no class as declared, or a field is empty.
        """
        match = self._match(self._strict, path)
        if match is None:
            if other := self._match(self._loose, path):
                self.labels.of(other["label"], path)
            hint = "A file that is not of the data set: --leave-out PATTERN"
            raise InputError("the name does not fit", file=path, field="names", allowed=self.text, hint=hint)
        told = {name: match[name] or "" for name in self.fields}
        for name, value in told.items():
            if not value.strip() or not value.isprintable():
                raise InputError("empty, or not printable", file=path, field=name, found=value, allowed=self.text)
        return Named(self.labels.of(told["label"], path), told.get("cell", ""), told.get("case", ""))

    def _match(self, expression: re.Pattern[str], path: str) -> re.Match[str] | None:
        if self.text.startswith(REGULAR):
            return expression.fullmatch(path)
        depth = self.text.count("/") + 1
        return expression.fullmatch("/".join(path.split("/")[-depth:]))


def _expression(template: str, label: str | None) -> str:
    """The regular expression of a template; without `label` that of anything that could be one."""
    parts = re.split(r"(\{[^{}]*\}|\*)", template)
    out: list[str] = []
    for place, part in enumerate(parts):
        if part == "*":
            out.append("[^/]*")
        elif part.startswith("{"):
            name = part[1:-1]
            if name not in FIELDS or f"(?P<{name}>" in "".join(out):
                problem = "a field twice" if name in FIELDS else "no such field"
                raise InputError(problem, field="names", found=part, allowed=[f"{{{one}}}" for one in FIELDS])
            following = "".join(parts[place + 1 :])[:1]
            until = "" if following in ("", "*", "{", "/") else re.escape(following)
            if name == "label":
                out.append(f"(?P<label>{label or '[A-Za-z0-9]+(?![A-Za-z0-9])'})")
            elif following in ("*", "{"):
                allowed = "a field and then a character that never stands in it"
                raise InputError("where this field ends is not said", field="names", found=part, allowed=allowed)
            else:
                out.append(f"(?P<{name}>[^/{until}]+)")
        elif "{" in part or "}" in part:
            allowed = "fields in braces, such as {label}"
            raise InputError("a brace without its other one", field="names", found=template, allowed=allowed)
        else:
            out.append(re.escape(part))
    return "".join(out)
