"""Work on the parts of a list by forks of this process, as many as there are processors.

A fork sees all that its parent has in memory, so that nothing is sent to it but the number of a part. Results
come in the order of the parts, whoever made them and however many there are. Ctrl-C is the parent's
alone: it starts no further part and waits for those that are under way, which are short. Forks end
with their parent, also when that is killed.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.errors import InfrastructureError
from benchmark.start_worker import die_with_parent

if TYPE_CHECKING:
    from concurrent.futures import Future

P = TypeVar("P")
R = TypeVar("R")

_task: tuple[Callable[[Any], Any], Sequence[Any]]
"""Of a fork: what it does, and the parts."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def slices(items: Sequence[P], size: int) -> list[Sequence[P]]:
    """A list in parts of one size; the last may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]


@contextmanager
def crew(
    work: Callable[[P], R],
    parts: Sequence[P],
    workers: int | None = None,
    done: Callable[[P], None] | None = None,
) -> Iterator[Iterator[R]]:
    """Have the parts worked on while the body runs; yields their results, in the order of the parts.

    Args:
        work: called with each part; its result must be picklable. What it changes stays in its fork.
        parts: in the order in which they are begun.
        workers: forks; default: the processors. With one, or one part, there is none, and a part is worked
            on in this process when its result is asked for.
        done: told of every finished part, by any thread.

    Raises:
        InfrastructureError: when a fork was killed, as the kernel does where memory runs out.
        Exception: whatever `work` raises, where the part's result is asked for.
    """
    number = min(workers or processors(), len(parts))
    if number < 2:
        yield map(_telling(work, done), parts)
        return
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(number, get_context("fork"), initializer=_begin, initargs=(os.getpid(), work, parts))
    try:
        running = deque(pool.submit(_work, place) for place in range(len(parts)))
        if done:
            for part, future in zip(parts, running, strict=True):
                future.add_done_callback(_when_whole(done, part))
        yield _results(running)
    except BrokenProcessPool as error:
        raise InfrastructureError("a process that shared the work was killed: is there too little memory?") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _telling(work: Callable[[P], R], done: Callable[[P], None] | None) -> Callable[[P], R]:
    def both(part: P) -> R:
        result = work(part)
        if done:
            done(part)
        return result

    return both


def _when_whole(done: Callable[[P], None], part: P) -> Callable[[Future[R]], None]:
    def tell(future: Future[R]) -> None:
        if not future.cancelled() and future.exception() is None:
            done(part)

    return tell


def _results(running: deque[Future[R]]) -> Iterator[R]:
    while running:
        yield running.popleft().result()


def _begin(parent: int, work: Callable[[Any], Any], parts: Sequence[Any]) -> None:
    """One thread a fork, which ends with its parent and leaves Ctrl-C to it."""
    global _task
    from threadpoolctl import threadpool_limits

    die_with_parent(str(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    _task = work, parts


def _work(place: int) -> Any:
    work, parts = _task
    return work(parts[place])
