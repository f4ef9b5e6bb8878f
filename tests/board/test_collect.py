from typing import Any

import numpy as np
import pytest

from benchmark.board.collect import board
from benchmark.board.model import Board
from benchmark.board.reading import Reading
from benchmark.errors import InputError, IntegrityError
from benchmark.files import digest
from benchmark.findings import summary
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.results import Results
from benchmark.stats.metrics import confusion, f1_per_class
from benchmark.withdrawal import withdraw
from tests.conftest import TRACK


def collected(maker: Any, memo: Memo | None = None) -> Board:
    return board(Reading(maker.ledger, memo))


def test_every_figure_of_a_row_is_that_of_compare(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9, scratch=0.5)
    [row] = collected(maker).rows
    [told] = summary(Results(maker.ledger))
    assert list(row.results) == ["scratch", "imagenet", "two-step"]
    for name, entry in told["protocols"].items():
        shown = row.results[name]
        assert shown.macro_f1 is not None and shown.macro_f1.model_dump() == entry["macro_f1"]
        assert shown.trainings == 10
    gain, entry = row.results["two-step"].gain, told["protocols"]["two-step"]["gain"]
    assert gain is not None and row.results["imagenet"].gain is None
    for ours, theirs in (
        ("p", "p_adjusted"),
        *((n, n) for n in ("value", "low", "high", "verdict", "smallest", "sentence")),
    ):
        assert getattr(gain, ours) == entry[theirs]


def test_the_track_that_answers_for_most_rows_leads_and_simulated_ones_stand_last(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    for name, simulated, arms in (("a-leak", False, ["imagenet"]), ("drawn", True, ["imagenet", "two-step"])):
        maker.ledger.put_document("tracks", name, {**TRACK, "name": name, "simulated": simulated})
        for arm in arms:
            for target in ("tiny", "other"):
                maker.add(arm, 0, target=target, track={"name": name, "digest": name, "simulated": simulated})
    assert [track.label for track in collected(maker).tracks] == ["t", "a-leak", "drawn"]


def test_f1_of_the_classes_is_the_mean_over_repeats(maker: Any) -> None:
    maker.fill(imagenet=0.6)
    [row] = collected(maker).rows
    expected = []
    for repeat in (0, 1):
        truth, said = (np.concatenate([maker.said["imagenet", f, repeat][i] for f in range(5)]) for i in (0, 1))
        expected.append(f1_per_class(confusion(truth, said, 24)))
    assert row.results["imagenet"].f1 == pytest.approx(np.mean(expected, axis=0))


def test_from_one_training_nothing_is_claimed_and_no_bound_is_made_up(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 0)
    [row] = collected(maker).rows
    gain = row.results["two-step"].gain
    assert gain is not None and gain.verdict == "withheld" and gain.p is None and gain.smallest is None
    assert "6 trainings or more" in gain.needs and row.rank is None


def test_a_failed_training_is_shown_and_not_scored(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.add("two-step", 0, failed=True)
    [row] = collected(maker).rows
    shown = row.results["two-step"]
    assert shown.macro_f1 is None and shown.failed == ("nan",) and shown.trainings == 0 and shown.seconds is None


def test_seconds_are_of_the_whole_chain(maker: Any) -> None:
    maker.add("imagenet", 0, target="other", seconds=30.0, energy_joules=5.0)
    parent = maker.ledger.records()[-1]["key"]
    maker.add("two-step", 0, seconds=12.5, energy_joules=7.0, parent=parent)
    maker.add("two-step", 1, seconds=12.5, parent=parent)
    row = next(row for row in collected(maker).rows if row.target == "tiny")
    assert row.results["two-step"].seconds == 42.5
    assert row.results["two-step"].energy_joules is None, "one of the two was not read"


def test_cost_on_a_processor_is_its_time_and_not_what_passed_on_a_busy_machine(maker: Any) -> None:
    maker.add("imagenet", 0, target="other", seconds=30.0, cpu_seconds=10.0, environment={"device_type": "cpu"})
    parent = maker.ledger.records()[-1]["key"]
    maker.add("two-step", 0, seconds=12.5, cpu_seconds=None, parent=parent, environment={"device_type": "cpu"})
    row = next(row for row in collected(maker).rows if row.target == "tiny")
    assert row.results["two-step"].seconds == 22.5, "where it was read"


def test_cost_on_a_gpu_is_what_passed(maker: Any) -> None:
    maker.add("scratch", 0, seconds=30.0, cpu_seconds=90.0, environment={"device_type": "cuda"})
    assert collected(maker).rows[0].results["scratch"].seconds == 30.0


@pytest.mark.parametrize(
    ("changes", "badges"),
    [
        ({}, ("self-run",)),
        ({"sandbox_details": {"image": "sha256:1"}}, ("sealed",)),
        ({"track": {"name": "t", "digest": "d", "simulated": True}}, ("simulated", "self-run")),
        ({"submission": {"name": "net", "model": "m", "code": None, "pinned": False, "document": "other"}}, ("self-run", "unpinned")),
    ],
)  # fmt: skip
def test_badges_say_how_the_records_came_about(maker: Any, changes: dict[str, Any], badges: tuple[str, ...]) -> None:
    maker.add("imagenet", 0, **changes)
    assert collected(maker).rows[0].badges == badges


@pytest.mark.parametrize(
    ("grades", "badge"),
    [(["bitwise"], "bitwise"), (["bitwise", "statistical"], "statistical"), (["bitwise", "failed"], "not reproduced")],
)
def test_the_badge_of_a_reproduction_is_the_weakest_of_the_records(maker: Any, grades: list[str], badge: str) -> None:
    for fold, grade in enumerate(grades):
        maker.add("imagenet", fold)
        key = maker.ledger.records()[-1]["key"]
        maker.ledger.append({"type": "reproduction", "of": key, "grade": grade, "ended": "2026-02-01T00:00:00+00:00"})
    [row] = collected(maker).rows
    assert row.badges[-1] == badge and sum(row.reproduced.values()) == len(grades)


def test_a_record_had_again_on_the_second_try_counts_as_reproduced(maker: Any) -> None:
    maker.add("imagenet", 0)
    key = maker.ledger.records()[-1]["key"]
    for grade in ("failed", "tolerance"):
        maker.ledger.append({"type": "reproduction", "of": key, "grade": grade, "ended": "2026-02-01T00:00:00+00:00"})
    assert collected(maker).rows[0].badges[-1] == "tolerance"


def test_parameters_come_from_a_record_or_its_reproduction(maker: Any) -> None:
    maker.add("imagenet", 0)
    assert collected(maker).rows[0].parameters is None
    key = maker.ledger.records()[-1]["key"]
    again = {"type": "reproduction", "of": key, "grade": "bitwise", "ended": "2026-02-01T00:00:00+00:00"}
    maker.ledger.append(again | {"environment": {"parameters": "many"}})
    maker.ledger.append(again | {"environment": {"parameters": 4711}})
    assert collected(maker).rows[0].parameters == 4711


def test_the_card_of_a_dataset_is_found_by_hash_or_name_and_an_altered_one_is_refused(maker: Any) -> None:
    maker.add("imagenet", 0)
    card = {"name": "tiny", "title": "Tiny", "stain": "Q", "description": "D", "citation": ["C"], "terms": "T"}
    maker.ledger.put_document("cards", digest(card), card)
    found = collected(maker)
    assert found.rows[0].stain == "Q" and found.tracks[0].datasets[0].citation == ("C",)
    path = maker.ledger.folder / "cards" / f"{digest(card)}.json"
    path.write_text(path.read_text().replace('"Tiny"', '"Other"'))
    with pytest.raises(IntegrityError, match="card is not what its name says"):
        collected(maker)


def test_a_track_tells_its_folds_and_groups(maker: Any) -> None:
    maker.fill(imagenet=0.6)
    [track] = collected(maker).tracks
    assert (track.folds, track.repeats, track.image_size, track.epochs) == (5, 2, 32, 2)
    [dataset] = track.datasets
    assert (dataset.images, dataset.cells, dataset.groups) == (600, 25, 25)
    assert dataset.fold_groups == (5,) * 5 and dataset.fold_images == (120,) * 5
    assert "image_size" not in track.yaml and "preprocess" in track.yaml


def test_the_newest_version_is_the_row_and_a_withdrawn_one_is_none(maker: Any) -> None:
    maker.fill(imagenet=0.6)
    new = {"name": "net", "model": "m2", "code": None, "pinned": True, "document": "other"}
    maker.add("imagenet", 0, submission=new, ended="2026-03-01T00:00:00+00:00")
    [row] = collected(maker).rows
    assert row.records == 1 and row.updated.startswith("2026-03")
    withdraw(maker.ledger, "net", "why")
    assert collected(maker).rows == ()


def test_two_versions_of_a_track_are_two_tracks(maker: Any) -> None:
    maker.add("imagenet", 0)
    maker.ledger.put_document("tracks", "e", maker.ledger.document("tracks", "d"))
    maker.add("imagenet", 0, track={"name": "t", "digest": "e", "simulated": False})
    found = collected(maker)
    assert [track.label for track in found.tracks] == ["t-d", "t-e"] == [row.track for row in found.rows]


def test_ranks_and_answers_are_those_of_all_submissions(maker: Any) -> None:
    maker.fill(name="a", imagenet=0.6, two_step=0.7)
    maker.fill(name="b", imagenet=0.6, two_step=0.95)
    found = collected(maker)
    assert [(row.submission, row.rank and (row.rank.rank, row.rank.of)) for row in found.rows] == [
        ("a", (2, 2)),
        ("b", (1, 2)),
    ]
    assert found.general and all(one.track == "t" and one.submissions == 2 for one in found.general)


def test_a_remembered_board_is_the_same(maker: Any, tmp_path: Any) -> None:
    maker.fill(name="a", imagenet=0.6, two_step=0.7, scratch=0.3)
    maker.fill(name="b", repeats=1, imagenet=0.6, two_step=0.7)
    plain = collected(maker)
    with Memo(tmp_path / "m") as memo:
        assert collected(maker, memo) == plain and memo.hits > 5
    before = (tmp_path / "m").read_bytes()
    with Memo(tmp_path / "m") as memo:
        assert collected(maker, memo) == plain and memo.misses == 0
    assert (tmp_path / "m").read_bytes() == before


def test_an_empty_ledger_is_an_error(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="holds no result yet"):
        Reading(Ledger(tmp_path / "ledger"))


def test_protocols_over_other_sources_stand_beside_the_headline(maker: Any) -> None:
    """They are shown with their meaning, and the row's own gain and rank are those that it has without them."""
    maker.fill(imagenet=0.6, two_step=0.9)
    [before] = collected(maker).rows
    for repeat in range(2):
        for fold in range(5):
            maker.add("two-step[a+b]", fold, repeat, 0.9)
            maker.add("imagenet-long[a+b]", fold, repeat, 0.6)
    found = collected(maker)
    [row] = found.rows
    assert list(row.results) == ["imagenet", "two-step", "two-step[a+b]", "imagenet-long[a+b]"]
    assert (row.results["two-step"], row.rank) == (before.results["two-step"], before.rank)
    gain = row.results["two-step[a+b]"].gain
    assert gain is not None and gain.exploratory and gain.transfer == "yes"
    assert (
        gain.over_long is not None
        and gain.over_long.over == "imagenet-long[a+b]"
        and gain.over_long.verdict == "better"
    )
    assert before.results["two-step"].gain.over_long is None, "its control was not run"
    assert "sources: a, then b" in found.protocols["two-step[a+b]"]
    assert "imagenet-long[a+b]" in found.controls and "two-step[a+b]" not in found.controls
    assert found.tracks[0].protocols == tuple(row.results)
