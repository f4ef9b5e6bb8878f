"""The C library and the reader in Python are one reader to whoever calls."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmark import resources, strict_yaml
from benchmark.strict_yaml import MAX_NESTING, parse, text_of

PIECES = st.sampled_from(
    ["a", "b", ": ", ":", "\n", "  ", "- ", "{", "}", "[", "]", ", ", "1", "1.5", "true", "~", "'", '"', "#", "|\n", ">\n",
     "&x ", "*x", "!!str ", "!!set ", "<<: ", "? ", "---\n", "...\n", "2020-01-02", "0x1F", "é", "\t", "\\", "%", "@", "1_0"]
)  # fmt: skip


def outcome(text: str) -> Any:
    try:
        return parse(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {getattr(error, 'problem', error)}"


@given(st.lists(PIECES, max_size=14).map("".join))
@settings(max_examples=300)
@example("a: &x 1\nb: *x\n")
@example("a: 1\na: 2\n")
@example("<<: {a: 1}\na: 2\n")
@example("[" * 200 + "]" * 200)
def test_with_and_without_the_c_library(text: str) -> None:
    quick = outcome(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_yaml.yaml, "__with_libyaml__", False)
        assert repr(quick) == repr(outcome(text))


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML has no C library here")
def test_what_is_shipped_is_read_by_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise AssertionError("read in Python")

    monkeypatch.setattr(strict_yaml._Loader, "get_single_data", slow)
    for kind, file in (("submissions", "submission.yaml"), ("datasets", "card.yaml")):
        names = resources.names(kind, file)
        assert names
        for name in names:
            assert parse((resources.named(kind, name, file) / file).read_text(encoding="utf-8"))["name"] == name


@pytest.mark.parametrize("levels", [MAX_NESTING, MAX_NESTING + 1, 300])
def test_levels(levels: int) -> None:
    data = parse("[" * levels + "]" * levels)
    for _ in range(levels - 1):
        (data,) = data
    assert data == []


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_text_nested_without_end_is_an_error_and_no_crash(opening: str) -> None:
    with pytest.raises((yaml.YAMLError, RecursionError)):
        parse(opening * 20_000)


def test_text_of_is_read_back() -> None:
    data = {"name": "é", "sizes": [1, 2.5], "on": True, "none": None, "deep": {"a": ["b: c", "- d"]}}
    assert parse(text_of(data)) == data
    assert list(parse(text_of(data))) == list(data)
