import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from benchmark.allocator import keep_memory
if sys.argv[1] == "keep" and not keep_memory():
    sys.exit(77)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    held = [np.ones(50_000) for _ in range(20)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this C library has no mallopt")
    return int(done.stdout)


def test_memory_that_is_kept_is_not_faulted_in_again() -> None:
    assert 4 * faults("keep") < faults("leave")
