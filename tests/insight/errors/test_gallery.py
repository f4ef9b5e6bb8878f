from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data import card as cards
from benchmark.data.store import Prepared, Store
from benchmark.insight import outputs
from benchmark.insight.errors import gallery, labels, sets
from benchmark.insight.errors.report import Seen
from benchmark.results import Results
from benchmark.stats.metrics import softmax
from tests.conftest import tiny_manifest
from tests.insight.errors.made import ALL, fill


def seen(maker: Any, folder: Path) -> Seen:
    """A trial whose images are noise and whose features tell the class and a little of the cell."""
    Store(folder).write(cards.load("sim-g"), *tiny_manifest("G"))
    fill(maker, folder)
    results = Results(maker.ledger, "smoke")
    [trial] = outputs.trials(results, ["net"], "smoke")
    own = outputs.read(results, trial, ALL)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (len(own.manifest), 16, 16), dtype=np.uint8)
    features = (np.eye(24)[own.manifest.labels] + random.normal(0, 0.05, (len(images), 24))).astype(np.float32)
    chances = np.mean([softmax(one).mean(axis=0) for one in own.logits.values()], axis=0)
    return Seen(
        own, Prepared(images, own.manifest, cards.load("sim-g")), features,
        [sets.members(own, kind) for kind in sets.kinds(ALL)], labels.suspects(own.truth, chances),
    )  # fmt: skip


def test_neighbours_are_of_the_fold_s_training_part_and_the_nearest_first(maker: Any, tmp_path: Path) -> None:
    found = seen(maker, tmp_path / "w")
    for image in (0, 50, 200):
        near = gallery.neighbours(found, image)
        fold = int(found.own.manifest.folds[found.own.positions[image]])
        train = set(found.own.manifest.part(fold, "train").tolist())
        assert len(near) == 5 and all(one.position in train for one in near)
        assert [one.cosine for one in near] == sorted((one.cosine for one in near), reverse=True)
        wanted = found.own.truth[image]
        assert all(found.own.manifest.labels[one.position] == wanted for one in near)


def test_images_missed_in_every_repeat_come_first_and_others_not_at_all(maker: Any, tmp_path: Path) -> None:
    shown = dict(gallery.sections(seen(maker, tmp_path / "w")))
    assert list(shown) == [
        "Images that all miss", "Images that only two-step gets", "Images that only two-step loses", "Suspected labels",
    ]  # fmt: skip
    assert [len(shown[one]) for one in list(shown)[:3]] == [3, 2, 0]


def test_maps_are_laid_over_the_image_where_they_are_known(maker: Any, tmp_path: Path) -> None:
    found = seen(maker, tmp_path / "w")
    asked: list[tuple[str, int]] = []

    def maps(trial: Seen, name: str, image: int) -> np.ndarray | None:
        asked.append((name, image))
        return np.full((16, 16), 0.5) if name == "two-step" else None

    told: list[tuple[int, int | None]] = []
    page = gallery.page([found], maps, lambda *one: told.append(one))
    cards = page.count('class="card"')
    assert told == [(number, cards) for number in range(1, cards + 1)]
    assert "where two-step looks" in page and "where imagenet looks" not in page
    assert {name for name, _ in asked} == set(ALL)
    assert "where two-step looks" not in gallery.page([found])


def test_an_overlay_is_the_image_where_nothing_is_looked_at() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    heat = np.zeros((16, 16))
    heat[0, 0] = 1
    laid = gallery._overlay(image, heat)
    assert (laid[1:] == image[1:, :, None]).all() and laid[0, 0].tolist() == [153, 84, 0]
