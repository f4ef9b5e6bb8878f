import numpy as np
import pytest

from benchmark.data.manifest import CLASSES, Entry, Manifest, build
from benchmark.scoring import by_group, score, tallied, unpermute
from benchmark.stats.pseudo import tally


@pytest.fixture
def manifest() -> Manifest:
    entries = []
    for cell in range(10):
        for number, label in enumerate(CLASSES):
            entries.append(Entry(f"c{cell}-{number:02d}", label, f"c{cell}", "", 4, 4, "0" * 64, cell % 5, -1))
    return build(entries, "cell")


def perfect(manifest: Manifest, fold: int) -> np.ndarray:
    truth = manifest.labels[manifest.part(fold, "test")]
    return (np.eye(24)[truth] * 9).astype(np.float32)


def test_the_permutation_is_undone(manifest: Manifest) -> None:
    right = perfect(manifest, 0)
    order = np.random.default_rng(0).permutation(len(right))
    stored = unpermute(right[order], order)
    assert stored.dtype == np.float16 and (stored == right).all()
    assert score(stored, manifest, 0)["macro_f1"] == 1.0


def test_forgetting_the_permutation_scores_like_chance(manifest: Manifest) -> None:
    right = perfect(manifest, 0)
    order = np.random.default_rng(0).permutation(len(right))
    assert score(right[order].astype(np.float16), manifest, 0)["accuracy"] < 0.3


def test_one_wrong_image_spoils_its_cell_only(manifest: Manifest) -> None:
    stored = unpermute(perfect(manifest, 0), np.arange(48))
    stored[0] = np.roll(stored[0], 1)
    found = score(stored, manifest, 0)
    assert found["images"] == 48 and found["accuracy"] == pytest.approx(47 / 48)
    assert found["karyotype_accuracy"] == 0.5
    truth = manifest.labels[manifest.part(0, "test")][0]
    assert found["confusion"][truth][(truth + 1) % 24] == 1
    assert found["f1"][CLASSES[truth]] == pytest.approx(2 / 3)


def test_groups_are_the_cells(manifest: Manifest) -> None:
    tested = manifest.tested(2)
    matrices = by_group(unpermute(perfect(manifest, 2), np.arange(48)).argmax(1), tested)
    assert tested.names == ["c2", "c7"] and matrices.shape == (2, 24, 24) and (matrices.sum((1, 2)) == 24).all()


def test_counts_are_those_of_the_matrices(manifest: Manifest) -> None:
    for fold in range(5):
        said = np.random.default_rng(fold).integers(0, 24, len(manifest.part(fold, "test"))).astype(np.uint8)
        expected = tally(by_group(said, manifest.tested(fold))[None])
        for found, wanted in zip(tallied(said, manifest.tested(fold)), expected, strict=True):
            assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


def test_without_cells_there_is_no_karyotype_accuracy(manifest: Manifest) -> None:
    bare = build([entry._replace(cell="") for entry in manifest.entries], "image")
    assert score(unpermute(perfect(bare, 1), np.arange(48)), bare, 1)["karyotype_accuracy"] is None
