"""The `apptainer` sandbox: the worker's image as a file, for clusters whose nodes have no docker daemon.

The unit sees its inputs, read-only, and its empty output folder; no home, no host's temporary files, no variable of the
host, no other process, no network. It runs as this user, without privileges. Limits on memory, processors and processes are
cgroups, which Apptainer lets systemd make in the user's own session: where there is none, as within many batch systems,
Apptainer refuses to start, and nothing is trained until `KARYOBENCH_APPTAINER_LIMITS=batch` leaves them to the batch system,
whose limits hold in any case, since a container is a process of the task.

Seen with Apptainer 1.4.5 as an ordinary user: it exits with 255 when it does not start a container, with 128 and the number of
a signal when that ended what ran inside, and its container ends with it. So it ends with its harness, too.

It is not called sealed on the board: what keeps it apart is the cluster's installation, which nobody here can vouch for.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmark.errors import InputError
from benchmark.files import sha256_file
from benchmark.sandbox.base import STOPPED, EpochReport, Limits, Outcome, Sandbox
from benchmark.sandbox.energy import joules_between, read_microjoules
from benchmark.sandbox.judge import judge, log_tail, with_log
from benchmark.sandbox.process import POLL, Tail, environment, variables

IMAGE = "KARYOBENCH_APPTAINER_IMAGE"
"""Variable: path of the image, which `apptainer build worker.sif docker-daemon:karyobench-worker:…` makes."""

LIMITS = "KARYOBENCH_APPTAINER_LIMITS"
"""Variable: who limits memory, processors and processes."""

LIMITED_BY = ("apptainer", "batch")

SESSION = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""Variables by which Apptainer finds the user's systemd; no unit sees them."""

SIGNALLED = 128
"""Exit code, less the signal's number, of what a signal ended in a container."""

START = """
import os, sys
from benchmark.start_worker import die_with_parent
die_with_parent()
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    print(error, flush=True)
    os._exit(255)
"""
"""Becomes Apptainer once the kernel was asked to end it with its harness."""

CANNOT_START = 255
"""Exit code of Apptainer when it did not start a container."""


class ApptainerSandbox(Sandbox):
    """Runs every worker in a container of an image file.

    Args:
        image: path; default: `KARYOBENCH_APPTAINER_IMAGE`.
    """

    name = "apptainer"

    def __init__(self, image: Path | None = None) -> None:
        super().__init__()
        given = os.environ.get(IMAGE)
        self.image = image or (Path(given) if given else None)
        self._digest: str | None = None

    def prepare(self) -> None:
        """See `Sandbox.prepare`."""
        if shutil.which("apptainer") is None:
            hint = "See https://apptainer.org, or take another sandbox"
            raise InputError("apptainer is not installed", field="sandbox", found=self.name, hint=hint)
        if self.image is None or not self.image.is_file():
            hint = "Run: apptainer build worker.sif docker-daemon:IMAGE (karyobench image build makes IMAGE)"
            raise InputError("no image of the worker", file=self.image, field=IMAGE, hint=hint)
        limited_by()
        if self._digest is None:
            self._digest = sha256_file(self.image)

    def inside(self, device: str) -> str:
        """A leased GPU is the only one the unit sees."""
        return "cuda" if device.startswith("cuda") else device

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        """See `Sandbox.run`."""
        try:
            self.prepare()
        except InputError as error:
            return Outcome("infrastructure", "input", str(error))
        assert self.image is not None
        before, started = read_microjoules(), time.monotonic()
        with (output / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, *command(self.image, inputs.resolve(), output.resolve(), limits)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(limits) | {name: os.environ[name] for name in SESSION if name in os.environ},
                start_new_session=True,
            )
            timed_out = self._wait(process, output, started + limits.seconds, report)
        if self.stopping.is_set():
            return STOPPED
        return Outcome(
            *_verdict(process.returncode, timed_out, output, limits),
            seconds=round(time.monotonic() - started, 3),
            energy_joules=joules_between(before, read_microjoules()),
            details={"image": f"sha256:{self._digest}", "limits": vars(limits), "limited_by": limited_by()},
        )

    def _wait(self, process: subprocess.Popen[bytes], output: Path, deadline: float, report: EpochReport) -> bool:
        tail, timed_out = Tail(output / "log.jsonl", report), False
        try:
            while True:
                try:
                    process.wait(POLL)
                    return timed_out
                except subprocess.TimeoutExpired:
                    tail.read()
                timed_out = timed_out or time.monotonic() > deadline
                if timed_out or self.stopping.is_set():
                    _kill(process.pid)
        finally:
            _kill(process.pid)
            process.wait()
            tail.read()


def command(image: Path, inputs: Path, output: Path, limits: Limits) -> list[str]:
    """The command line that runs one unit.

    Args:
        image: file of the worker's image.
        inputs: seen as `/inputs`, read-only.
        output: seen as `/output`.
        limits: of memory, processes, threads and device; the time limit is kept from outside.
    """
    words = [
        "apptainer", "exec", "--containall", "--cleanenv", "--no-home", "--no-privs", "--no-eval", "--net", "--network=none",
        "--pwd=/output", f"--bind={inputs}:/inputs:ro", f"--bind={output}:/output:rw",
    ]  # fmt: skip
    own = limited_by() == "apptainer"
    if own:
        words += [f"--pids-limit={limits.processes}", f"--cpus={limits.threads}"]
    if own and limits.memory:
        words += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}"]
    given = variables(limits)
    if limits.device.startswith("cuda"):
        words.append("--nv")
        index = limits.device.partition(":")[2] or os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
        given |= {"CUDA_VISIBLE_DEVICES": index} if index else {}
    words += [f"--env={name}={value}" for name, value in sorted(given.items())]
    return [*words, str(image), "python3", "-P", "-m", "benchmark.start_worker", "/inputs", "/output"]


def limited_by() -> str:
    """Who limits memory, processors and processes of a unit.

    Raises:
        InputError: when the variable says something else.
    """
    given = os.environ.get(LIMITS) or LIMITED_BY[0]
    if given not in LIMITED_BY:
        raise InputError("who limits a unit?", field=LIMITS, found=given, allowed=LIMITED_BY)
    return given


def _kill(session: int) -> None:
    try:
        os.killpg(session, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _verdict(code: int, timed_out: bool, output: Path, limits: Limits) -> tuple[Any, str, str]:
    if timed_out:
        return "model-failure", "time-out", with_log(f"not done after {limits.seconds:.0f} s", output)
    if code == CANNOT_START:
        return "infrastructure", "start", with_log(f"apptainer did not start the container{_hint(output)}", output)
    number = -code if code < 0 else code - SIGNALLED
    if code < 0 or number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        return "infrastructure", "killed", f"the container was ended from outside by signal {number}"
    return judge(code, output)


def _hint(output: Path) -> str:
    return f"; {LIMITS}=batch leaves limits to the batch system" if "cgroup" in log_tail(output) else ""
