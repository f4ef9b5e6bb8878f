"""A Slurm of this machine for tests: munged, slurmctld and two slurmd, all in a folder of their own and on loopback.

It needs the packages that `.ci/slurm` installs, and no rights: the daemons run as whoever runs the tests.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REQUIRE = "KARYOBENCH_REQUIRE_SLURM"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
NODES = ("n1", "n2")
PATIENCE = 60.0

CONFIGURATION = """\
ClusterName=karyobench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
GresTypes=gpu
DefMemPerCPU=500
KillWait=1
MinJobAge=300
ReturnToService=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000 Gres=gpu:2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=8000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=one Nodes=n2 MaxTime=INFINITE State=UP
"""


def without(reason: str) -> Any:
    """Skip for a reason, or fail where a Slurm is required."""
    if os.environ.get(REQUIRE):
        pytest.fail(f"{REQUIRE} is set, but {reason}")
    pytest.skip(reason)


def path() -> str:
    """Where programs are looked for: Debian keeps daemons where ordinary users do not look."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def wait_for(ready: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Look twenty times a second whether something has happened."""
    deadline = time.monotonic() + patience
    while not ready():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(0.05)


class SlurmCluster:
    """The running daemons. Commands find it by `SLURM_CONF`, which the fixture sets."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.configuration = folder, folder / "slurm.conf"
        self._started: list[Path] = []

    def start(self) -> None:
        """Start all daemons and wait until both nodes are idle."""
        for name in ("munge", "state"):
            (self.folder / name).mkdir()
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        (self.folder / "gres.conf").write_text("NodeName=n1 Name=gpu File=/dev/null,/dev/zero\n")
        ports = _free_ports(3)
        self.configuration.write_text(
            CONFIGURATION.format(host=host, user=getpass.getuser(), folder=self.folder, ports=ports)
        )
        munge = self.folder / "munge"
        self._daemon(
            "munged", f"--socket={munge}/socket", f"--key-file={key}", f"--log-file={munge}/log",
            f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", "--num-threads=2", pid=munge / "pid",
        )  # fmt: skip
        self._daemon("slurmctld", "-c", "-f", str(self.configuration), pid=self.folder / "slurmctld.pid")
        for node in NODES:
            self.start_node(node)
        wait_for(lambda: self.nodes("idle") == set(NODES), f"idle nodes; see {self.folder}")

    def start_node(self, node: str) -> None:
        """Start the daemon of one node."""
        self._daemon("slurmd", "-f", str(self.configuration), "-N", node, pid=self.folder / f"slurmd-{node}.pid")

    def _daemon(self, program: str, *options: str, pid: Path) -> None:
        done = subprocess.run([str(shutil.which(program, path=path())), *options], capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"{program}: {done.stderr.strip() or done.stdout.strip()}")
        self._started.append(pid)

    def command(self, *words: str) -> str:
        """Output of one of Slurm's commands; of a controller that does not answer yet, nothing."""
        return subprocess.run(words, capture_output=True, text=True).stdout

    def nodes(self, state: str) -> set[str]:
        """Names of the nodes in a state, that answer."""
        lines = self.command("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T").splitlines()
        return {node for node, found in map(str.split, lines) if found == state}

    def states(self) -> dict[str, str]:
        """State of every job and task of an array that the controller remembers."""
        lines = self.command("squeue", "-h", "--array", "-t", "all", "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def stop(self) -> None:
        """End every job, then every daemon."""
        self.command("scancel", "--me")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.command("squeue", "-h"), "end of all jobs", 10.0)
        for file in self._started:  # they save nothing that anybody will read
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(file.read_text()), signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody holds now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def running() -> Iterator[SlurmCluster]:
    """Body of a session's fixture: a Slurm that answers, or a reason to skip."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=path()) is None]
    if missing:
        without(f"{', '.join(missing)} is not installed (see .ci/slurm)")
    folder = Path(tempfile.mkdtemp(prefix="karyobench-slurm-"))
    folder.chmod(0o755)  # munged serves no socket that others cannot reach
    cluster = SlurmCluster(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.configuration))
        try:
            cluster.start()
        except (OSError, AssertionError) as error:
            cluster.stop()
            without(f"a Slurm of this machine does not start: {error}")
        yield cluster
        cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)
