"""Made-up states of a run, for tests of its page: everything occurs that a state can hold."""

from __future__ import annotations

from typing import Any

from benchmark.status.model import Count, Failure, Head, Remaining, RunState, UnderWay
from benchmark.status.reading import Found, Life
from tests.board.made import SCRIPT

CHAIN = ("ImageNet", "cir-g", "bioimlab-q")


def state(**changes: Any) -> RunState:
    """A run of 660 trainings on a cluster, a third of it done; one of its submissions is named with markup."""
    counts = (
        Count(submission="tf-efficientnet-lite0", total=60, done=60, failed=0, running=0),
        Count(submission=SCRIPT, total=300, done=100, failed=12, running=5),
        Count(submission="zoo-net", total=300, done=60, failed=0, running=3),
    )
    under_way = tuple(
        UnderWay(
            key=f"{n:032x}", submission=SCRIPT if n % 2 else "zoo-net", chain=CHAIN, fold=n % 5, repeat=n // 5,
            seconds=40.0 * n, part=None if n == 3 else n / 8, place=f"node-{n // 4}" if n != 5 else "",
        )
        for n in range(8)
    )  # fmt: skip
    failures = tuple(
        Failure(key=f"{n + 99:032x}", submission="zoo-net", chain=CHAIN, fold=n, repeat=0, kind=kind, message=message)
        for n, (kind, message) in enumerate([("nan", f"epoch 3: {SCRIPT}"), ("given-up", "quarantined: its node went (2 times)")])
    )  # fmt: skip
    whole: dict[str, Any] = {
        "run": "20261124T120000Z-abc123", "command": "karyobench run all --engine ray", "engine": "ray", "sandbox": "process",
        "track": "pocket", "device": "cuda", "phase": "running", "message": "", "started": "2026-11-24T12:00:00+00:00",
        "head": Head(host="head-1", pid=4711, started=1.0, boot=""), "beat": 99, "beaten": "2026-11-24T12:34:56+00:00",
        "every": 1.0, "seconds": 2096.0, "slots": 8, "total": 660, "done": 220, "failed": 12, "given_up": 1, "running": 8,
        "queued": 4, "retries": 17, "images": 660_000, "images_done": 232_500.0,
        "remaining": Remaining(seconds=4000.0, low=3600.0, high=4500.0, guessed=("zoo-net",)), "startup": 12.0, "each": 0.5,
        "under_way": under_way, "failures": failures, "submissions": counts,
    }  # fmt: skip
    return RunState(**(whole | changes))


def found(life: Life = "alive", **changes: Any) -> Found:
    """The same with what is known of its head."""
    return Found(state(**changes), life)
