import os
import subprocess
import sys

import pytest

from bench import watch

CHILD = "import time; block = bytearray(60 << 20); time.sleep(2)"
PARENT = f"import subprocess, sys; block = bytearray(40 << 20); subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_memory_is_that_of_a_process_and_its_children_together() -> None:
    done = watch.run([sys.executable, "-c", PARENT], dict(os.environ))
    assert 100 << 20 < done.peak_bytes < 200 << 20 and done.seconds > 2


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        watch.run([sys.executable, "-c", "raise SystemExit('no such thing')"], dict(os.environ))


def test_the_tree_of_a_process_holds_its_children_only() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"]) as child:
        assert child.pid in watch.tree(os.getpid()) and os.getppid() not in watch.tree(os.getpid())
        child.kill()
