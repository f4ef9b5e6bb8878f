"""Calibration as a campaign: conditions over processes, resumable, then a table and a figure.

Every finished condition is one line of `rates.jsonl`; a command that was stopped goes on after it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.allocator import keep_memory
from benchmark.errors import InputError
from benchmark.files import atomic
from benchmark.start_worker import die_with_parent
from benchmark.stats import calibration
from benchmark.stats.calibration import BAR, Condition, Rate, Scenario
from benchmark.stats.design import Design
from benchmark.stats.generator import Experiment
from benchmark.stats.verdict import needs

VERSION = {"null": 1, "margin": 2, "wide": 2, "point": 2, "swaps": 1}
"""Raised when the generator, a procedure or what is counted changes, so that old lines are not taken for new ones."""

LEAST = 100


class Task(NamedTuple):
    """One condition in one scenario."""

    condition: Condition
    scenario: Scenario
    replicates: int
    seed: int

    @property
    def name(self) -> str:
        """Identifies its line."""
        return f"{VERSION[self.scenario]}|{self.condition.label}|{self.scenario}|{self.replicates}|{self.seed}"


class Real(NamedTuple):
    """Real predictions of two arms, whose labels are swapped."""

    label: str
    experiment: Experiment
    design: Design
    replicates: int
    seed: int

    @property
    def name(self) -> str:
        """Identifies its line, by content."""
        from benchmark.files import digest

        content = digest([part.tolist() for part in self.experiment])
        return f"{VERSION['swaps']}|{self.label}|swaps|{self.replicates}|{self.seed}|{content[:16]}"


def _work(task: Task | Real) -> list[Rate]:
    if isinstance(task, Real):
        return calibration.run_swaps(task.experiment, task.design, task.replicates, task.seed)
    return calibration.run(task.condition, task.scenario, task.replicates, task.seed)


def _label(task: Task | Real) -> dict[str, Any]:
    if isinstance(task, Real):
        return {
            "condition": f"{task.design.groups} groups, {len(task.design.blocks)} folds × {task.design.repeats}, "
            f"real: {task.label}",
            "scenario": "null",
            "withheld": bool(needs(task.design)),
            "real": True,
        }
    return {
        "condition": task.condition.label,
        "scenario": task.scenario,
        "withheld": task.condition.withheld,
        "real": False,
    }


def tasks(conditions: Sequence[Condition], replicates: int, seed: int) -> list[Task]:
    """Every scenario of every condition; power, which need not be known as well, from a third of the replicates.

    Raises:
        InputError: for too few replicates.
    """
    if replicates < LEAST:
        raise InputError("too few replicates", field="--replicates", found=replicates, allowed=f"{LEAST} or more")
    power = max(LEAST, replicates // 3)
    return [
        Task(one, scenario, power if scenario == "point" else replicates, seed)
        for scenario in calibration.SCENARIOS
        for one in conditions
    ]


def done(folder: Path) -> dict[str, dict[str, Any]]:
    """Finished lines by name; a half-written last line does not count.

    Raises:
        InputError: when any other line cannot be read.
    """
    path = folder / "rates.jsonl"
    found: dict[str, dict[str, Any]] = {}
    lines = path.read_text().splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            found[entry["name"]] = entry
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise InputError("not a line of rates", file=path, field=f"line {number}", hint="Delete it") from error
    return found


def run(
    work: Sequence[Task | Real], folder: Path, jobs: int, step: Callable[[int, int | None], None] | None = None
) -> list[dict[str, Any]]:
    """Compute what is missing and return every line, in the order of the work.

    Args:
        work: what is wanted.
        folder: holds `rates.jsonl`.
        jobs: processes.
        step: told how many are done and how many there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = done(folder)
    with atomic(folder / "rates.jsonl") as file:
        file.write("".join(f"{json.dumps(line)}\n" for line in known.values()).encode())
    missing = [task for task in work if task.name not in known]
    finished = len(work) - len(missing)
    if step:
        step(finished, len(work))
    with (
        ProcessPoolExecutor(
            jobs, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
        ) as pool,
        (folder / "rates.jsonl").open("a") as log,
    ):
        running = {pool.submit(_work, task): task for task in missing}
        try:
            for future in as_completed(running):
                task = running[future]
                rates = [rate._asdict() for rate in future.result()]
                known[task.name] = {"name": task.name, **_label(task), "rates": rates}
                log.write(json.dumps(known[task.name]) + "\n")
                log.flush()
                finished += 1
                if step:
                    step(finished, len(work))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [known[task.name] for task in work]


def _begin(harness: int) -> None:
    """One thread a process, memory kept, and an end with the harness: workers would go on without it for ever."""
    from threadpoolctl import threadpool_limits

    die_with_parent()
    if os.getppid() != harness:  # killed while this process was still importing
        os._exit(1)
    threadpool_limits(1)
    keep_memory()


def withholds(line: dict[str, Any]) -> bool:
    """Whether equivalence, if that is the line's scenario, is withheld in most experiments of its condition."""
    judged = [rate["rate"] for rate in line["rates"] if rate["procedure"] == calibration.JUDGED]
    return bool(judged) and judged[0] < 0.5


def outside(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Conditions that carry verdicts and whose error rate is outside the bar, in words.

    In the scenario `margin` the lower bound counts only where equivalence is judged in most
    experiments: elsewhere it is withheld. `wide` is looked at and not judged: its margin is not the
    board's, and gains of several points bring a skew (less is left to err) that half a point does not.
    """
    found = []
    for line in lines:
        ours = next(rate for rate in line["rates"] if rate["procedure"] == "ours")
        low, high = BAR
        if line["withheld"] or line["scenario"] not in ("null", "margin"):
            continue
        if ours["rate"] > high or (ours["rate"] < low and not withholds(line) and not line["real"]):
            found.append(f"{line['condition']}, {line['scenario']}: {100 * ours['rate']:.1f} %")
    return found


def from_ledger(path: Path, replicates: int, seed: int) -> list[Real]:
    """Two-step and imagenet predictions of every trial whose design carries a verdict.

    Raises:
        InputError: when the ledger holds no record.
    """
    from benchmark.findings import REGISTERED
    from benchmark.ledger import Ledger
    from benchmark.results import Results

    results = Results(Ledger(path))
    if not results.trials:
        raise InputError("no record", file=path, hint="Run: karyobench run")
    found = []
    for trial, arms in sorted(results.trials.items()):
        pair = results.pair(arms, *REGISTERED)
        if pair and pair.trainings > 1 and pair.groups > 1:
            design = Design(pair.repeats, pair.blocks)
            if not needs(design):
                label = f"{trial.submission} → {trial.target}"
                found.append(Real(label, results.experiment(arms, pair), design, replicates, seed))
    return found


def report(lines: Sequence[dict[str, Any]], folder: Path) -> str:
    """Write `calibration.md`, `.svg` and `.png`, and return the text of the first."""
    from benchmark.board.pictures.calibration import figure, markdown

    text = markdown(lines)
    with atomic(folder / "calibration.md") as file:
        file.write(text.encode())
    for kind in ("svg", "png"):
        with atomic(folder / f"calibration.{kind}") as file:
            file.write(figure(lines, "svg" if kind == "svg" else "png"))
    return text
