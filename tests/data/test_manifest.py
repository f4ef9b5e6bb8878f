"""A manifest round-trips, splits, hashes, and names what is wrong in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import resources
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, COLUMNS, FOLDS, Entry, Manifest, build, parse, pixel_hash
from benchmark.errors import InputError

SHA = "0" * 64


def entry(image: str, **changes: object) -> Entry:
    return Entry(image, "1", "c1", "p1", 10, 20, SHA, 0, -1)._replace(**changes)


def text(*lines: str) -> str:
    return "\n".join([",".join(COLUMNS), *lines]) + "\n"


GOOD = f"a,1,c1,p1,10,20,{SHA},0,-1"


@given(
    st.lists(
        st.builds(
            Entry,
            st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
            st.sampled_from(CLASSES),
            st.text("abc,\"' é", max_size=4),
            st.text("xyz", max_size=3),
            st.integers(1, 300),
            st.integers(1, 300),
            st.just(SHA),
            st.integers(-1, FOLDS - 1),
            st.integers(-1, FOLDS - 1),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda item: item.image,
    )
)
def test_round_trip(entries: list[Entry]) -> None:
    manifest = build(entries, "cell")
    again = parse(manifest.text(), "cell", "here")
    assert again == manifest
    assert again.digest == manifest.digest


def test_written_file_is_read_back(tmp_path: Path) -> None:
    manifest = build([entry("b"), entry("a", label="Y")], "cell")
    manifests.write(tmp_path / "manifest.csv", manifest)
    assert parse((tmp_path / "manifest.csv").read_text(), "cell", "x") == manifest
    assert manifests.read(tmp_path / "manifest.csv", "cell") == manifest


def test_order_is_by_id_whatever_the_input() -> None:
    assert [item.image for item in build([entry("b"), entry("a"), entry("c")], "cell").entries] == ["a", "b", "c"]


def test_columns_as_arrays() -> None:
    manifest = build([entry("a"), entry("b", label="X", cell="c2", case="p2", fold=3, validation_of=2)], "case")
    assert len(manifest) == 2
    assert manifest.labels.tolist() == [0, 22]
    assert manifest.groups.tolist() == ["p1", "p2"]
    assert manifest.cells.tolist() == ["c1", "c2"]
    assert manifest.folds.tolist() == [0, 3]
    assert manifest.validation_of.tolist() == [-1, 2]


def test_parts_of_every_fold_are_disjoint_and_whole() -> None:
    random = np.random.default_rng(0)
    entries = [
        entry(f"{k:03}", fold=int(random.integers(5)), validation_of=int(random.integers(-1, 5))) for k in range(200)
    ]
    manifest = build(entries, "cell")
    for fold in range(FOLDS):
        parts = [manifest.part(fold, part) for part in ("train", "validation", "test")]
        assert sorted(np.concatenate(parts).tolist()) == list(range(200))
    assert sorted(np.concatenate([manifest.part(fold, "test") for fold in range(FOLDS)]).tolist()) == list(range(200))


def test_test_wins_over_validation() -> None:
    manifest = build([entry("a", fold=2, validation_of=2)], "cell")
    assert manifest.part(2, "test").tolist() == [0]
    assert manifest.part(2, "validation").tolist() == []


def test_with_folds_changes_nothing_else() -> None:
    manifest = build([entry("a"), entry("b")], "cell")
    moved = manifest.with_folds(np.array([4, 1]), np.array([-1, 0]))
    assert moved.entries == (entry("a", fold=4), entry("b", fold=1, validation_of=0))
    assert moved.digest != manifest.digest
    with pytest.raises(ValueError, match="zip"):
        manifest.with_folds(np.array([4]), np.array([-1]))


def test_pixel_hash_knows_shape_and_every_pixel() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    changed = pixels.copy()
    changed[2, 3] += 1
    assert len({pixel_hash(pixels), pixel_hash(pixels.reshape(4, 3)), pixel_hash(changed)}) == 3
    assert pixel_hash(pixels) == pixel_hash(np.asfortranarray(pixels))


def test_digest_follows_the_text() -> None:
    assert build([entry("a")], "cell").digest != build([entry("a", fold=1)], "cell").digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["line 1", "image,label"]),
        ("image,label\n", ["line 1", "image,label,cell"]),
        (text(), ["holds no image"]),
        (text("a,1,c1"), ["line 2", "found 3", "9"]),
        (text(GOOD, GOOD.replace("a,1,", "b,25,")), ["line 3, label", "'25'", "1-22, X, Y"]),
        (text(GOOD.replace("10", "ten")), ["line 2", "whole number", "ten"]),
        (text(GOOD.replace(",10,", ",0,")), ["line 2, width", "found 0"]),
        (text(GOOD.replace(",20,", ",-3,")), ["line 2, height", "found -3"]),
        (text(GOOD.replace(",0,-1", ",5,-1")), ["line 2, fold", "found 5", "-1 to 4"]),
        (text(GOOD.replace(",0,-1", ",0,-2")), ["line 2, validation_of", "found -2"]),
        (text(GOOD.replace(SHA, "abc")), ["line 2, sha256", "'abc'", "64"]),
        (text(GOOD, GOOD), ["same image id twice", "'a'"]),
        (text('a,"' + "x" * 200_000), ["line 2", "field larger"]),
    ],
)
def test_broken_file_is_named(content: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(content, "cell", "some/manifest.csv")
    for word in ["some/manifest.csv", *words]:
        assert word in str(caught.value)


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"manifest\.csv: not UTF-8"):
        manifests.read(path, "cell")


def test_same_id_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        build([entry("a"), entry("a", fold=1)], "cell")


def test_shipped_manifest_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "benchmark")
    for name in ("with", "without"):
        (tmp_path / "datasets" / name).mkdir(parents=True)
        (tmp_path / "datasets" / name / "card.yaml").touch()
    manifest = Manifest((entry("a"),), "cell")
    manifests.write(tmp_path / "datasets" / "with" / "manifest.csv", manifest)
    assert manifests.shipped("with", "cell") == manifest
    assert manifests.shipped("without", "cell") is None
    with pytest.raises(InputError, match="with, without"):
        manifests.shipped("neither", "cell")


def test_a_cell_whose_case_is_known_is_grouped_by_it() -> None:
    """Two pictures of one metaphase must not stand on both sides of a split."""
    entries = [
        manifests.Entry(f"i{number}", "1", f"c{number}", case, 4, 4, "0" * 64, 0, -1)
        for number, case in enumerate(["", "p", "p", ""])
    ]
    found = manifests.build(entries, "cell")
    assert list(found.groups) == ["c0", "p", "p", "c3"] and list(found.cells) == ["c0", "c1", "c2", "c3"]
