from typing import Any

import pytest

from benchmark.engine.base import Options
from benchmark.engine.slurm import SlurmEngine
from benchmark.engine.slurm_options import KNOWN, asked
from benchmark.errors import InputError


def options(settings: dict[str, str] | None = None, **changes: Any) -> Options:
    return Options(**{"threads": 2, "seconds": 3600.0, "settings": settings or {}, **changes})


def script(found: Any, count: int = 3) -> list[str]:
    """The `#SBATCH` lines that submitit makes of it."""
    slurm = pytest.importorskip("submitit.slurm.slurm", reason="submitit is not installed")
    text = slurm._make_sbatch_string("true", "/folder", map_count=count, **found.parameters(count))
    return [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]


def test_a_task_gets_what_a_unit_needs() -> None:
    lines = script(asked(options(gpus=2.0, memory=3 * 2**30)))
    for wanted in (
        "--time=70",
        "--cpus-per-task=2",
        "--gres=gpu:2",
        "--mem=3072M",
        "--requeue",
        "--array=0-2%3",
        "--signal=USR2@90",
    ):
        assert wanted in lines, wanted


def test_settings_go_to_sbatch() -> None:
    given = {
        "partition": "gpu", "account": "lab", "qos": "low", "constraint": "a100", "exclude": "n[1-3]", "time": "5", "memory": "8G",
        "parallel": "2", "sbatch": "reservation=study,--licenses=x:1,hold", "setup": "module load cuda", "gres": "shard:1",
    }  # fmt: skip
    found = asked(options(given, gpus=0.5))
    lines = script(found)
    for wanted in (
        "--partition=gpu", "--account=lab", "--qos=low", "--constraint=a100", "--time=5", "--mem=8G", "--array=0-2%2",
        "--reservation=study", "--licenses=x:1", "--hold", "--gres=shard:1",
    ):  # fmt: skip
        assert wanted in lines, wanted
    assert found.parameters(1)["setup"] == ["module load cuda"]


def test_without_a_gpu_or_memory_nothing_is_asked_for() -> None:
    lines = script(asked(options()))
    assert not [line for line in lines if "gres" in line or "mem" in line]


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        ({"time": "soon"}, {}, "time: not a number; found 'soon'; allowed: a whole number, 1 or more"),
        ({"array": "0"}, {}, "array: too small"),
        ({"poll": "nan"}, {}, "poll: too small"),
        ({"sbatch": "a b=c"}, {}, "not options of sbatch"),
        ({"sbatch": "mem="}, {}, "not options of sbatch"),
        ({}, {"gpus": 0.5}, "Slurm gives whole GPUs"),
        ({}, {"seconds": None}, "how long may a task take"),
    ],
)
def test_what_cannot_be_is_an_error(settings: dict[str, str], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        asked(options(settings, **changes))


def test_an_unknown_setting_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="the engine slurm has no such setting; found 'partitoin'; allowed: partition"):
        SlurmEngine(1, options=options({"partitoin": "gpu"}))
    assert all(KNOWN.values())
