"""A process in which units of one device take turns, as the harness sees it; see `benchmark.training.shared`."""

from __future__ import annotations

import itertools
import json
import queue
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

from benchmark.sandbox.hosts import STDERR_TAIL, HostDiedError, Process

SAID = 40


class Trainer(Process):
    """One such process; safe to use from several threads.

    Args:
        environment: of the process.

    Raises:
        HostDiedError: when it cannot be started.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._dead = False
        self._said: deque[str] = deque(maxlen=SAID)
        begun: queue.SimpleQueue[HostDiedError | None] = queue.SimpleQueue()
        threading.Thread(target=self._live, args=(environment, begun), daemon=True).start()
        refused = begun.get()
        if refused:
            raise refused
        threading.Thread(target=self._listen, daemon=True).start()

    def _live(self, environment: dict[str, str], begun: queue.SimpleQueue[HostDiedError | None]) -> None:
        """Start the process and hand on what it answers. It ends with the thread that started it, so in one for that."""
        try:
            super().__init__([sys.executable, "-P", "-m", "benchmark.start_trainer"], environment)
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
        """How a unit ended; None when it has not within some seconds.

        Raises:
            HostDiedError: when the process is no longer there.
        """
        try:
            answer = self._answers[number].get(timeout=seconds)
        except queue.Empty:
            return None
        with self._lock:
            self._answers.pop(number)
        if answer is None:
            raise HostDiedError(self.last_words())
        return answer

    def last_words(self) -> str:
        """See `Process.last_words`."""
        self.end()
        return "".join(self._said)[-STDERR_TAIL:].strip()

    def cancel(self, number: int) -> None:
        """End one unit; the others go on."""
        with self._lock:
            self._answers.pop(number, None)
        self._send({"cancel": number})

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
            self._dead = True
            for left in self._answers.values():
                left.put(None)

    def _listen(self) -> None:
        """Keep the last lines that it prints; a pipe that nobody reads would stop it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said.append(line.decode("utf-8", "replace"))


class Trainers:
    """The process of every device and environment, started when first asked for."""

    def __init__(self) -> None:
        self._running: dict[str, Trainer] = {}
        self._lock = threading.Lock()

    def start(self, environment: dict[str, str], inputs: Path, output: Path) -> tuple[Trainer, int]:
        """The process for an environment with a unit begun in it; a dead one is replaced.

        Raises:
            HostDiedError: when a new one does not take the unit either.
        """
        key = json.dumps(environment, sort_keys=True)
        with self._lock:
            known = self._running.get(key)
            if known is None or known.process.poll() is not None:
                if known is not None:
                    known.close()
                known = self._running[key] = Trainer(environment)
        return known, known.begin(inputs, output)

    def close(self) -> None:
        """End all."""
        with self._lock:
            running = list(self._running.values())
            self._running.clear()
        for one in running:
            one.close()
