"""The loops of `benchmark.training.passes`, compiled by Numba when `loops` is first asked for them.

To compile takes some seconds; what comes out is kept beside the sources, or in `NUMBA_CACHE_DIR`. An image brings its own
(`READY`), for the processor that it was built on. Where sources cannot be written and nothing was brought, or for another
processor, it is compiled again in every process: a container's scratch space is its unit's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

from benchmark.training import passes as plain

LINE = 16
"""Numbers in a line of a processor's cache, 64 bytes."""

READY = "KARYOBENCH_LOOPS"
"""Variable that names a folder which Numba filled when the image was built."""

ROWS, PLACES, CHANNELS, PAIRS, TAPS = "f4[:,::1]", "f4[:,:,:,::1]", "f4[::1]", "f8[:,::1]", "f4[:,:,::1]"
FLOWS = f"{ROWS}, {ROWS}, {ROWS}, f4, f4"
CONVOLVED = f"void({PLACES}, {TAPS}, i8, i8, i8, i8, {PLACES})"
SIGNATURES: dict[Callable[..., None], str] = {
    plain.norm_sums: f"void({ROWS}, {CHANNELS}, f8[::1], f8[::1], {ROWS})",
    plain.norm_moments: f"void({CHANNELS}, f8[::1], f8[::1], i8, {CHANNELS}, {CHANNELS}, f8, {PAIRS}, {ROWS})",
    plain.norm_apply: f"void({ROWS}, {ROWS}, f4, f4, {ROWS})",
    plain.norm_backward_sums: f"void({FLOWS}, {PAIRS}, {ROWS})",
    plain.norm_slopes: f"void({PAIRS}, f8[::1], f8, i8, {ROWS}, {ROWS})",
    plain.norm_backward_apply: f"void({FLOWS}, {ROWS}, {ROWS})",
    plain.depthwise: CONVOLVED,
    plain.depthwise_images: CONVOLVED,
    plain.depthwise_weights: f"void({PLACES}, {PLACES}, i8, i8, i8, i8, {TAPS}, f8[:,:,::1])",
}


class Loops(NamedTuple):
    """The loops, compiled."""

    norm_sums: Callable[..., None]
    norm_moments: Callable[..., None]
    norm_apply: Callable[..., None]
    norm_backward_sums: Callable[..., None]
    norm_slopes: Callable[..., None]
    norm_backward_apply: Callable[..., None]
    depthwise: Callable[..., None]
    depthwise_images: Callable[..., None]
    depthwise_weights: Callable[..., None]


@contextmanager
def caching() -> Iterator[bool]:
    """Say whether Numba is to keep what it compiles, or to look for it.

    Numba reads from folders alone that it can write, so what an image brings is copied to where there is room for a moment.

    Raises:
        OSError: when there is none.
    """
    brought = os.environ.get(READY, "")
    if not os.path.isdir(brought):
        yield bool(os.environ.get("NUMBA_CACHE_DIR")) or os.access(Path(__file__).parent, os.W_OK)
        return
    import numba

    config: Any = numba.config
    before = config.CACHE_DIR
    with TemporaryDirectory(prefix="karyobench-") as copy:
        shutil.copytree(brought, copy, dirs_exist_ok=True)
        config.CACHE_DIR = copy
        try:
            yield True
        finally:
            config.CACHE_DIR = before


@cache
def teach() -> None:
    """Have Numba compile `fetch`, as LLVM's intrinsic function for it, once for every line of cache that a row touches."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils as utilities
    from numba.extending import intrinsic, overload

    cgutils = cast(Any, utilities)

    @intrinsic
    def ask(typing: Any, rows: Any, row: Any, channel: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kind, byte, word = signature.args[0], ir.IntType(8).as_pointer(), ir.IntType(32)
            array = context.make_array(kind)(context, builder, given[0])
            place = cgutils.get_item_pointer(context, builder, kind, array, given[1:], wraparound=False)
            what = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            function = builder.module.declare_intrinsic("llvm.prefetch", [byte], what)
            builder.call(function, [builder.bitcast(place, byte), word(0), word(3), word(1)])  # to read, near, no code
            return context.get_dummy_value()

        return types.void(rows, types.intp, types.intp), code

    @overload(plain.fetch, inline="always")
    def asking(rows: Any, row: Any) -> Any:
        def asked(rows: Any, row: Any) -> None:
            for channel in range(0, rows.shape[1], LINE):
                ask(rows, row, channel)  # type: ignore[call-arg]  # Numba passes `typing`

        return asked


def widen() -> None:
    """Let loops use vectors of 512 bits on Intel processors of the kind that was measured, before Numba compiles anything.

    LLVM takes half of them there by default. On one with half-precision arithmetic whole ones were quicker
    (docs/performance.md); older ones were not measured. Who sets `NUMBA_CPU_FEATURES` has chosen.
    """
    from llvmlite import binding
    from numba.core import codegen
    from numba.core import config as settings

    config, features = cast(Any, settings), cast(Any, codegen.get_host_cpu_features)
    if config.CPU_FEATURES is None and binding.get_host_cpu_features().get("avx512fp16"):
        config.CPU_FEATURES = f"{features()},-prefer-256-bit"


def compiled(loop: Callable[..., None], signature: str, kept: bool) -> Callable[..., None]:
    """A loop, for arguments of these types alone.

    Args:
        loop: of plain Python.
        signature: as Numba writes it.
        kept: whether it is read from where Numba keeps it, or written there.
    """
    from numba import njit  # half a second that only training on a processor needs

    found: Callable[..., None] = njit(signature, cache=kept)(loop)
    return found


@cache
def loops() -> Loops:
    """All of them; the first call of a process compiles them, or reads what was compiled before.

    Raises:
        ImportError: when Numba does not fit this Python or this NumPy.
        OSError: when what an image brings cannot be copied.
    """
    widen()
    teach()
    with caching() as kept:
        return Loops(*(compiled(loop, signature, kept) for loop, signature in SIGNATURES.items()))
