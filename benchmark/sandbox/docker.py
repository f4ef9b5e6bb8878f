"""The `docker` sandbox: other people's code in a container that can neither cheat nor harm.

- No network, read-only root, no capability, no new privileges, default seccomp, an ordinary user.
- Limits on memory (swap included), processes, processor time, temporary files, shared memory, output and
  wall-clock time. Output lives in memory, in a volume with a size: no disk can be filled.
- It sees the inputs folder, read-only, and its empty output folder. Never the workspace, the ledger, the labels
  of the test part, the daemon's socket, or a token.
- Whatever it does to its own process, its own container ends with it.

A container belongs to the harness process that started it. One whose harness is gone is removed at the
next start.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.errors import InfrastructureError, InputError, KaryoError
from benchmark.job import MACHINE_FAILED
from benchmark.sandbox.base import STOPPED, EpochReport, Limits, Outcome, Sandbox
from benchmark.sandbox.collect import FOLDER, Tail, collect
from benchmark.sandbox.energy import joules_between, read_microjoules
from benchmark.sandbox.image import Built, daemon, derive, find
from benchmark.sandbox.judge import judge, with_log
from benchmark.sandbox.outputs import BadOutputError
from benchmark.sandbox.owner import OWNER, owner, reap
from benchmark.sandbox.process import variables

UNIT = "org.karyobench.unit"
POLL, FOLLOW = 0.2, 2.0
LOG_LINES = 400
KILLED = 137
CANNOT_START = (125, 126, 127)
KEEPER_MEMORY = 64 << 20


class _Place(NamedTuple):
    """What one unit occupies on the daemon."""

    volume: str
    keeper: Any


class DockerSandbox(Sandbox):
    """Runs the worker in a container of the harness image.

    Args:
        image: reference of an image; default: `KARYOBENCH_IMAGE`, else the newest one of these sources.
    """

    name = "docker"
    installs = True

    def __init__(self, image: str | None = None) -> None:
        super().__init__()
        self.reference = image or os.environ.get("KARYOBENCH_IMAGE") or None
        self._image: Built | None = None

    def prepare(self) -> None:
        """See `Sandbox.prepare`."""
        self._image = find(self.reference)
        with daemon() as client:
            reap(client)

    def inside(self, device: str) -> str:
        """A leased GPU is the only one the unit sees."""
        return "cuda" if device.startswith("cuda") else device

    def run(self, inputs: Path, output: Path, limits: Limits, report: EpochReport) -> Outcome:
        """See `Sandbox.run`."""
        started, before = time.monotonic(), read_microjoules()
        try:
            if self._image is None:
                self.prepare()
            assert self._image is not None
            needed = inputs / "code" / "requirements.txt"
            built = derive(self._image, needed) if needed.is_file() else self._image
            with daemon() as client:
                limits = _with_memory(limits, client, self.jobs)
                _readable(inputs)
                with _place(client, built, limits) as place:
                    ended = _run(client, built, place, inputs.resolve(), output, limits, report, self.stopping)
                    if self.stopping.is_set():
                        return STOPPED
                    outcome = _finish(ended, place, output, limits)
        except InputError as error:
            return Outcome("infrastructure", "input", str(error))
        except KaryoError as error:
            return Outcome("infrastructure", "daemon", str(error))
        details = {
            "image": built.id,
            "tag": built.tag,
            "base": built.base,
            "limits": {name: getattr(limits, name) for name in limits.__dataclass_fields__},
        }
        return Outcome(
            *outcome,
            seconds=round(time.monotonic() - started, 3),
            peak_bytes=ended.peak,
            cpu_seconds=ended.spent,
            energy_joules=joules_between(before, read_microjoules()),
            details=details,
        )


class _Ended(NamedTuple):
    """How a container ended."""

    code: int
    out_of_memory: bool
    timed_out: bool
    from_outside: bool
    peak: int | None
    spent: float | None


def _with_memory(limits: Limits, client: Any, jobs: int) -> Limits:
    """A unit's share of the machine where no limit is given: together they must not take all of it."""
    if limits.memory:
        return limits
    from dataclasses import replace

    return replace(limits, memory=int(0.8 * client.info()["MemTotal"]) // jobs)


def _readable(inputs: Path) -> None:
    """Let the container's user read the inputs, whatever the umask was."""
    for path in [inputs, *inputs.rglob("*")]:
        mode = path.stat().st_mode
        wanted = mode | (0o555 if path.is_dir() else 0o444)
        if wanted != mode:
            path.chmod(wanted)


def options(built: Built, limits: Limits) -> dict[str, Any]:
    """What every container of a unit is started with."""
    from docker.types import LogConfig, Ulimit

    return {
        "image": built.id,
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "user": "10001:10001",
        "init": True,
        "ipc_mode": "private",
        "labels": {OWNER: owner()},
        "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
        "pids_limit": limits.processes,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": int(limits.threads * 1e9),
        "shm_size": limits.shared,
        "tmpfs": {"/tmp": f"size={limits.scratch},mode=1777,nosuid,nodev"},  # noqa: S108
        "environment": variables(limits) | {"HOME": "/tmp"},  # noqa: S108
        "use_config_proxy": False,
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
    }


@contextmanager
def _place(client: Any, built: Built, limits: Limits) -> Iterator[_Place]:
    """Volume and keeper of one unit, gone afterwards with every container that used them."""
    from docker.errors import APIError
    from docker.types import Mount

    name = f"karyobench-{uuid.uuid4().hex[:16]}"
    labels = {OWNER: owner(), UNIT: name}
    size = f"size={limits.output},nr_inodes=4096,mode=1777,nosuid,nodev,noexec"
    driver = {"type": "tmpfs", "device": "tmpfs", "o": size}
    client.volumes.create(name, driver="local", driver_opts=driver, labels=labels)
    try:
        small = options(built, limits) | {
            "mem_limit": KEEPER_MEMORY, "memswap_limit": KEEPER_MEMORY, "pids_limit": 32, "tmpfs": {},
            "environment": {}, "labels": labels, "entrypoint": ["sleep", "infinity"], "command": [],
        }  # fmt: skip
        small["mounts"] = [Mount(FOLDER, name, read_only=True)]
        yield _Place(name, client.containers.run(**small, detach=True))
    finally:
        for container in client.containers.list(all=True, ignore_removed=True, filters={"label": f"{UNIT}={name}"}):
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)
        with contextlib.suppress(APIError):
            client.volumes.get(name).remove(force=True)


def _run(
    client: Any,
    built: Built,
    place: _Place,
    inputs: Path,
    output: Path,
    limits: Limits,
    report: EpochReport,
    stopping: threading.Event,
) -> _Ended:
    """Start the worker's container and wait for its end, or end it."""
    from docker.errors import APIError
    from docker.types import DeviceRequest, Mount

    chosen = options(built, limits)
    chosen["labels"] = {**chosen["labels"], UNIT: place.volume}
    chosen["mounts"] = [Mount("/inputs", str(inputs), type="bind", read_only=True), Mount(FOLDER, place.volume)]
    if limits.device.startswith("cuda"):
        index = limits.device.partition(":")[2] or "0"
        chosen["device_requests"] = [DeviceRequest(device_ids=[index], capabilities=[["gpu"]])]
    container = client.containers.create(command=["/inputs", FOLDER], **chosen)
    since = int(time.time())
    container.start()
    deadline, follow, tail = time.monotonic() + limits.seconds, 0.0, Tail(place.keeper, report)
    peak, spent, timed_out = None, None, False
    while True:
        container.reload()
        state = container.attrs["State"]
        peak, spent = _peak(container.id, peak), _spent(container.id, spent)
        if state["Status"] in ("exited", "dead"):
            break
        if stopping.is_set() or (time.monotonic() > deadline and not timed_out):
            timed_out = True
            with contextlib.suppress(APIError):
                container.kill()
        if time.monotonic() > follow:
            tail.read()
            follow = time.monotonic() + FOLLOW
        time.sleep(POLL)
    tail.read()
    (output / "worker.log").write_bytes(container.logs(tail=LOG_LINES)[-(1 << 20) :])
    if state.get("Error") and state["ExitCode"] in CANNOT_START:
        raise InfrastructureError(f"the container cannot start: {state['Error']}", transient=False)
    code, out_of_memory = int(state["ExitCode"]), bool(state.get("OOMKilled"))
    outside = code == KILLED and not (timed_out or out_of_memory) and _killed_from_outside(client, container.id, since)
    return _Ended(code, out_of_memory, timed_out, outside, peak, spent)


def _killed_from_outside(client: Any, identity: str, since: int) -> bool:
    """Whether somebody told the daemon to kill a container; one that kills itself leaves no such event."""
    wanted = {"container": identity, "event": "kill"}
    return any(True for _ in client.api.events(since=since, until=int(time.time()) + 1, filters=wanted, decode=True))


def _peak(identity: str, before: int | None) -> int | None:
    """Largest memory of a container so far, in bytes, where the control groups can be read."""
    root = Path("/sys/fs/cgroup")
    for path in (
        root / f"system.slice/docker-{identity}.scope/memory.peak",
        root / f"docker/{identity}/memory.peak",
        root / f"memory/docker/{identity}/memory.max_usage_in_bytes",
    ):
        with contextlib.suppress(OSError, ValueError):
            return max(before or 0, int(path.read_text()))
    return before


def _spent(identity: str, before: float | None) -> float | None:
    """Processor time of a container so far, in seconds, where the control groups can be read."""
    root = Path("/sys/fs/cgroup")
    for path in (root / f"system.slice/docker-{identity}.scope/cpu.stat", root / f"docker/{identity}/cpu.stat"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(dict(line.split() for line in path.read_text().splitlines())["usage_usec"]) / 1e6
    with contextlib.suppress(OSError, ValueError):
        return int((root / f"cpuacct/docker/{identity}/cpuacct.usage").read_text()) / 1e9
    return before


def _finish(ended: _Ended, place: _Place, output: Path, limits: Limits) -> tuple[Any, str, str]:
    """Take the output and judge the end: status, kind and message."""
    if ended.timed_out:
        return "model-failure", "time-out", with_log(f"not done after {limits.seconds:.0f} s", output)
    if ended.out_of_memory:
        text = f"used more than the {limits.memory / 2**30:.1f} GiB it may use"
        return "model-failure", "out-of-memory", with_log(text, output)
    if ended.from_outside:
        return "infrastructure", "killed", "the container was killed from outside"
    try:
        collect(place.keeper, output)
    except BadOutputError as error:
        return "model-failure", "bad-output", with_log(str(error), output)
    if ended.code == MACHINE_FAILED and not limits.device.startswith("cuda"):
        text = f"says that the machine let it down; it may leave {limits.output / 2**30:.1f} GiB"
        return "model-failure", "output", with_log(text, output)
    return judge(ended.code, output)
