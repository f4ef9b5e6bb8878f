import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import campaign
from benchmark.crew import processors

CODE = """
import sys
from benchmark import campaign
from benchmark.crew import processors
campaign.GPU_DRIVERS = tuple(map(campaign.Path, sys.argv[1:]))
print(campaign.default_device(), "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("drivers", "imported"), [([], "False"), (["/nowhere/driver"], "False"), (["/dev/null"], "True")]
)
def test_torch_is_asked_for_a_gpu_only_where_there_is_a_driver(drivers: list[str], imported: str) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, *drivers], capture_output=True, text=True, check=True)
    device, found = done.stdout.split()
    assert found == imported and device in ("cpu", "cuda")
    assert device == "cpu" or drivers == ["/dev/null"]


def test_the_drivers_of_nvidia_and_amd_are_looked_for() -> None:
    assert {Path("/dev/nvidiactl"), Path("/dev/kfd")} <= set(campaign.GPU_DRIVERS)


def test_as_many_units_are_offered_to_a_gpu_as_may_take_turns_there() -> None:
    assert campaign.default_jobs("cuda", 1) == campaign.default_jobs("cuda:1", 1, shared=False) == 1
    assert campaign.default_jobs("cuda:1", 1, shared=True) == campaign.UNITS_OF_A_GPU
    assert 1 <= campaign.default_jobs("cpu", 1, shared=True) <= processors()
