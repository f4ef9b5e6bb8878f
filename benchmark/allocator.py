"""Keeping freed memory instead of giving it back to the system at every turn.

By default the C library maps every large block anew and unmaps it when it is freed, so that each
array of the statistics costs page faults: up to four fifths of their time on a virtual machine, where
a fault is dear.
"""

from __future__ import annotations

import ctypes

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Parameters of glibc's mallopt(3)."""

LARGEST = 1 << 28
"""Blocks up to this size, in bytes, come from memory that is kept; as much of it may lie idle."""


def keep_memory() -> bool:
    """Have this process keep what it frees, for itself; says whether the C library can (glibc does)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, 4 * LARGEST))
