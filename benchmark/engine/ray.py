"""The `ray` engine: units as tasks of a Ray cluster; without an address, of one that is started on this machine's loopback.

Ray decides on which node a unit runs and leases its GPU; everything else is the artefact store's and the
schedule's. Units that can share a process run several at once in an actor (`ray_packs`). No result goes through Ray, so that it may lose anything at any time. Its own retries are off: it cannot
tell a submission's failure from a machine's.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from benchmark.engine.base import Engine, Execute, Options
from benchmark.engine.ray_packs import Packs, Worker
from benchmark.engine.schedule import Fault, Policy, Schedule, fault_of, losses_for
from benchmark.errors import InfrastructureError, InputError
from benchmark.plan import Unit

POLICY = Policy(tries=5, losses=2)
LOOPBACK = "127.0.0.1"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Ray sends no report of its use anywhere, and leaves the environment of units without a GPU alone."""

CLOSED = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_enable_metrics_collection": "0"}
"""Has Ray listen on the loopback only; otherwise it listens on every interface, whatever its node's address is."""

OBJECTS = 100 << 20
"""Bytes of the object store of a Ray of our own, which carries documents only."""

REACH = 10.0
"""Seconds that a cluster's address has to answer."""

LOOK = 5.0
"""Seconds between two looks at what the cluster has."""

MOST_ASKED = 4096
"""Units for which the autoscaler is asked for room at once."""


class RayEngine(Engine):
    """Longest path first; what a lost worker or node had is tried once more elsewhere, then quarantined."""

    name: ClassVar[str] = "ray"
    remote: ClassVar[bool] = True
    pack: ClassVar[int] = 16
    """Offered to a GPU at once; it takes as many as its memory holds."""

    packs: Packs | None = None

    def under_way(self) -> Mapping[str, str]:
        """See `Engine.under_way`."""
        return self.packs.under_way() if self.packs else super().under_way()

    def processes(self) -> int | None:
        """See `Engine.processes`."""
        return len(self.packs.held) or None if self.packs else None

    def run(self, units: Sequence[Unit], execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """See `Engine.run`."""
        policy = replace(POLICY, losses=losses_for(len(units)))
        with connected(self.options, self.jobs) as ray:
            schedule = self.scheduled(units, policy)
            hand_out = self._packed if self.most > 1 else self._single
            yield from hand_out(ray, schedule, execute)
        given_up = schedule.error()
        if given_up is not None:
            raise given_up

    def _packed(self, ray: Any, schedule: Schedule, execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        """Several units a process, each process an actor that holds a GPU."""
        wanted = self._wanted()
        actor = ray.remote(max_restarts=0, max_task_retries=0, max_concurrency=self.most, **wanted)(Worker)
        room = _Room(ray, wanted)
        self.packs = packs = Packs(ray, lambda: actor.remote(execute), self.most, self.alone, room.fit, fault)
        try:
            while not schedule.over:
                packs.fill(schedule)
                room.ask(packs.asked(schedule))
                for unit, found in packs.ended(_patience(schedule.due())):
                    if isinstance(found, Fault):
                        schedule.fail(unit.key, found, time.monotonic())
                        continue
                    schedule.end(unit.key)
                    yield unit, found
        finally:
            packs.end()
            room.ask(0)

    def _single(self, ray: Any, schedule: Schedule, execute: Execute) -> Iterator[tuple[Unit, dict[str, Any]]]:
        wanted = self._wanted()
        task = ray.remote(max_calls=0, max_retries=0, retry_exceptions=False, **wanted)(execute_unit)
        room = _Room(ray, wanted)
        running: dict[Any, Unit] = {}
        try:
            while not schedule.over:
                while len(running) < room.window() and (unit := schedule.take(time.monotonic())):
                    running[task.options(name=f"unit {unit.key[:12]}").remote(execute, unit)] = unit
                room.ask(len(running) + schedule.ready)
                for reference in _ended(ray, running, schedule.due()):
                    unit = running.pop(reference)
                    try:
                        found = ray.get(reference)
                    except Exception as error:  # every fault ends here, and none ends the others
                        schedule.fail(unit.key, fault(ray, error), time.monotonic())
                        continue
                    schedule.end(unit.key)
                    yield unit, found
        except BaseException:
            for reference in running:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)
            raise
        finally:
            room.ask(0)

    def _wanted(self) -> dict[str, Any]:
        """What Ray reserves for a unit, or for a pack of them, which takes turns on its processors."""
        wanted: dict[str, Any] = {"num_cpus": self.options.threads, "num_gpus": self.options.gpus}
        if self.options.gpus > 1 and self.options.gpus != int(self.options.gpus):
            raise InputError("more than one GPU must be whole ones", field="gpus", found=self.options.gpus)
        return wanted | ({"memory": self.options.memory * self.most} if self.options.memory else {})


def execute_unit(execute: Execute, unit: Unit) -> dict[str, Any]:
    """What a task is: runs on a node, where Ray has set which GPU this process sees."""
    return execute(unit)


class _Room:
    """How many units a cluster can hold, and how many it is asked to make room for."""

    def __init__(self, ray: Any, wanted: dict[str, Any]) -> None:
        self._ray, self._asked, self._looked, self._fit = ray, 0, -math.inf, 0
        self._bundle = {"CPU": wanted["num_cpus"], "GPU": wanted["num_gpus"]}
        if "memory" in wanted:
            self._bundle["memory"] = wanted["memory"]
        self._bundle = {name: amount for name, amount in self._bundle.items() if amount}

    def fit(self) -> int:
        """What the whole cluster can hold at once."""
        if time.monotonic() - self._looked >= LOOK:
            self._looked = time.monotonic()
            there = self._ray.cluster_resources()
            self._fit = min(int(there.get(name, 0) / amount) for name, amount in self._bundle.items())
        return self._fit

    def window(self) -> int:
        """Units to hand to Ray: those that fit, and some that wait there so that no node waits for this process."""
        return self.fit() + max(2, self.fit() // 4)

    def ask(self, units: int) -> None:
        """Tell the autoscaler, where there is one, what is to come."""
        units = min(units, MOST_ASKED)
        if units == self._asked or (units and abs(units - self._asked) < self._asked // 8):
            return
        from ray.autoscaler.sdk import request_resources

        with contextlib.suppress(Exception):  # a hint
            request_resources(bundles=[self._bundle] * units)
        self._asked = units


def _patience(due: float | None) -> float:
    """Seconds until a pause is over, or it is time to look at the cluster again."""
    return LOOK if due is None else min(LOOK, max(0.05, due - time.monotonic()))


def _ended(ray: Any, running: dict[Any, Unit], due: float | None) -> list[Any]:
    """Units that have ended, once one has, or there is something else to do."""
    left = _patience(due)
    if not running:
        time.sleep(left if due is not None else 0.05)
        return []
    first, rest = ray.wait(list(running), num_returns=1, timeout=left)
    if not first or not rest:
        return list(first)
    more, _ = ray.wait(rest, num_returns=len(rest), timeout=0)
    return [*first, *more]


def fault(ray: Any, error: Exception) -> Fault:
    """What an exception of a task means: one of its own, or Ray's word that the worker or node went."""
    errors = ray.exceptions
    if isinstance(error, errors.RayTaskError):
        cause = error.cause
        return fault_of(cause if isinstance(cause, Exception) else error)
    text = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    if isinstance(error, errors.RuntimeEnvSetupError | errors.TaskUnschedulableError | errors.ActorUnschedulableError):
        return Fault("lasting", text)
    return Fault("lost" if isinstance(error, errors.RayError) else "passing", text)


@contextlib.contextmanager
def connected(options: Options, jobs: int) -> Iterator[Any]:
    """The `ray` module, connected to the cluster of an address, or to one of this machine that ends afterwards.

    Args:
        options: whose address counts; None: a Ray of our own.
        jobs: units at once, for that.

    Raises:
        InputError: when nothing answers at the address, or Ray refuses to connect.
        InfrastructureError: when the connection is lost.
    """
    own = options.address is None
    variables = QUIET | (CLOSED if own else {})
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    ray: Any = importlib.import_module("ray")
    if ray.is_initialized():
        yield ray
        return
    if not own:
        _reach(str(options.address))
    local = {
        "num_cpus": jobs * options.threads, "object_store_memory": OBJECTS, "include_dashboard": False,
        "_node_ip_address": LOOPBACK,
    }  # fmt: skip
    try:
        ray.init(
            address=options.address or "local", log_to_driver=False, logging_level="ERROR", **(local if own else {})
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"Ray does not connect: {text}", field="address", found=options.address) from error
    try:
        yield ray
    except ray.exceptions.RaySystemError as error:
        raise InfrastructureError(f"the Ray cluster is gone ({error}); the same command continues") from error
    finally:
        ray.shutdown()


def _host(address: str | None) -> tuple[str, str]:
    host, _, port = (address or "").rpartition(":")
    return host.rpartition("/")[2].strip("[]"), port


def _reach(address: str) -> None:
    """Say at once that nobody answers; Ray itself would try for minutes."""
    host, port = _host(address)
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), REACH).close()
    except OSError as error:
        raise InputError(
            f"no Ray cluster answers: {error.strerror or error}", field="address", found=address,
            hint="Start one: ray start --head, see docs/scaling.md",
        ) from error  # fmt: skip
