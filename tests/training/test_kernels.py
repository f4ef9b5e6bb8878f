"""The loops against PyTorch in double precision; where they are compiled, and that vectors do not change their bits."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.kernels import READY, Loops, loops

SHAPES = st.tuples(st.integers(2, 300), st.integers(1, 37))


@given(shape=SHAPES, offset=st.sampled_from([0.0, 3.0, 1000.0]), seed=st.integers(0, 99), clamped=st.booleans())
@settings(max_examples=60, deadline=None)
def test_batch_norm_is_that_of_pytorch(shape: tuple[int, int], offset: float, seed: int, clamped: bool) -> None:
    random = np.random.default_rng(seed)
    rows = (random.standard_normal(shape) + offset).astype(np.float32)
    above = random.standard_normal(shape).astype(np.float32)
    weight, bias = random.standard_normal((2, shape[1])).astype(np.float32)
    moments, affine, scratch = np.empty((2, shape[1])), *(np.empty((n, shape[1]), np.float32) for n in (2, 3))
    out, of_rows, of_weight, of_bias = np.empty_like(rows), np.empty_like(rows), np.empty_like(weight), weight.copy()
    loops().norm_forward(rows, weight, bias, 1e-5, moments, affine, scratch, out)
    low, high = (0.0, 6.0) if clamped else (-np.inf, np.inf)
    loops().norm_backward(
        rows, above, 1e-5, moments, affine, low, high, np.empty_like(moments), scratch, of_rows, of_weight, of_bias
    )
    exact = [torch.from_numpy(one).double().requires_grad_() for one in (rows, weight, bias)]
    answer = F.batch_norm(exact[0], None, None, exact[1], exact[2], training=True, eps=1e-5)
    rounded = rows * affine[0] + affine[1]  # which of two sides of a limit a value is on, rounding decides
    flow = torch.from_numpy(above * ((rounded > low) & (rounded < high))).double()
    size = float(abs(weight).max() / np.sqrt(rows.var(0).min() + 1e-5)) + 1
    np.testing.assert_allclose(out, answer.detach(), atol=1e-5 * (1 + offset) * size)
    np.testing.assert_allclose(moments, [rows.mean(0, np.float64), rows.var(0, dtype=np.float64)], rtol=1e-4, atol=1e-5)
    answer.backward(flow)
    for found, wanted in zip((of_rows, of_weight, of_bias), exact, strict=True):
        assert wanted.grad is not None
        scale = float(wanted.grad.abs().max()) + size
        np.testing.assert_allclose(found, wanted.grad, atol=3e-5 * (1 + offset) * scale)


@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    images=st.integers(1, 40),
)
@settings(max_examples=100, deadline=None)
def test_depthwise_gradients_are_those_of_autograd(
    sides: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], images: int
) -> None:
    if any(side + 2 * margin < extent for side, margin, extent in zip(sides, padding, kernel, strict=True)):
        return
    random = torch.Generator().manual_seed(0)
    seen = torch.randn(images, 5, *sides, generator=random)
    weight = torch.zeros(5, 1, *kernel, dtype=torch.float64, requires_grad=True)
    answer = F.conv2d(seen.double(), weight, None, stride, padding, groups=5)
    above = torch.randn(answer.shape, generator=random)
    answer.backward(above.double())
    some, found = np.empty((*kernel, 5), np.float32), np.zeros((*kernel, 5))
    views = (one.permute(0, 2, 3, 1).contiguous().numpy() for one in (seen, above))
    loops().depthwise_weights(*views, *stride, *padding, some, found)
    assert weight.grad is not None
    np.testing.assert_allclose(found.transpose(2, 0, 1)[:, None], weight.grad, rtol=1e-4, atol=1e-4)


BITS = """
import hashlib, numpy as np
from benchmark.training.kernels import loops
random = np.random.default_rng(0)
rows, above = random.standard_normal((2, 4096, 96)).astype(np.float32)
weight, bias = random.standard_normal((2, 96)).astype(np.float32)
moments, affine, scratch = np.empty((2, 96)), np.empty((2, 96), np.float32), np.empty((3, 96), np.float32)
out, back = np.empty_like(rows), np.empty_like(rows)
loops().norm_forward(rows, weight, bias, 1e-5, moments, affine, scratch, out)
loops().norm_backward(
    rows, above, 1e-5, moments, affine, 0.0, 6.0, np.empty((2, 96)), scratch, back, weight, bias
)
found = np.zeros((3, 3, 96))
loops().depthwise_weights(
    rows.reshape(16, 16, 16, 96), above.reshape(16, 16, 16, 96), 1, 1, 1, 1, np.empty((3, 3, 96), np.float32), found
)
print(hashlib.sha256(b"".join(one.tobytes() for one in (out, back, weight, bias, found))).hexdigest())
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

HITS = "from benchmark.training.kernels import loops; print([sum(one.stats.cache_hits.values()) for one in loops()])"


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
    assert both.bits[0] == both.bits[1] and all(len(fingerprint(one)) == 6 for one in both.folders)


def test_what_was_compiled_is_kept(both: Compiled) -> None:
    assert run(HITS, NUMBA_CACHE_DIR=str(both.folders[0])) == "[1, 1, 1]\n"


@pytest.mark.parametrize(("brought", "found"), [(0, "[1, 1, 1]\n"), (1, "[0, 0, 0]\n")])
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
    assert asked == [kept] * 3


@pytest.mark.parametrize("name", Loops._fields)
def test_a_loop_is_never_compiled_in_the_midst_of_a_training(name: str) -> None:
    loop: Any = getattr(loops(), name)
    assert len(loop.signatures) == 1
    with pytest.raises(TypeError):
        loop(np.ones(3))
    assert len(loop.signatures) == 1


def test_numba_is_not_imported_before_it_is_needed() -> None:
    assert run("import sys, benchmark.training.worker; print('numba' in sys.modules)") == "False\n"
