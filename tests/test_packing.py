import io
import zipfile

import numpy as np
import pytest

from benchmark.packing import pack, unpack


@pytest.mark.parametrize("images", [1, 7, 120, 12345])
def test_logits_come_back_to_the_bit_and_as_numpy_reads_them(images: int) -> None:
    stored = np.random.default_rng(0).normal(size=(images, 24)).astype(np.float16)
    data = pack(stored)
    assert data == pack(stored)
    found = unpack(data)
    with np.load(io.BytesIO(data)) as archive:
        assert found.dtype == np.float16 and found.shape == stored.shape
        assert found.tobytes() == stored.tobytes() == archive["logits"].tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 24), np.float16),
        np.zeros((3, 24), np.float32),
        np.arange(48, dtype=np.float16).reshape(24, 2).T,
        np.zeros((2, 24), ">f2"),
        np.zeros((24,), np.float16),
    ],
)
def test_what_was_packed_otherwise_is_read_as_it_is(array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, logits=array)
    found = unpack(buffer.getvalue())
    assert found.dtype == array.dtype and np.array_equal(found, array)


@pytest.mark.parametrize("data", [b"", b"no archive", pack(np.zeros((3, 24), np.float16))[:-30]])
def test_what_is_no_archive_is_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, EOFError, zipfile.BadZipFile)):
        unpack(data)
