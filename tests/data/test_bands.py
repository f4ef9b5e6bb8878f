"""Bands: what bioframe ships, what dyes do to them, and how people differ."""

from __future__ import annotations

import socket
import sys

import numpy as np
import pytest

from benchmark.data import bands as module
from benchmark.data.bands import Dye, bands, check_dye, homologue, reference
from benchmark.data.manifest import CLASSES
from benchmark.errors import InputError

ACROCENTRIC = {"13", "14", "15", "21", "22"}


def dye_of(label: str, dye: Dye, name: str) -> float:
    """Dye of one named band of the reference chromosome."""
    return float(reference(label, dye).dye[bands(label).names.index(name)])


def test_table_is_read_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network call")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    module._table.cache_clear()
    bands.cache_clear()
    assert [len(bands(label).names) for label in ("1", "21", "Y")] == [63, 14, 11]


def test_missing_bioframe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bioframe", None)
    module._table.cache_clear()
    bands.cache_clear()
    with pytest.raises(InputError, match=r"bioframe, which is not installed\. Run: pip install 'karyobench\[demo\]'"):
        bands("1")


@pytest.mark.parametrize("label", CLASSES)
def test_bands_are_ordered_from_p_to_q_and_part_at_the_centromere(label: str) -> None:
    table = bands(label)
    assert (np.diff(table.ends) > 0).all()
    arms = [name[0] for name in table.names]
    assert arms == sorted(arms)
    assert table.centromere == table.ends[arms.count("p") - 1]


def test_lengths_and_centromeres_are_those_of_hg38() -> None:
    assert bands("1").length == pytest.approx(248.956422)
    assert bands("21").length == pytest.approx(46.709983)
    assert bands("1").centromere == pytest.approx(123.4)
    early = {label for label in CLASSES if bands(label).centromere / bands(label).length < 0.3}
    assert early >= ACROCENTRIC
    assert not early & {"1", "3", "16", "19", "20"}


def test_dark_in_g_is_bright_in_q_outside_heterochromatin() -> None:
    for label in CLASSES:
        plain = [stain.startswith("g") and stain != "gvar" for stain in bands(label).stains]
        q, g = reference(label, "Q").dye[plain], reference(label, "G").dye[plain]
        assert np.corrcoef(q, g)[0, 1] > 0.99


def test_heterochromatin_differs_between_the_stains() -> None:
    ordinary = max(reference("1", "Q").dye)
    assert dye_of("Y", "Q", "q12") > 1.5 * ordinary
    for label, name in (("1", "q12"), ("9", "q12"), ("16", "q11.2")):
        assert dye_of(label, "Q", name) <= min(reference(label, "Q").dye)
        assert dye_of(label, "G", name) > dye_of(label, "Q", name)
    assert dye_of("Y", "G", "q12") < 1.0


def test_only_acrocentrics_have_a_stalk() -> None:
    assert {label for label in CLASSES if (reference(label, "G").thin < 1).any()} == ACROCENTRIC


def test_people_differ_in_heterochromatin_only() -> None:
    first, second = (homologue("9", "G", np.random.default_rng(seed)) for seed in (1, 2))
    variable = [stain in ("gvar", "stalk") for stain in bands("9").stains]
    one, two = (np.diff(item.ends, prepend=0.0) for item in (first, second))
    plain = np.diff(bands("9").ends, prepend=0.0)
    assert (one[variable] != two[variable]).all()
    assert one[np.logical_not(variable)] == pytest.approx(plain[np.logical_not(variable)])
    gpos = [stain.startswith("gpos") for stain in bands("9").stains]
    assert (first.dye[gpos] == second.dye[gpos]).all()


def test_a_longer_short_arm_moves_the_centromere() -> None:
    for seed in range(5):
        copy = homologue("13", "Q", np.random.default_rng(seed))
        acen = bands("13").stains.index("acen")
        assert copy.centromere == copy.ends[acen] != bands("13").centromere


def test_polymorphism_is_drawn_around_the_reference() -> None:
    lengths = [homologue("Y", "Q", np.random.default_rng(seed)).length for seed in range(300)]
    assert np.mean(lengths) == pytest.approx(bands("Y").length, rel=0.05)
    assert 3.0 < np.std(lengths) < 12.0


def test_positions_find_their_band() -> None:
    copy = reference("1", "G")
    assert list(copy.at(np.array([0.0, 2.29, 2.31, 1000.0]))) == [0, 0, 1, len(copy.ends) - 1]


@pytest.mark.parametrize("label", ["0", "23", "x", "chr1", ""])
def test_unknown_chromosome(label: str) -> None:
    with pytest.raises(InputError, match=r"label: no such chromosome.*allowed: 1-22, X, Y"):
        bands(label)


def test_unknown_stain() -> None:
    with pytest.raises(InputError, match=r"stain: no such stain; found 'R'; allowed: Q, G"):
        check_dye("R")
