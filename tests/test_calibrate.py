import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark import calibrate
from benchmark.errors import InputError
from benchmark.stats.calibration import Condition

SMALL = Condition("mild", 16, 5, 2)


def line(rate: float, scenario: str = "null", withheld: bool = False, real: bool = False) -> dict[str, Any]:
    rates = [{"procedure": "ours", "rate": rate, "low": rate, "high": rate, "replicates": 1500}]
    return {"condition": "c, mild", "scenario": scenario, "withheld": withheld, "real": real, "rates": rates}


@pytest.fixture(scope="module")
def work() -> list[calibrate.Task]:
    """Every scenario, with fewer replicates than a user may ask for."""
    return [task._replace(replicates=12) for task in calibrate.tasks([SMALL], 100, 0)]


@pytest.fixture(scope="module")
def first(work: list[calibrate.Task], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Folder and lines of an undisturbed calibration."""
    folder = tmp_path_factory.mktemp("calibration")
    return folder, calibrate.run(work, folder, 1)


def test_a_stopped_calibration_goes_on_after_the_last_whole_line(
    tmp_path: Path, work: list[calibrate.Task], first: tuple[Path, list[dict[str, Any]]]
) -> None:
    before, wanted = first
    path = Path(shutil.copy(before / "rates.jsonl", tmp_path))
    kept = path.read_text().splitlines()
    assert len(wanted) == 4 and len(kept) == 4
    path.write_text("\n".join(kept[:2]) + "\n" + kept[2][:40])
    told: list[tuple[int, int | None]] = []
    assert calibrate.run(work, tmp_path, 1, lambda done, total: told.append((done, total))) == wanted
    assert told == [(2, 4), (3, 4), (4, 4)] and sorted(path.read_text().splitlines()) == sorted(kept)


def test_other_replicates_or_seeds_are_other_lines() -> None:
    names = {calibrate.Task(SMALL, "null", replicates, seed).name for replicates in (100, 200) for seed in (0, 1)}
    assert len(names) == 4


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "rates.jsonl").write_text('{"no": "name"}\n{"name": "a"}\n')
    with pytest.raises(InputError, match="line 1"):
        calibrate.done(tmp_path)


def test_power_takes_a_third_of_the_replicates() -> None:
    found = {task.scenario: task.replicates for task in calibrate.tasks([SMALL], 1500, 0)}
    assert found == {"null": 1500, "margin": 1500, "wide": 1500, "point": 500}


def test_too_few_replicates_are_refused() -> None:
    with pytest.raises(InputError, match="found 10; allowed: 100 or more"):
        calibrate.tasks([SMALL], 10, 0)


def test_a_low_rate_of_equivalence_counts_only_where_it_is_judged() -> None:
    low = line(0.01, "margin")
    for judged, wrong in ((0.9, True), (0.2, False)):
        low["rates"][1:] = [{"procedure": "equivalence judged", "rate": judged}]
        assert bool(calibrate.outside([low])) == wrong and calibrate.withholds(low) != wrong
    low["rates"][0]["rate"] = 0.08
    assert calibrate.outside([low]), "too many claims are wrong everywhere"


@pytest.mark.parametrize(("found", "wrong"), [
    (line(0.05), False), (line(0.071), True), (line(0.02), True),
    (line(0.0, "margin"), True), (line(0.08, "margin"), True), (line(0.02, "wide"), False), (line(0.08, "wide"), False),
    (line(0.9, "point"), False), (line(0.2, withheld=True), False), (line(0.01, real=True), False),
])  # fmt: skip
def test_the_bar(found: dict[str, Any], wrong: bool) -> None:
    assert bool(calibrate.outside([found])) == wrong


def test_real_predictions_are_taken_where_they_carry_a_verdict(maker: Any, tmp_path: Path) -> None:
    maker.fill(imagenet=0.7, two_step=0.8)
    maker.fill(repeats=1, name="late", imagenet=0.7, two_step=0.8)
    [real] = calibrate.from_ledger(tmp_path / "ledger", 100, 0)
    assert real.label == "net → tiny" and real.design.trainings == 10
    [found] = calibrate.run([real], tmp_path, 1)
    assert found["real"] and found["condition"] == "25 groups, 5 folds × 2, real: net → tiny"
    assert next(one for one in found["rates"] if one["procedure"] == "ours")["rate"] < 0.13


def test_a_report_is_a_table_and_a_figure(tmp_path: Path, first: tuple[Path, list[dict[str, Any]]]) -> None:
    lines = first[1]
    text = calibrate.report(lines, tmp_path)
    assert "| 16 groups, 5 folds × 2, mild" in text and text.count("McNemar") == 2 and "one point found" in text
    rate = next(one for one in json.loads(json.dumps(lines))[0]["rates"] if one["procedure"] == "ours")
    assert f"{100 * rate['rate']:.1f} ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})" in text
    assert (tmp_path / "calibration.md").read_text() == text
    assert (tmp_path / "calibration.svg").read_bytes().startswith(b"<svg")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")


def state(pid: str) -> tuple[str, int]:
    """State letter of a process and the hundredths of a second that it computed; Z where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "Z", 0
    return fields[0], int(fields[11])


@pytest.mark.parametrize("computed", [0, 100], ids=["starting", "working"])
def test_workers_end_with_a_killed_harness(tmp_path: Path, computed: int) -> None:
    code = (
        "from pathlib import Path\nfrom benchmark import calibrate\nfrom benchmark.stats.calibration import Condition\n"
        "if __name__ == '__main__':\n"
        "    work = calibrate.tasks([Condition('mild', 119, 1, 10)], 100000, 0)\n"
        f"    calibrate.run(work, Path({str(tmp_path)!r}), 1, lambda done, total: print(done, flush=True))\n"
    )
    script = tmp_path / "harness.py"
    script.write_text(code)
    harness = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert harness.stdout is not None and harness.stdout.readline() == b"0\n"
    children = Path(f"/proc/{harness.pid}/task/{harness.pid}/children")
    workers: list[str] = []
    for _ in range(6000):
        workers = [p for p in children.read_text().split() if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
        if workers and state(workers[0])[1] >= computed:
            break
        time.sleep(0.01)
    harness.kill()
    harness.wait()
    assert workers
    for _ in range(300):
        if all(state(worker)[0] == "Z" for worker in workers):
            return
        time.sleep(0.1)
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)
    pytest.fail("a worker outlived its harness")
