"""One line that names file, field, found and allowed; every kind has its own exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import InfrastructureError, InputError, IntegrityError, KaryoError


def test_everything_is_named_in_order() -> None:
    error = InputError(
        "wrong stain", file=Path("a/card.yaml"), field="stain", found="R", allowed=["Q", "G"], hint="See the docs"
    )
    assert str(error) == "a/card.yaml: stain: wrong stain; found 'R'; allowed: Q, G. See the docs"
    assert (error.problem, error.field, error.found, error.allowed) == ("wrong stain", "stain", "R", "Q, G")


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({}, "bad"),
        ({"file": "f"}, "f: bad"),
        ({"field": "x"}, "x: bad"),
        ({"found": 0}, "bad; found 0"),
        ({"found": ""}, "bad; found ''"),
        ({"found": None}, "bad"),
        ({"allowed": "1 to 3"}, "bad; allowed: 1 to 3"),
        ({"hint": "Do this"}, "bad. Do this"),
    ],
)
def test_only_what_is_known_is_said(kwargs: dict[str, object], text: str) -> None:
    assert str(InputError("bad", **kwargs)) == text


def test_long_values_are_cut() -> None:
    text = str(InputError("bad", found="x" * 10_000))
    assert len(text) < 150
    assert text.endswith("xxx...")


def test_value_with_line_breaks_stays_on_one_line() -> None:
    assert "\n" not in str(InputError("bad", found="a\nb"))


def test_exit_codes_differ_and_fail() -> None:
    codes = [kind.exit_code for kind in (KaryoError, InputError, IntegrityError, InfrastructureError)]
    assert len(set(codes)) == 4
    assert 0 not in codes


def test_what_a_user_can_mend_is_not_the_machine() -> None:
    assert issubclass(IntegrityError, InputError)
    assert not issubclass(InfrastructureError, InputError)
    assert issubclass(InfrastructureError, KaryoError)
