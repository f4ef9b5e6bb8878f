"""Stores of every kind: a folder, and a real S3 server on the loopback."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.artefacts import Artefacts
from benchmark.artefacts.patience import Patience
from tests.artefacts import s3


@pytest.fixture(scope="session")
def server() -> Iterator[s3.Server]:
    """An S3 server of this process; skips where the extra or the server is not installed."""
    with s3.running() as made:
        yield made


@pytest.fixture
def s3_server(server: s3.Server) -> str:
    """Address of its bucket."""
    return f"s3://{s3.BUCKET}"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Artefacts:
    """An empty store that gives up after three seconds."""
    if request.param == "folder":
        return Artefacts(str(tmp_path / "store"), Patience(seconds=3.0, pause=0.05))
    address = f"{request.getfixturevalue('s3_server')}/{uuid.uuid4().hex}"
    return Artefacts(address, Patience(seconds=3.0, pause=0.05))
