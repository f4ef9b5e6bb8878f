"""Processes of the harness that have imported all and work on several units at once, each of which has a number.

A *host* forks a worker for every unit: see `benchmark.start_worker` for what happens inside. In a *trainer*
units of one device take turns: see `benchmark.sandbox.trainers`. There is one of a kind for every environment.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any, Generic, TypeVar

STDERR_TAIL = 2000
SAID = 40
"""Lines that a process printed last, which are kept."""

WAIT = 10.0
"""Seconds in which the lines that a dead process printed are read."""


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

    def end(self) -> None:
        """End it, and with it its workers."""
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


class Server(Process):
    """A process that answers requests about units in lines; safe to use from several threads.

    It ends with the thread that started it, as the kernel has it, so that it has a thread of its own.
    Arguments and errors as `Process`.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._dead = False
        self.left = 0
        """Units that it had when it ended."""
        self._said: deque[str] = deque(maxlen=SAID)
        begun: queue.SimpleQueue[HostDiedError | None] = queue.SimpleQueue()
        threading.Thread(target=self._live, args=(command, environment, begun), daemon=True).start()
        refused = begun.get()
        if refused:
            raise refused
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _live(
        self, command: list[str], environment: dict[str, str], begun: queue.SimpleQueue[HostDiedError | None]
    ) -> None:
        """Start the process and hand on what it answers."""
        try:
            super().__init__(command, environment)
        except HostDiedError as error:
            begun.put(error)
            return
        begun.put(None)
        self._read()

    def begin(self, inputs: Path, output: Path) -> int:
        """Give it a unit; returns its number here.

        Raises:
            HostDiedError: when it is no longer there.
        """
        number = next(self._numbers)
        with self._lock:
            self._answers[number] = queue.SimpleQueue()
            if self._dead:
                self._answers[number].put(None)
        self._send({"unit": number, "inputs": str(inputs), "output": str(output)})
        return number

    def poll(self, number: int, seconds: float) -> dict[str, Any] | None:
        """The next answer about a unit; None when there is none within some seconds.

        Raises:
            HostDiedError: when the process is no longer there.
        """
        try:
            answer = self._answers[number].get(timeout=seconds)
        except queue.Empty:
            return None
        if answer is None:
            raise HostDiedError(self.last_words())
        return answer

    def forget(self, number: int) -> None:
        """Expect no further answer about a unit."""
        with self._lock:
            self._answers.pop(number, None)

    def last_words(self) -> str:
        """End it, and return the last lines that it printed."""
        self.end()
        self._listener.join(WAIT)
        return "".join(self._said)[-STDERR_TAIL:].strip()

    def _send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with self._lock:
            try:
                self.process.stdin.write(json.dumps(request).encode() + b"\n")
                self.process.stdin.flush()
            except (OSError, ValueError) as error:
                raise HostDiedError(self.last_words()) from error

    def _read(self) -> None:
        """Hand answers to who waits for them; at the process's end, tell all."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer: dict[str, Any] = json.loads(line)
            with self._lock:
                waiting = self._answers.get(int(answer["unit"]))
            if waiting is not None:
                waiting.put(answer)
        with self._lock:
            self._dead, self.left = True, len(self._answers)
            for left in self._answers.values():
                left.put(None)

    def _listen(self) -> None:
        """Keep the last lines that it prints; a pipe that nobody reads would stop it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said.append(line.decode("utf-8", "replace"))


class Host(Server):
    """A process that forks a worker for every unit; errors as `Process`.

    Attributes:
        workers: process numbers of the workers, by unit.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.workers: dict[int, int] = {}
        super().__init__(command, environment)

    def begin(self, inputs: Path, output: Path) -> int:
        """See `Server.begin`; the unit's worker is then there."""
        number = super().begin(inputs, output)
        answer = None
        while answer is None:
            answer = self.poll(number, 60.0)
        self.workers[number] = int(answer["pid"])
        return number

    def forget(self, number: int) -> None:
        """See `Server.forget`."""
        super().forget(number)
        self.workers.pop(number, None)


S = TypeVar("S", bound=Server)


class Servers(Generic[S]):
    """The server of every environment, started when first asked for; safe to use from several threads.

    Args:
        kind: of the servers.
        module: that each of them runs.
    """

    def __init__(self, kind: type[S], module: str) -> None:
        self.running: dict[tuple[str, ...], S] = {}
        self._kind, self._command = kind, [sys.executable, "-P", "-m", module]
        self._lock = threading.Lock()

    def start(self, environment: dict[str, str], inputs: Path, output: Path) -> tuple[S, int]:
        """The server for an environment with a unit begun in it, and the unit's number. One that has died is replaced.

        Raises:
            HostDiedError: when a new one does not take the unit either.
        """
        key = tuple(f"{name}={environment[name]}" for name in sorted(environment))
        while True:
            with self._lock:
                known = self.running.get(key)
                fresh = known is None or known.process.poll() is not None
                if fresh:
                    if known is not None:
                        known.close()
                    known = self.running[key] = self._kind(self._command, environment)
                assert known is not None
            try:
                return known, known.begin(inputs, output)
            except HostDiedError:
                if fresh:
                    raise

    def close(self) -> None:
        """End all."""
        with self._lock:
            running = list(self.running.values())
            self.running.clear()
        for one in running:
            one.close()
