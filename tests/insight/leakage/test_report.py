"""From a ledger to the report: the same images under both splits, and everything that may not be compared."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark import withdrawal
from benchmark.board.build import build
from benchmark.data.manifest import Manifest
from benchmark.errors import InputError
from benchmark.insight import kept
from benchmark.insight.leakage.picture import picture
from benchmark.insight.leakage.render import markdown
from benchmark.insight.leakage.report import compare
from benchmark.insight.leakage.schema import Leakage
from benchmark.insight.leakage.splits import Where
from benchmark.results import Results
from tests.conftest import TRACK
from tests.insight.leakage.made import CAREFUL, CARELESS, fill, resplit


def report(maker: Any, careful: str = CAREFUL, careless: str = CARELESS, other: str = "t", **options: Any) -> Leakage:
    asked = {"resamples": 200, **options}
    return compare(Results(maker.ledger), Where(careful, "t"), Where(careless, other), **asked)


def expected(maker: Any, manifest: Manifest) -> float:
    """Macro-F1 over all images, mean over repeats, from the predictions as they were made."""
    scores = []
    for repeat in range(2):
        said = np.empty(len(manifest), dtype=int)
        for fold in range(5):
            truth, said[manifest.part(fold, "test")] = maker.said["imagenet", fold, repeat]
            assert (truth == manifest.labels[manifest.part(fold, "test")]).all()
        scores.append(f1_score(manifest.labels, said, average="macro"))
    return float(np.mean(scores))


def test_the_figures_are_those_of_the_predictions(maker: Any) -> None:
    fill(maker)
    wanted = expected(maker, resplit(maker.manifest))
    found = report(maker)
    [trial] = found.trials
    assert trial.careless.macro_f1.value == pytest.approx(wanted)
    assert trial.flattery.value == pytest.approx(wanted - trial.careful.macro_f1.value)
    assert trial.flattery.value == pytest.approx(0.2, abs=0.04), "nine in ten instead of seven"
    assert trial.flattery.low is not None and trial.flattery.low > 0.1
    assert trial.flattery.basis == "trainings and groups"
    assert (found.images, found.groups, found.careful.by, found.careless.by) == (600, 25, "cell", "image")
    assert (found.careful.exposed, found.careless.exposed) == (0.0, 1.0)
    assert (trial.careful.repeats, trial.careful.trainings, trial.careful.train_images) == (2, 10, 480)
    assert trial.careless.train_images == 481 and len(found.units) == 20 and not found.left_out
    assert "A random split flatters net (ImageNet fine-tuning) on tiny by +" in trial.sentence
    assert "% with folds by image" in trial.sentence and "these trainings" not in trial.sentence


def test_the_words_and_the_picture_hold_what_was_found(maker: Any) -> None:
    fill(maker)
    found = report(maker)
    text, drawn = markdown(found), picture(found)
    assert (
        found.trials[0].sentence in text and "600 images of 25 cells" in text and "100.0 % of its test images" in text
    )
    assert drawn["svg"].startswith(b"<svg") and drawn["png"][:4] == b"\x89PNG" and picture(found) == drawn
    assert Leakage.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(("skills", "said"), [
    ((0.9, 0.7), "A random split does not flatter net .* it gives less: −"),
    ((0.8, 0.8), "A random split is not shown to flatter net .* which may be none"),
])  # fmt: skip
def test_no_leak_is_not_made_into_one(maker: Any, skills: tuple[float, float], said: str) -> None:
    fill(maker, skills)
    [trial] = report(maker).trials
    assert re.search(said, trial.sentence), trial.sentence


def test_one_repeat_speaks_of_its_trainings_only_and_half_a_repeat_counts_for_nothing(maker: Any) -> None:
    fill(maker, repeats=(2, 1))
    whole = report(maker)
    [trial] = whole.trials
    assert trial.flattery.basis == "groups" and "for these trainings only" in trial.sentence
    careful = maker.manifest
    maker.manifest = resplit(careful)
    dataset = {"name": CARELESS, "manifest": maker.manifest.digest, "group": "image"}
    maker.add("imagenet", 3, 1, 0.1, target=CARELESS, dataset=dataset, train_images=481, chain=["ImageNet", CARELESS])
    assert report(maker).trials == whole.trials


def test_all_that_was_trained_on_both_is_compared_and_the_rest_is_named(maker: Any) -> None:
    fill(maker)
    fill(maker, arm="scratch")
    fill(maker, arm="two-step", folds=(0, 1, 2))
    fill(maker, name="other", repeats=(1, 0))
    found = report(maker)
    assert [(one.submission, one.protocol) for one in found.trials] == [("net", "imagenet"), ("net", "scratch")]
    assert len(found.left_out) == 2 and "two-step on tiny-random are missing" in found.left_out[0] + found.left_out[1]
    assert "## Not compared" in markdown(found)
    only = report(maker, submissions=["net"], protocols=["scratch"])
    assert [one.protocol for one in only.trials] == ["scratch"] and not only.left_out
    with pytest.raises(
        InputError, match=r"folds of net by two-step on tiny-random are missing; found \[0, 1, 2\]; .*-f 3 -f 4"
    ):
        report(maker, submissions=["net"], protocols=["two-step"])
    with pytest.raises(InputError, match="no scored training on tiny-random by the track t; found 'other imagenet'"):
        report(maker, submissions=["other"], protocols=["imagenet"])
    with pytest.raises(
        InputError, match=r"submission: no scored training of this submission.*found 'nobody'; allowed: net"
    ):
        report(maker, submissions=["nobody"])
    with pytest.raises(InputError, match=r"protocol: no scored training of this protocol.*found 'imagenet-long'"):
        report(maker, protocols=["imagenet-long"])


def test_a_newer_comparable_version_is_taken_and_a_withdrawn_one_is_not(maker: Any) -> None:
    fill(maker, (0.6, 0.6))
    new = {"submission": {"name": "net", "model": "m2", "code": None, "pinned": True, "document": "other"}}
    fill(maker, (0.9, 0.9), changes=(new, new))
    [trial] = report(maker).trials
    assert trial.version == "m2:None" and trial.careful.macro_f1.value > 0.8
    withdrawal.withdraw(maker.ledger, "net", "wrong")
    with pytest.raises(
        InputError, match="no scored training on this dataset by the track t; found 'tiny'; allowed: none"
    ):
        report(maker)


def test_several_versions_of_the_folds_do_not_stand_in_one_report(maker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(maker)
    monkeypatch.setattr("tests.insight.leakage.made.resplit", lambda manifest: resplit(manifest, 1))
    fill(maker, name="other")
    with pytest.raises(
        InputError, match=r"several versions of the folds or tracks cannot stand in one report.*--submission"
    ):
        report(maker)
    assert len(report(maker, submissions=["other"]).trials) == 1


def submission(model: str) -> dict[str, Any]:
    return {"submission": {"name": "net", "model": model, "code": None, "pinned": True, "document": "other"}}


@pytest.mark.parametrize(("changes", "message"), [
    (submission("other"), "versions of the submission differ between tiny and tiny-random .net, imagenet."),
    ({"weights": "w" * 64}, "ImageNet weights differ"),
    ({"harness": {"version": "99.0.0"}}, "versions of the harness differ"),
    ({"chain": ["ImageNet", "sim-g", CARELESS]}, "chain: stages before the target differ.*found .'ImageNet → sim-g'.; allowed: .'ImageNet'."),
])  # fmt: skip
def test_what_was_made_otherwise_is_refused(maker: Any, changes: dict[str, Any], message: str) -> None:
    fill(maker, changes=({}, changes))
    with pytest.raises(InputError, match=message):
        report(maker)


def tracked(maker: Any, **changes: Any) -> dict[str, Any]:
    maker.ledger.put_document("tracks", "e", {**TRACK, "name": "mine", **changes})
    return {"track": {"name": "mine", "digest": "e", "simulated": False}}


def test_another_track_of_the_same_recipe_may_hold_the_other_split(maker: Any) -> None:
    fill(maker, changes=({}, tracked(maker, title="Mine")))
    found = report(maker, other="mine")
    assert (found.track, found.careless.track, found.careless.track_digest) == ("t", "mine", "e") and found.trials


@pytest.mark.parametrize(("changes", "message"), [
    ({"preprocess": {"size": 48}}, "preprocess.size: tracks differ.*found 48; allowed: 32"),
    ({"recipe": {"epochs": 3}}, "recipe.epochs: tracks differ.*found 3; allowed: 2"),
    ({"recipe": {"epochs": 2, "lr": 1}}, "recipe.lr: tracks differ"),
    ({"recipe": {"epochs": 2, "augment": {"bend": 0.1}}}, "recipe.augment.bend: tracks differ.*found 0.1; allowed: None"),
])  # fmt: skip
def test_another_recipe_or_other_pixels_are_refused(maker: Any, changes: dict[str, Any], message: str) -> None:
    fill(maker, changes=({}, tracked(maker, **changes)))
    with pytest.raises(InputError, match=message):
        report(maker, other="mine")


def replaced(**fields: Any) -> Callable[[Manifest], Manifest]:
    def change(manifest: Manifest) -> Manifest:
        first, *rest = manifest.entries
        return replace(manifest, entries=(first._replace(**fields), *rest))

    return change


def whole(manifest: Manifest) -> Manifest:
    """Other folds, by cell again."""
    return manifest.with_folds((np.array([int(e.cell[1:]) for e in manifest.entries]) + 1) % 5, manifest.validation_of)


@pytest.mark.parametrize(("change", "message"), [
    (replaced(sha256="1" * 64), "1 images of tiny and tiny-random are not the same, the first c00-00"),
    (replaced(label="2"), "are not the same, the first c00-00"),
    (replaced(cell="c09"), "are not the same, the first c00-00"),
    (replaced(image="a"), "2 images of tiny and tiny-random are not the same, the first a"),
    (whole, "NEW: its folds keep the groups of tiny whole as well, so that nothing leaks; found 'tiny-random'"),
])  # fmt: skip
def test_other_images_or_folds_without_a_leak_are_refused(
    maker: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[Manifest], Manifest], message: str
) -> None:
    monkeypatch.setattr("tests.insight.leakage.made.resplit", lambda m: change(m if change is whole else resplit(m)))
    fill(maker)
    with pytest.raises(InputError, match=message):
        report(maker)


def test_the_two_the_wrong_way_round_are_refused(maker: Any) -> None:
    fill(maker)
    with pytest.raises(
        InputError, match=r"NAME: its folds keep nothing whole.*found 'tiny-random'.*The resplit one comes second"
    ):
        report(maker, CARELESS, CAREFUL)


def written(maker: Any, folder: Path, **changes: Any) -> Path:
    path = folder / "leakage-tiny-random.json"
    path.write_text(json.dumps({**report(maker).model_dump(mode="json"), **changes}))
    return path


def test_it_is_kept_beside_the_ledger_and_the_board_shows_it(maker: Any, tmp_path: Path) -> None:
    fill(maker)
    kept.keep([written(maker, tmp_path)], maker.ledger)
    [one] = kept.reports(maker.ledger)
    assert one.name.startswith("leakage-t-") and one.title == "What a careless split flatters"
    folder = build(maker.ledger, tmp_path / "board").parent
    page = (folder / "insight" / f"{one.name}.html").read_text()
    assert (
        "What a careless split flatters" in page
        and f'src="{one.name}.svg"' in page
        and "A random split flatters net" in page
    )
    assert "The predictions in the ledger give this again" in page
    assert "A random split flatters net" in (folder / "submissions" / "net.html").read_text()
    assert f"insight/{one.name}.html" in (folder / "method.html").read_text()


@pytest.mark.parametrize(("changes", "message"), [
    ({"units": [{"key": "elsewhere"}]}, "units.0.key: the ledger holds no scored record of this unit; found 'elsewhere'"),
    ({"track_digest": "x"}, "the ledger holds no record of this track"),
    ({"ledger": "2" * 64}, "was computed from another ledger"),
    ({"pixels": [1]}, "unknown key"),
])  # fmt: skip
def test_what_the_ledger_does_not_hold_is_not_kept(maker: Any, tmp_path: Path, changes: Any, message: str) -> None:
    fill(maker)
    with pytest.raises(InputError, match=message):
        kept.keep([written(maker, tmp_path, **changes)], maker.ledger)
