"""Which results of two versions of the harness may stand in one figure: the declared table, and what it says of records.

`versions.yaml` lists every version with the numbers that decide its results. Versions that are comparable make an
*era*, which is called by its oldest version. A record of a version that the table does not know, or that says other numbers
than the table, is an era of its own: nothing is known of it, so that it is comparable with nothing else.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

import benchmark
from benchmark.data.preprocess import VERSION
from benchmark.errors import InputError
from benchmark.files import Strict, read_yaml
from benchmark.plan import KEY_VERSION
from benchmark.resources import PACKAGE

PATH = PACKAGE / "versions.yaml"

Number = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Harness = Mapping[str, Any]
"""What a record says of its harness: `version`, and `keys` and `pixels` where it was written by a version that says so."""

Said = tuple[tuple[str, str], ...]
"""The same without all else, so that it can be looked up."""


class Version(Strict):
    """One version of the harness."""

    version: Number
    keys: int = Field(ge=1, description="KEY_VERSION: what training computes for the same inputs")
    pixels: int = Field(ge=1, description="VERSION of preprocessing: the pixels that a network sees")
    changed: str = Field(min_length=1, max_length=500, description="what is new in its results")
    comparable_with: tuple[Number, ...] = Field((), description="earlier versions")

    @property
    def numbers(self) -> str:
        """Both numbers, for people."""
        return f"keys {self.keys}, pixels {self.pixels}"


class Table(Strict):
    """All versions, oldest first."""

    versions: tuple[Version, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> Table:
        known: dict[str, Version] = {}
        eras: dict[str, frozenset[str]] = {}
        last: tuple[int, ...] = ()
        for one in self.versions:
            place = tuple(int(part) for part in one.version.split("."))
            if place <= last:
                raise ValueError(f"{one.version} must come before what it follows")
            last = place
            named = frozenset(one.comparable_with)
            for name in sorted(named):
                if name not in known:
                    raise ValueError(f"{one.version} is comparable with {name}, which is no earlier version")
                if known[name].numbers != one.numbers:
                    raise ValueError(
                        f"{one.version} ({one.numbers}) cannot be comparable with {name} ({known[name].numbers})"
                    )
                if eras[name] != named:
                    raise ValueError(
                        f"{one.version} must be comparable with all of {', '.join(sorted(eras[name]))} or none"
                    )
            known[one.version] = one
            whole = named | {one.version}
            eras |= dict.fromkeys(whole, whole)
        return self

    def find(self, version: str) -> Version | None:
        """The entry of a version; None where there is none."""
        return next((one for one in self.versions if one.version == version), None)


@functools.cache
def table() -> Table:
    """The declared table."""
    return read_yaml(PATH, Table)


def missing() -> str | None:
    """What the table lacks of the version that runs; None where nothing."""
    found = table().find(benchmark.__version__)
    own = f"keys {KEY_VERSION}, pixels {VERSION}"
    if found is None:
        return f"no entry for version {benchmark.__version__} ({own})"
    if found.numbers != own:
        return (
            f"version {found.version} has {found.numbers} in the table, and {own} in the code: a new version is wanted"
        )
    return None


def entry(harness: Harness) -> Version | None:
    """The table's entry of a record's harness; None where it has none, or one with other numbers.

    A record that does not say its harness is of the oldest; one that says no numbers has those of its version.
    """
    found = table().find(str(harness["version"])) if harness.get("version") else table().versions[0]
    if found is None:
        return None
    said = {name: str(harness[name]) for name in ("keys", "pixels") if name in harness}
    return found if said.items() <= {"keys": str(found.keys), "pixels": str(found.pixels)}.items() else None


_ERAS: dict[Said, tuple[Table, str]] = {}
"""Eras that were asked for, and by which table: thousands of records say the same."""


def era(record: Mapping[str, Any]) -> str:
    """What a record is comparable with: the oldest version of its era, or a name of its own where nothing is known."""
    said, declared = _said(record), table()
    known = _ERAS.get(said)
    if known is None or known[0] is not declared:
        found = entry(dict(said))
        name = _name(dict(said)) if found is None else min((found.version, *found.comparable_with), key=_order)
        known = _ERAS[said] = declared, name
    return known[1]


def _said(record: Mapping[str, Any]) -> Said:
    harness: Harness = record.get("harness") or {}
    version = harness.get("version")
    found: Said = (("version", str(version)),) if version else ()
    for name in ("keys", "pixels"):
        if name in harness:
            found += ((name, str(harness[name])),)
    return found


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _name(harness: Harness) -> str:
    """A name from what a record says, of characters that a file's name may have."""
    parts = [
        str(harness.get("version", "unknown")),
        *(f"{name[0]}{harness[name]}" for name in ("keys", "pixels") if name in harness),
    ]
    return "".join(one if one.isascii() and (one.isalnum() or one in ".-") else "-" for one in "-".join(parts))[:40]


def present() -> str:
    """The era of this harness."""
    return era({"harness": own()})


def own() -> dict[str, str]:
    """What a record of this harness says, without the hash of its code."""
    return {"version": benchmark.__version__, "keys": str(KEY_VERSION), "pixels": str(VERSION)}


def one_era(records: Iterable[Mapping[str, Any]], field: str) -> str | None:
    """The era of records that are to stand in one figure; None of none.

    Args:
        records: of units.
        field: what the figure is called.

    Raises:
        InputError: when they are of several eras; names them.
    """
    found = sorted({era(record) for record in records})
    if len(found) > 1:
        raise InputError(
            "records of harness versions that are not comparable cannot stand in one figure", field=field,
            found=", ".join(found), allowed="records of one line of docs/versions.md",
        )  # fmt: skip
    return found[0] if found else None


def sentence(harness: Harness) -> str:
    """Whether what a harness made is comparable with what this one makes, and why."""
    made, here = entry(harness), entry(own())
    name = str(harness.get("version", "not recorded"))
    if made is None:
        return (
            f"made by harness {_name(harness)}, which the table of versions does not hold: comparable with nothing else; "
            "a newer version of this program may know it"
        )
    if here is None:
        return f"made by harness {name} ({made.numbers}); this one is not in the table of versions, so that nothing is comparable with it"
    if era({"harness": harness}) == present():
        if made.version == here.version:
            return f"made by harness {name} ({made.numbers}), which is this one"
        return f"made by harness {name} ({made.numbers}), comparable with this one, {here.version}"
    return (
        f"made by harness {name} ({made.numbers}), not comparable with this one, {here.version} ({here.numbers}): {_why(made, here)}; "
        "they stand apart, in rows of their own"
    )


def _why(made: Version, here: Version) -> str:
    """What changed between two versions of different eras."""
    first, last = sorted((_order(made.version), _order(here.version)))
    return " ".join(one.changed for one in table().versions if first < _order(one.version) <= last).rstrip(".")


def sentences(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the records of a ledger say of their harness, a sentence for each version, the commonest first."""
    said: Counter[str] = Counter()
    for one, count in Counter(map(_said, records)).items():
        said[sentence(dict(one))] += count
    return [f"{count:,} record{'s' * (count > 1)} {text}." for text, count in said.most_common()]
