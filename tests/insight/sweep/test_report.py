"""From a ledger to the report: the same images by tracks that differ in one setting, and everything that may not be compared."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from benchmark import withdrawal
from benchmark.board.build import build
from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.insight import kept
from benchmark.insight.estimate import Found
from benchmark.insight.sweep.picture import drawing, picture
from benchmark.insight.sweep.render import markdown
from benchmark.insight.sweep.report import compare, reading
from benchmark.insight.sweep.schema import Sweep
from benchmark.results import Results
from tests.conftest import TRACK

SIZES = (32, 48, 64)


def add(
    maker: Any, name: str, skill: float, folds: tuple[int, ...] = (0, 1, 2, 3, 4), repeats: int = 2, arm: str = "imagenet",
    named: str = "net", document: dict[str, Any] | None = None, **changes: Any,
) -> None:  # fmt: skip
    """Trainings by a track of its own; `document` replaces parts of it."""
    maker.ledger.put_document("tracks", f"d-{name}", {**TRACK, "name": name, "title": name, **(document or {})})
    track = {"name": name, "digest": f"d-{name}", "simulated": False}
    for repeat in range(repeats):
        for fold in folds:
            maker.add(arm, fold, repeat, skill, named, track=track, **changes)
            maker.said[name, fold, repeat] = maker.said[arm, fold, repeat]


def sized(maker: Any, size: int, skill: float, **options: Any) -> None:
    add(maker, f"size-{size}", skill, document={"preprocess": {"size": size}}, **options)


def report(maker: Any, *names: str, **options: Any) -> Sweep:
    return compare(Results(maker.ledger), names or [f"size-{size}" for size in SIZES], **{"resamples": 200, **options})


def filled(maker: Any, skills: tuple[float, ...] = (0.6, 0.9, 0.9), **options: Any) -> None:
    for size, skill in zip(SIZES, skills, strict=True):
        sized(maker, size, skill, **options)


def expected(maker: Any, name: str, repeats: int = 2, folds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> float:
    """Macro-F1 over all images of the folds, mean over repeats, from the predictions as they were made."""
    scores = []
    for repeat in range(repeats):
        pairs = [maker.said[name, fold, repeat] for fold in folds]
        truth, said = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        scores.append(f1_score(truth, said, average="macro"))
    return float(np.mean(scores))


def test_the_figures_are_those_of_the_predictions(maker: Any) -> None:
    filled(maker)
    found = report(maker)
    [trial] = found.trials
    assert (found.setting, found.track, found.reference, found.margin) == ("preprocess.size", "size-64", 64, 0.005)
    assert [point.value for point in trial.points] == [32, 48, 64] and len(found.units) == 30
    for point in trial.points:
        assert point.macro_f1.value == pytest.approx(expected(maker, point.track))
    small, middle, large = trial.points
    assert small.difference is not None and middle.difference is not None and large.difference is None
    assert small.difference.value == pytest.approx(expected(maker, "size-32") - expected(maker, "size-64"))
    assert (small.reading, large.reading, small.trainings, small.difference.basis) == (
        "worse",
        None,
        10,
        "trainings and groups",
    )
    assert small.difference.high is not None and small.difference.high < -0.2
    assert middle.difference.value == 0, "the same predictions, and so are the intervals around"
    assert (trial.images, trial.groups, trial.group_by, trial.folds) == (600, 25, "cell", (0, 1, 2, 3, 4))
    assert "against 64, 32 is worse (−" in trial.sentence and "these trainings" not in trial.sentence


def test_tracks_may_be_named_in_any_order_and_another_may_be_the_reference(maker: Any) -> None:
    filled(maker)
    assert report(maker, "size-64", "size-32", "size-48", "size-32") == report(maker)
    [trial] = report(maker, against="size-32").trials
    assert [point.reading for point in trial.points] == [None, "better", "better"]
    assert "against 32, 48 is better (+" in trial.sentence


def test_only_folds_and_repeats_that_all_have_are_compared(maker: Any) -> None:
    sized(maker, 32, 0.6, folds=(0, 1), repeats=1)
    sized(maker, 64, 0.9)
    [trial] = report(maker, "size-32", "size-64").trials
    assert trial.folds == (0, 1) and trial.images == len(maker.manifest.part(0, "test")) + len(
        maker.manifest.part(1, "test")
    )
    small, large = trial.points
    assert (small.trainings, small.repeats, large.trainings, large.repeats) == (2, 1, 4, 2)
    assert large.macro_f1.value == pytest.approx(expected(maker, "size-64", 2, (0, 1)))
    assert (
        small.difference is not None
        and small.difference.basis == "groups"
        and "of these trainings only" in trial.sentence
    )


def test_a_track_without_a_whole_repeat_is_left_out_by_name(maker: Any) -> None:
    filled(maker)
    sized(maker, 96, 0.9, folds=(0,), repeats=1)
    for fold in range(1, 5):
        document = {**TRACK, "name": "size-96", "preprocess": {"size": 96}}
        maker.ledger.put_document("tracks", "d-size-96", document)
        maker.add("imagenet", fold, 1, 0.9, track={"name": "size-96", "digest": "d-size-96", "simulated": False})
    found = report(maker, *(f"size-{size}" for size in (*SIZES, 96)), against="size-64")
    assert [point.value for point in found.trials[0].points] == [32, 48, 64]
    assert found.left_out == ("net imagenet on tiny by size-96: no repeat of the folds [0, 1, 2, 3, 4]",)


def test_of_few_groups_there_is_no_interval(maker: Any) -> None:
    entries = tuple(entry._replace(cell=f"c{entry.fold}") for entry in maker.manifest.entries)
    maker.manifest = replace(maker.manifest, entries=entries)
    sized(maker, 32, 0.6, folds=(0,), repeats=1)
    sized(maker, 64, 0.9, folds=(0,), repeats=1)
    [trial] = report(maker, "size-32", "size-64").trials
    small, _ = trial.points
    assert small.difference is not None and small.difference.low is None and small.reading == "withheld"
    assert "32 is not judged (−" in trial.sentence and "too few people or cells were tested" in trial.sentence


def test_a_setting_without_numbers_keeps_the_order_of_the_words(maker: Any) -> None:
    for contrast in ("none", "image", "cell"):
        add(maker, contrast, 0.8, document={"preprocess": {"size": 32, "contrast": contrast}})
    found = report(maker, "image", "none", "cell")
    assert (found.setting, found.reference) == ("preprocess.contrast", "cell")
    assert [point.value for point in found.trials[0].points] == ["image", "none", "cell"]


def test_a_setting_that_one_track_does_not_have(maker: Any) -> None:
    add(maker, "bent", 0.8, document={"recipe": {"epochs": 2, "augment": {"bend": 0.1}}})
    add(maker, "straight", 0.7)
    found = report(maker, "bent", "straight", against="straight")
    assert (found.setting, found.reference) == ("recipe.augment.bend", None)
    assert "against null" not in found.trials[0].sentence and "against none" in found.trials[0].sentence


@pytest.mark.parametrize(("low", "high", "said"), [
    (0.001, 0.02, "better"), (-0.02, -0.001, "worse"), (-0.004, 0.004, "equivalent"), (0.001, 0.004, "equivalent"),
    (-0.006, 0.004, "undecided"), (None, None, "withheld"),
])  # fmt: skip
def test_what_an_interval_reads(low: float | None, high: float | None, said: str) -> None:
    assert reading(Found(0.0, low, high, None, "groups")) == said


def test_the_curve_of_differences_goes_through_nothing_at_the_reference(maker: Any) -> None:
    filled(maker, (0.6, 0.8, 0.9))
    _, right = drawing(report(maker, against="size-48")).axes
    [curve] = [line for line in right.get_lines() if len(line.get_xdata()) == len(SIZES)]
    low, middle, high = curve.get_ydata()
    assert low < middle == 0 < high and list(curve.get_xdata()) == [0, 1, 2]


def test_the_words_and_the_picture_hold_what_was_found(maker: Any) -> None:
    filled(maker)
    filled(maker, arm="scratch")
    found = report(maker)
    text, drawn = markdown(found), picture(found)
    assert (
        all(trial.sentence in text for trial in found.trials) and "600 images of 25 cells, folds 0, 1, 2, 3, 4" in text
    )
    assert text.count("| size-32 ") == 2 and "within 0.5 points" in text
    assert drawn["svg"].startswith(b"<svg") and drawn["png"][:4] == b"\x89PNG" and picture(found) == drawn
    assert Sweep.model_validate_json(found.model_dump_json()) == found


def test_what_cannot_be_compared_is_named_and_the_rest_is(maker: Any) -> None:
    filled(maker)
    sized(maker, 32, 0.6, arm="scratch", folds=(0,))
    sized(maker, 64, 0.9, arm="scratch", folds=(1,))
    sized(maker, 48, 0.9, named="other")
    found = report(maker)
    assert [(one.submission, one.protocol) for one in found.trials] == [("net", "imagenet")]
    assert sorted(found.left_out) == [
        "net scratch on tiny: no fold that size-64 and all others scored (size-32: folds [0], size-64: folds [1])",
        "other imagenet on tiny: no fold that size-64 and all others scored (size-48: folds [0, 1, 2, 3, 4])",
    ]
    assert "## Not compared" in markdown(found)
    with pytest.raises(InputError, match=r"nothing can be compared.*no fold that size-64 and all others scored"):
        report(maker, submissions=["other"])


def other(model: str) -> dict[str, Any]:
    return {"submission": {"name": "net", "model": model, "code": None, "pinned": True, "document": "other"}}


@pytest.mark.parametrize("changes", [
    other("m2"), {"weights": "w" * 64}, {"harness": {"version": "99.0.0"}}, {"chain": ["ImageNet", "sim-g", "tiny"]},
])  # fmt: skip
def test_what_was_made_otherwise_is_not_held_against_it(maker: Any, changes: dict[str, Any]) -> None:
    sized(maker, 32, 0.9, **changes)
    sized(maker, 64, 0.9)
    with pytest.raises(InputError, match="nothing can be compared"):
        report(maker, "size-32", "size-64")


def test_a_newer_version_is_taken_and_a_withdrawn_one_is_not(maker: Any) -> None:
    filled(maker)
    for size in SIZES:
        sized(maker, size, 0.95, **other("m2"))
    found = report(maker)
    assert [trial.version for trial in found.trials] == ["m2:None"] and "older version" in found.left_out[0]
    withdrawal.withdraw(maker.ledger, "net", "wrong")
    with pytest.raises(InputError, match="TRACK: no training by this track; found 'size-32'; allowed: none"):
        report(maker)


@pytest.mark.parametrize(("names", "options", "message"), [
    (("size-32", "size-99"), {}, "TRACK: no training by this track; found 'size-99'; allowed: more, same, size-32, size-48, size-64"),
    (("size-32",), {}, "TRACK: one track has nothing to be held against; found .'size-32'."),
    (("size-32", "same"), {}, "TRACK: the tracks differ in no setting; found .'size-32', 'same'."),
    (("size-32", "size-48", "same"), {}, "TRACK: two tracks have the same preprocess.size"),
    (("size-32", "more"), {}, "TRACK: the tracks differ in more than one setting; found .'preprocess.size', 'recipe.epochs'."),
    (("size-32", "size-48"), {"against": "size-64"}, "TRACK: no training by this track; found 'size-64'; allowed: size-32, size-48"),
    ((), {"submissions": ["nobody"]}, "submission: no scored training of this submission by any of the tracks; found 'nobody'; allowed: net"),
    ((), {"protocols": ["two-step"]}, "protocol: no scored training of this protocol by any of the tracks; found 'two-step'; allowed: imagenet"),
    ((), {"targets": ["cir-g"]}, "target: no scored training of this target by any of the tracks; found 'cir-g'; allowed: tiny"),
])  # fmt: skip
def test_what_is_asked_wrongly_is_one_clear_error(maker: Any, names: Any, options: Any, message: str) -> None:
    filled(maker)
    add(maker, "same", 0.9)
    add(maker, "more", 0.9, document={"preprocess": {"size": 96}, "recipe": {"epochs": 9}})
    with pytest.raises(InputError, match=message):
        report(maker, *names, **options)


def test_the_command_writes_what_is_kept_and_the_board_shows_it(
    maker: Any, tmp_path: Path, blank_pictures: None
) -> None:
    filled(maker)
    words = ["insight", "sweep", "size-32", "size-48", "size-64", "-w", str(tmp_path), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0 and "against 64, 32 is worse" in done.stdout
    path = tmp_path / "out" / "sweep-preprocess.size.json"
    assert sorted(one.suffix for one in path.parent.iterdir()) == [".json", ".md", ".png", ".svg"]
    again = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout) == json.loads(path.read_text()), "the same seed and ledger give the same report"
    kept.keep([path], maker.ledger)
    [one] = kept.reports(maker.ledger)
    assert one.name.startswith("sweep-size-64-") and one.title == "What a setting of the track does"
    folder = build(maker.ledger, tmp_path / "board").parent
    assert "against 64, 32 is worse" in (folder / "insight" / f"{one.name}.html").read_text()
    assert "against 64, 32 is worse" in (folder / "submissions" / "net.html").read_text()
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "units": [{"key": "elsewhere"}]}))
    with pytest.raises(InputError, match=r"units\.0\.key: the ledger holds no scored record of this unit"):
        kept.keep([path], maker.ledger)


def test_a_track_may_be_named_by_its_file(maker: Any, tmp_path: Path) -> None:
    filled(maker)
    own = str(Path(__file__).parents[3] / "docs" / "findings" / "size-32.yaml")
    words = ["insight", "sweep", own, "size-64", "-w", str(tmp_path)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0 and "against 64, 32 is worse" in done.stdout
    turned = CliRunner().invoke(app, [*words, "--against", own], catch_exceptions=False)
    assert turned.exit_code == 0 and "against 32, 64 is better" in turned.stdout
    with pytest.raises(InputError, match="no such file"):
        CliRunner().invoke(app, [*words, str(tmp_path / "none.yaml")], catch_exceptions=False)
