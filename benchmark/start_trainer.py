"""Starts a process in which units of one device take turns, and which ends with its harness; see `benchmark.training.shared`.

Like `benchmark.start_worker` it imports nothing heavy before it has asked the kernel for that.
"""

from __future__ import annotations

import os
import sys

from benchmark.start_worker import die_with_parent


def main() -> None:
    """Serve the requests of standard input; answers go to standard output, and whatever is printed to standard error."""
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from benchmark.allocator import keep_memory
    from benchmark.training.shared import serve

    keep_memory()
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
