"""Where the loops are compiled, and that vectors do not change their bits."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding
import numba
import numpy as np
import pytest

from benchmark.training.kernels import READY, Loops, loops, widen

BITS = """
import hashlib, numpy as np
from benchmark.training.kernels import loops
random = np.random.default_rng(0)
rows, above = random.standard_normal((2, 4096, 96)).astype(np.float32)
weight, bias = random.standard_normal((2, 96)).astype(np.float32)
total, squares, scratch = np.zeros(96), np.zeros(96), np.empty((2, 96), np.float32)
near, moments, affine, slopes = rows[0].copy(), np.empty((2, 96)), *np.empty((2, 4, 96), np.float32)
affine = affine[:3]
loops().norm_sums(rows, near, total, squares, scratch)
loops().norm_moments(near, total, squares, 4096, weight, bias, 1e-5, moments, affine)
out, back, sums = np.empty_like(rows), np.empty_like(rows), np.zeros((2, 96))
loops().norm_apply(rows, affine, 0.0, 6.0, out)
loops().norm_backward_sums(rows, above, affine, 0.0, 6.0, sums, scratch)
loops().norm_slopes(sums, moments[1], 1e-5, 4096, affine, slopes)
loops().norm_backward_apply(rows, above, affine, 0.0, 6.0, slopes, back)
found, images, flows = np.zeros((3, 3, 96)), rows.reshape(16, 16, 16, 96), above.reshape(16, 16, 16, 96)
loops().depthwise_weights(images, flows, 1, 1, 1, 1, np.empty((3, 3, 96), np.float32), found)
taps, half, whole = found.astype(np.float32), np.empty((16, 8, 8, 96), np.float32), np.empty_like(images)
loops().depthwise(images, taps, 2, 2, 0, 0, half)
loops().depthwise_images(half, taps, 2, 2, 0, 0, whole)
print(hashlib.sha256(b"".join(one.tobytes() for one in (total, squares, moments, affine, out, back, sums, slopes, found, half, whole))).hexdigest())
"""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout


def fingerprint(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


NARROW = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}

ASSEMBLY = """
from benchmark.training.kernels import loops
made = [(one.py_func.__name__, one.inspect_asm(one.signatures[0])) for one in loops()]
print([name for name, code in made if "prefetch" in code or "prfm" in code], any("zmm" in code for _, code in made))
"""

HITS = "from benchmark.training.kernels import loops; print([sum(one.stats.cache_hits.values()) for one in loops()])"


ALL = len(Loops._fields)


class Compiled(NamedTuple):
    """What two processes compiled, and the bits that came of it."""

    folders: tuple[Path, Path]
    bits: tuple[str, str]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The loops as this processor's vectors have them, and as the narrowest."""
    wide, narrow = tmp_path_factory.mktemp("wide"), tmp_path_factory.mktemp("narrow")
    bits = run(BITS, NUMBA_CACHE_DIR=str(wide)), run(BITS, NUMBA_CACHE_DIR=str(narrow), **NARROW)
    return Compiled((wide, narrow), bits)


def test_narrower_vectors_give_the_same_bits(both: Compiled) -> None:
    assert both.bits[0] == both.bits[1] and all(len(fingerprint(one)) == 2 * ALL for one in both.folders)


def test_norms_ask_for_memory_ahead_and_vectors_are_as_wide_as_chosen(tmp_path: Path) -> None:
    asking = [
        name for name in Loops._fields if name.startswith("norm_") and name not in ("norm_moments", "norm_slopes")
    ]
    quick = bool(llvmlite.binding.get_host_cpu_features().get("avx512fp16"))
    assert run(ASSEMBLY, NUMBA_CACHE_DIR=str(tmp_path / "here")) == f"{asking} {quick}\n"
    assert run(ASSEMBLY, NUMBA_CACHE_DIR=str(tmp_path / "chosen"), **NARROW) == f"{asking} False\n"


@pytest.mark.parametrize(("can", "chosen", "left"), [
    ({"avx512f": True, "avx512fp16": True}, None, "+seen,-prefer-256-bit"), ({"avx512f": True}, None, None),
    ({"avx512fp16": True}, "+sse2", "+sse2"), ({}, None, None),
])  # fmt: skip
def test_wide_vectors_are_for_processors_with_half_precision_arithmetic(
    can: dict[str, bool], chosen: str | None, left: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: can)
    monkeypatch.setattr(numba.core.codegen, "get_host_cpu_features", lambda: "+seen")
    monkeypatch.setattr(numba.core.config, "CPU_FEATURES", chosen)
    widen()
    assert left == numba.core.config.CPU_FEATURES


def test_what_was_compiled_is_kept(both: Compiled) -> None:
    assert run(HITS, NUMBA_CACHE_DIR=str(both.folders[0])) == f"{[1] * ALL}\n"


@pytest.mark.parametrize(
    ("brought", "found"), [(0, f"{[1] * ALL}\n"), (1, f"{[0] * ALL}\n")], ids=["its own", "another's"]
)
def test_what_an_image_brings_is_read_where_it_is_for_this_processor_and_left_as_it_is(
    brought: int, found: str, both: Compiled, tmp_path: Path
) -> None:
    before = fingerprint(both.folders[brought])
    assert run(HITS, KARYOBENCH_LOOPS=str(both.folders[brought]), TMPDIR=str(tmp_path)) == found
    assert fingerprint(both.folders[brought]) == before and not any(tmp_path.iterdir())


@pytest.mark.parametrize(("writable", "folder", "kept"), [(True, "", True), (False, "", False), (False, "x", True)])
def test_where_sources_cannot_be_written_nothing_is_kept_elsewhere(
    writable: bool, folder: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's /tmp, for instance, is its unit's."""
    asked = []
    monkeypatch.setattr(numba, "njit", lambda signature, cache: asked.append(cache) or (lambda loop: loop))
    monkeypatch.setattr(os, "access", lambda path, mode: writable)
    monkeypatch.setenv("NUMBA_CACHE_DIR", folder)
    monkeypatch.delenv(READY, raising=False)
    loops.__wrapped__()
    assert asked == [kept] * ALL


@pytest.mark.parametrize("name", Loops._fields)
def test_a_loop_is_never_compiled_in_the_midst_of_a_training(name: str) -> None:
    loop: Any = getattr(loops(), name)
    assert len(loop.signatures) == 1
    with pytest.raises(TypeError):
        loop(np.ones(3))
    assert len(loop.signatures) == 1


def test_numba_is_not_imported_before_it_is_needed() -> None:
    assert run("import sys, benchmark.training.worker; print('numba' in sys.modules)") == "False\n"
