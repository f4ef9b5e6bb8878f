"""The classical line on tiny images: what it learns from, what it does not see, and that its file is scored."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from bench import classical
from benchmark import track as tracks
from benchmark.cli.main import app
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.data.store import Store
from benchmark.elsewhere.given import read
from tests.conftest import tiny_manifest

SIZE = 24


def images(manifest: Manifest, pixels: dict[str, np.ndarray]) -> np.ndarray:
    found = np.zeros((len(manifest), SIZE, SIZE), np.uint8)
    for place, entry in zip(found, manifest.entries, strict=True):
        crop = pixels[entry.image][:SIZE, :SIZE]
        place[: crop.shape[0], : crop.shape[1]] = crop
    return found


@pytest.fixture(scope="module")
def tiny() -> tuple[np.ndarray, Manifest]:
    manifest, pixels = tiny_manifest("Q")
    return images(manifest, pixels), manifest


def fold(pictures: np.ndarray, manifest: Manifest, number: int = 2, seed: int = 0) -> classical.Fitted:
    return classical.read_fold(pictures, manifest, number, 40, seed, lambda: None)


def test_it_reads_what_it_was_not_taught_and_says_what_it_chose(tiny: tuple[np.ndarray, Manifest]) -> None:
    pictures, manifest = tiny
    found = fold(pictures, manifest)
    test = manifest.part(2, "test")
    assert found.values.shape == (len(test), 24) and np.isfinite(found.values).all()
    assert f1_score(manifest.labels[test], found.values.argmax(1), average="macro") > 0.8
    assert found.cost in classical.COSTS and found.gamma in classical.GAMMAS and 0.8 < found.validation <= 1


def test_the_same_seed_gives_the_same_numbers(tiny: tuple[np.ndarray, Manifest]) -> None:
    assert (fold(*tiny).values == fold(*tiny).values).all()


def test_neither_labels_nor_pixels_of_the_test_part_decide_anything(tiny: tuple[np.ndarray, Manifest]) -> None:
    pictures, manifest = tiny
    test = manifest.part(2, "test")
    first = fold(pictures, manifest)
    spoilt = [
        entry._replace(label=CLASSES[(place * 7) % 24]) if entry.fold == 2 else entry
        for place, entry in enumerate(manifest.entries)
    ]
    assert (fold(pictures, replace(manifest, entries=tuple(spoilt))).values == first.values).all()
    others = pictures.copy()
    others[test[1:]] = 255 - others[test[1:]]
    again = fold(others, manifest)
    assert again[:4] == first[:4] and (again.values[0] == first.values[0]).all(), "the first is read as before"
    assert not (again.values[1:] == first.values[1:]).all()


def test_components_are_fitted_on_the_training_part_alone(tiny: tuple[np.ndarray, Manifest]) -> None:
    pictures, manifest = tiny
    train = pictures[manifest.part(2, "train")].reshape(-1, SIZE * SIZE).astype(np.float32) / 255
    reduce = classical.reduction(train, 40, 0)
    assert np.allclose(reduce[0].mean_, train.mean(0), atol=1e-6) and reduce[1].n_components_ == 40
    assert np.allclose(reduce.transform(train).mean(0), 0, atol=1e-3)


def test_the_choice_is_the_best_of_the_validation_part(tiny: tuple[np.ndarray, Manifest]) -> None:
    clean, manifest = tiny
    noise = np.random.default_rng(0).normal(0, 150, clean.shape)
    pictures = np.clip(clean + noise, 0, 255).astype(np.uint8)
    flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
    train, held = manifest.part(2, "train"), manifest.part(2, "validation")
    reduce = classical.reduction(flat[train], 40, 0)
    scores = {
        (cost, gamma): f1_score(
            manifest.labels[held], classical.decided(machine, reduce.transform(flat[held]).astype(float)).argmax(1), average="macro"
        )
        for cost, gamma, machine in classical.machines(reduce.transform(flat[train]).astype(float), manifest.labels[train])
    }  # fmt: skip
    found = fold(pictures, manifest)
    best = max(scores.values())
    assert found.validation == pytest.approx(best)
    assert (found.cost, found.gamma) == min(k for k, v in scores.items() if v == pytest.approx(best))
    assert min(scores.values()) < best, "it matters what is chosen"


def test_a_class_that_was_not_taught_is_below_all_others(tiny: tuple[np.ndarray, Manifest]) -> None:
    pictures, manifest = tiny
    moved = [
        e._replace(fold=2, validation_of=-1) if e.label in ("Y", "4") else e for e in manifest.entries
    ]  # fmt: skip
    found = fold(pictures, replace(manifest, entries=tuple(moved)))
    absent = [CLASSES.index("Y"), CLASSES.index("4")]
    assert (found.values[:, absent] < np.delete(found.values, absent, axis=1).min(1)[:, None]).all()


def test_the_command_writes_a_file_that_is_scored(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical, "COSTS", (10.0,))
    path = tmp_path / "said.npz"
    classical.main([str(workspace), "--target", "sim-q", "--track", "smoke", "-o", str(path)])
    said = capsys.readouterr().out
    assert "fold 0: C 10, gamma" in said and f"karyobench score --predictions {path} --dataset sim-q" in said
    given = read(path)
    manifest = Store(workspace).open("sim-q").manifest
    tested = manifest.part(0, "test")
    assert given.images == [manifest.entries[row].image for row in tested] and given.form == "logits"
    command = [
        "score",
        "--predictions",
        str(path),
        "--dataset",
        "sim-q",
        "--track",
        "smoke",
        "-w",
        str(workspace),
        "--json",
    ]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    wanted = f1_score(manifest.labels[tested], given.values.argmax(1), average="macro")
    assert json.loads(result.stdout)["macro_f1"]["value"] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("words", "message"), [
    (["--target", "sim-q", "-o", "x.csv"], "--output: wrong ending; found 'x.csv'; allowed: .npz"),
    (["--target", "cir-g", "-o", "x.npz"], "dataset has not been imported; found 'cir-g'"),
    (["--target", "sim-q", "-o", "x.npz", "--fold", "3"], "--fold: no such fold; found 3; allowed: 0"),
    (["--target", "sim-q", "-o", "x.npz", "--components", "0"], "--components: too few; found 0"),
])  # fmt: skip
def test_wrong_words_are_one_line_and_nothing_is_written(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        classical.main([str(workspace), "--track", "smoke", *words])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and error.count("\n") == 1
    assert not list(tmp_path.glob("x.*")) and tracks.load("smoke").folds == (0,)
