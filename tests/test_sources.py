from dataclasses import replace
from typing import Any

import pytest

from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Entry, Manifest
from benchmark.errors import InputError
from benchmark.sources import check


def made(name: str) -> Manifest:
    entries = [Entry(f"{name}-{k}", CLASSES[k], "", f"p{k}", 9, 9, f"{name}{k:063d}", k % 5, -1) for k in range(10)]
    return manifests.build(entries, "case")


KNOWN: dict[str, Any] = {"a": made("a"), "b": made("b"), "c": made("c"), "unknown": None}


def test_datasets_of_other_people_may_be_sources_whatever_their_cases_are_called() -> None:
    check("a", ["b", "c", "unknown"], KNOWN, {"b": ["c"], "d": ["a"]})


@pytest.mark.parametrize(("sources", "overlaps", "message"), [
    (["a"], {}, "source: the target is among its sources; found 'a'.*--target"),
    (["b", "a"], {}, r"found 'b\+a'; allowed: datasets other than a"),
    (["b", "c"], {"c": ["a"]}, "shows people of the target a, as a card declares.*found 'c'"),
    (["b"], {"a": ["b"]}, "shows people of the target a.*found 'b'; allowed: datasets of other people"),
])  # fmt: skip
def test_a_source_that_holds_the_target_is_refused(sources: list[str], overlaps: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check("a", sources, KNOWN, overlaps)


def test_equal_pixels_are_found_by_their_hashes_though_nobody_declared_them() -> None:
    entries = list(KNOWN["b"].entries)
    entries[3:5] = [entries[k]._replace(sha256=KNOWN["a"].entries[k].sha256) for k in (3, 4)]
    with pytest.raises(InputError, match=r"2 images of this source .* target a, the first b-3 = a-3; found 'b'"):
        check("a", ["c", "b"], {**KNOWN, "b": replace(KNOWN["b"], entries=tuple(entries))}, {})
