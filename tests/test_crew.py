import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import process as process_pools
from pathlib import Path

import pytest

from benchmark.crew import crew, processors, slices
from benchmark.errors import InfrastructureError, IntegrityError

DEADLINE = 60


def until(fulfilled: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not fulfilled():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be asked for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def all_children() -> set[int]:
    return {int(one) for one in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture(autouse=True)
def _others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that other tests of this process left behind are not a crew's."""
    monkeypatch.setattr(sys.modules[__name__], "OTHERS", all_children())


OTHERS: set[int] = set()


def children() -> list[int]:
    return sorted(all_children() - OTHERS)


@pytest.mark.parametrize("workers", [1, 2, 3, None])
def test_results_come_in_the_order_of_the_parts_whoever_makes_them(workers: int | None) -> None:
    told: list[int] = []
    offset = 1000  # only in this process's memory: nothing is sent to a fork but a number

    def work(part: int) -> tuple[int, int]:
        return part + offset, os.getpid()

    with crew(work, range(20), workers, told.append) as results:
        found = list(results)
    assert [value for value, _ in found] == [part + offset for part in range(20)] and sorted(told) == list(range(20))
    forked = {process for _, process in found} - {os.getpid()}
    assert bool(forked) == ((workers or processors()) > 1) and children() == []


def test_one_part_is_worked_on_here() -> None:
    with crew(lambda _: os.getpid(), ["only"], 4) as results:
        assert list(results) == [os.getpid()]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_part_is_raised_as_it_is(workers: int) -> None:
    def work(part: int) -> int:
        if part == 3:
            raise IntegrityError("predictions are missing", file="x.npz", field="sha256", found=part)
        return part

    told: list[int] = []
    expected = r"^x.npz: sha256: predictions are missing; found 3$"
    with crew(work, range(10), workers, told.append) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(IntegrityError, match=expected) as caught:
            next(results)
    assert caught.value.file == "x.npz" and 3 not in told and children() == []


def test_a_killed_fork_is_an_error_of_the_machine() -> None:
    with pytest.raises(InfrastructureError, match="was killed"), crew(_die_at_two, range(6), 2) as results:
        list(results)
    assert children() == []


def _die_at_two(part: int) -> int:
    if part == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def test_ctrl_c_starts_no_further_part_and_leaves_nobody(tmp_path: Path) -> None:
    """To a process group of its own, as a terminal does."""

    def work(part: int) -> None:
        (tmp_path / f"{part}").write_text(str(os.getpid()))
        until((tmp_path / "go on").exists)

    class Pool(process_pools.ProcessPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            (tmp_path / "stopping").touch()
            super().shutdown(wait, cancel_futures=cancel_futures)

    def main() -> None:
        os.setpgrp()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
        process_pools.ProcessPoolExecutor = Pool
        try:
            with crew(work, range(100), 2) as results:
                list(results)
        except KeyboardInterrupt:
            os._exit(77)

    process = multiprocessing.get_context("fork").Process(target=main)
    process.start()
    until(lambda: all((tmp_path / f"{part}").exists() for part in (0, 1)))
    assert process.pid is not None
    os.killpg(process.pid, signal.SIGINT)
    until((tmp_path / "stopping").exists)
    assert process.is_alive(), "parts that are under way are waited for"
    (tmp_path / "go on").touch()
    process.join(DEADLINE)
    begun = [path for path in tmp_path.iterdir() if path.name.isdigit()]
    assert process.exitcode == 77 and not any(alive(int(path.read_text())) for path in begun)
    assert len(begun) < 50


def test_forks_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    def work(part: int) -> None:
        (tmp_path / f"{os.getpid()}").touch()
        time.sleep(DEADLINE)

    def main() -> None:
        with crew(work, range(2), 2) as results:
            list(results)

    process = multiprocessing.get_context("fork").Process(target=main)
    process.start()
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    process.kill()
    process.join(DEADLINE)
    until(lambda: not any(alive(int(path.name)) for path in tmp_path.iterdir()))


def test_slices_hold_everything_once() -> None:
    assert slices([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]] and slices([], 2) == []
