import subprocess
import sys
import time
from pathlib import Path

from benchmark.sandbox.owner import alive, owner


def test_an_owner_is_alive_while_its_process_is() -> None:
    assert alive(owner())
    boot, pid, start = owner().split(" ")
    assert not alive(f"{boot} {pid} {int(start) + 1}"), "another process took the number"
    assert not alive(f"{boot} 4194999 {start}") and not alive("")
    assert alive(f"other-boot {pid} {start}"), "what another machine or boot started is not ours to remove"


def test_a_killed_process_that_nobody_has_waited_for_yet_is_not_alive() -> None:
    """Its parent may wait for it late or never; its containers are nobody's all the same."""
    boot = owner().split(" ")[0]
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        label = f"{boot} {process.pid} {stat.read_text().rpartition(')')[2].split()[19]}"
        assert alive(label)
        process.kill()
        until = time.monotonic() + 30
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.01)
        assert not alive(label)
