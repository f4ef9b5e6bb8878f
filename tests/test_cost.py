import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.cost import Machines, Overhead, evidence, machines, overhead, predict
from benchmark.errors import InputError
from benchmark.plan import Unit
from benchmark.status.tracker import About, Tracker


def unit(key: str, submission: str = "net", parent: str | None = None) -> Unit:
    return Unit(key, submission, "scratch", "d", 0, 0, 0, 2, 50, False, "random", parent, (), None, None)


def record(name: str = "net", seconds: float = 10.0, kind: str = "cpu", **changes: Any) -> dict[str, Any]:
    return {
        "status": "scored", "track": {"digest": "t"}, "submission": {"name": name}, "epochs": 2, "train_images": 50,
        "seconds": seconds, "environment": {"device_type": kind, "device": f"a {kind}"}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("gpus", "share", "jobs", "slots", "device"),
    [
        (8, 1, None, 8, "cuda"), (8, 0.5, None, 16, "cuda"), (8, 0.3, None, 24, "cuda"), (8, 2, None, 4, "cuda"),
        (9, 2, None, 4, "cuda"), (8, 1, 3, 3, "cuda"), (8, 1, 30, 8, "cuda"), (None, 1, 5, 5, "cpu"),
    ],
)  # fmt: skip
def test_how_many_units_fit_on_a_cluster(
    gpus: float | None, share: float, jobs: int | None, slots: int, device: str
) -> None:
    found = machines("ray", gpus, share, jobs, 2, 99)
    assert (found.slots, found.device, found.share) == (slots, device, share if gpus else 2)


def test_the_local_engine_chooses_for_itself_and_a_cluster_must_be_given() -> None:
    assert machines("local", None, 1, None, 1, 7).slots == 7
    with pytest.raises(InputError, match="how large is the cluster"):
        machines("ray", None, 1, None, 1, 7)


@pytest.mark.parametrize(("gpus", "share"), [(0, 1), (-1, 1), (8, 0), (8, 1.5), (1, 2)])
def test_gpus_that_cannot_be_shared_so_are_an_error(gpus: float, share: float) -> None:
    with pytest.raises(InputError, match="gpus-per-unit"):
        machines("slurm", gpus, share, None, 1, 1)


def test_only_scored_units_of_the_track_on_the_same_kind_of_device_are_evidence() -> None:
    records = [
        record(), record("other", 30.0), record(kind="cuda", seconds=1.0), record(status="failed"),
        record(track={"digest": "another"}), record("net", 12.0, environment=None),
    ]  # fmt: skip
    found = evidence(records, "t", "cpu", ["net"])
    assert [(one.submission, one.images, one.seconds) for one in found.timed] == [
        ("net", 100, 10.0), ("other", 100, 30.0), ("net", 100, 12.0),
    ]  # fmt: skip
    assert found.devices == {"a cpu": 1, "unnamed device": 1}
    assert evidence(records, "t", "cuda", ["net"]).devices == {"a cuda": 1}


def test_hours_count_what_a_unit_holds_and_wall_time_what_is_besides() -> None:
    found = evidence([record(seconds=3600.0)], "t", "cpu", ["net"])
    cost = predict(
        [unit("a"), unit("b", parent="a"), unit("c")], found, Machines("ray", "cuda", 2, 0.5), Overhead(60.0, 0.0, "r")
    )
    assert cost.forecast.wall.value == 60 + 7200 and cost.hours.value == 1.5 and cost.unit == "GPU-hours"
    plain = json.loads(json.dumps(cost.plain()))
    assert plain["wall_seconds"] == {"value": 7260.0, "low": None, "high": None}
    assert plain["gpu_hours"]["value"] == 1.5 and plain["timed_units"] == {"net": 1} and plain["not_timed"] == []


def test_nothing_timed_is_not_nothing_to_do() -> None:
    cost = predict([unit("a", "other")], evidence([], "t", "cpu", []), Machines("local", "cpu", 2, 1), Overhead())
    assert not cost.known and cost.plain()["wall_seconds"] is None and cost.plain()["not_timed"] == ["other"]
    assert predict([], evidence([], "t", "cpu", []), Machines("local", "cpu", 2, 1), Overhead()).known


def test_what_an_engine_takes_besides_comes_from_its_newest_run(tmp_path: Path) -> None:
    assert overhead(tmp_path, "local") == Overhead()
    for engine in ("local", "ray"):
        with Tracker(tmp_path / "runs", About(engine, "process", "t", "cpu"), [unit("a")]) as tracker:
            tracker.begun(unit("a"))
            tracker.ended(unit("a"), record(seconds=-5.0))
    (tmp_path / "runs" / "99999999T000000Z-damaged.json").write_text("{")
    found = overhead(tmp_path, "local")
    assert found.run and found.each == pytest.approx(5.0, abs=1.0) and found.startup >= 0
    assert overhead(tmp_path, "slurm") == Overhead()
