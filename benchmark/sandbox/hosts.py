"""Hosts of workers as the harness sees them: processes that have imported all and fork a worker for every unit.

See `benchmark.start_worker` for what happens inside one. A host serves one unit at a time; `Hosts`
keeps those that are free, one for every kind of environment and every unit that runs at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

STDERR_TAIL = 2000


class HostDiedError(Exception):
    """A host ended, or could not be started; says what it printed last."""


class Process:
    """A child of the harness that talks in lines over its pipes.

    Args:
        command: that starts it.
        environment: of the process and so of its workers; decides threads.

    Raises:
        HostDiedError: when it cannot be started.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd="/", start_new_session=True
            )
        except OSError as error:
            raise HostDiedError(str(error)) from error

    def last_words(self) -> str:
        """End it, and return the last lines that it printed."""
        self.end()
        assert self.process.stderr is not None
        with contextlib.suppress(ValueError):
            return self.process.stderr.read()[-STDERR_TAIL:].decode("utf-8", "replace").strip()
        return ""

    def end(self) -> None:
        """End it, and with it the worker that it waits for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it and let go of its pipes."""
        self.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Host(Process):
    """A process that forks a worker for one unit after the other; errors as `Process`."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        super().__init__(command, environment)
        self._pending = b""

    def begin(self, inputs: Path, output: Path) -> int:
        """Have it fork a worker for a unit; returns the worker's process number.

        Raises:
            HostDiedError: when it is no longer there.
        """
        request = json.dumps({"inputs": str(inputs), "output": str(output)}).encode() + b"\n"
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(request)
            self.process.stdin.flush()
        except OSError as error:
            raise HostDiedError(self.last_words()) from error
        answer = None
        while answer is None:
            answer = self.poll(60.0)
        return int(answer["pid"])

    def poll(self, seconds: float) -> dict[str, Any] | None:
        """Its next answer; None when there is none within some seconds.

        Raises:
            HostDiedError: when it is no longer there.
        """
        assert self.process.stdout is not None
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            if not ready:
                return None
            read = os.read(self.process.stdout.fileno(), 1 << 16)
            if not read:
                raise HostDiedError(self.last_words())
            self._pending += read
        line, self._pending = self._pending.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer


class Hosts:
    """Free hosts, by what decides their environment; safe to use from several threads."""

    def __init__(self) -> None:
        self._free: dict[tuple[str, ...], list[Host]] = {}
        self._lock = threading.Lock()

    def start(self, environment: dict[str, str], inputs: Path, output: Path) -> tuple[Host, int]:
        """A host that has begun a unit, and its worker's process number.

        A free one that has died meanwhile is replaced. Give it back by `free`, or end it.

        Raises:
            HostDiedError: when a new one cannot begin either.
        """
        key = _key(environment)
        while True:
            with self._lock:
                waiting = self._free.get(key, [])
                host, fresh = (waiting.pop(), False) if waiting else (None, True)
            host = host or Host([sys.executable, "-P", "-m", "benchmark.start_worker"], environment)
            try:
                return host, host.begin(inputs, output)
            except BaseException as error:
                host.close()
                if fresh or not isinstance(error, HostDiedError):
                    raise

    def free(self, host: Host, environment: dict[str, str]) -> None:
        """Keep a host for the next unit."""
        with self._lock:
            self._free.setdefault(_key(environment), []).append(host)

    def close(self) -> None:
        """End all that are free."""
        with self._lock:
            hosts = [host for waiting in self._free.values() for host in waiting]
            self._free.clear()
        for host in hosts:
            host.close()


def _key(environment: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}={environment[name]}" for name in sorted(environment))
