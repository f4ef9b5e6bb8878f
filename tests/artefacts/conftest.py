"""Stores of every kind: a folder, and a real S3 server on the loopback."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.artefacts import Artefacts
from benchmark.artefacts.patience import Patience


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of a bucket on a server of its own; skips where the extra or the server is not installed."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    server = pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("karyobench")
        yield "s3://karyobench"
    running.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Artefacts:
    """An empty store that gives up after three seconds."""
    if request.param == "folder":
        return Artefacts(str(tmp_path / "store"), Patience(seconds=3.0, pause=0.05))
    address = f"{request.getfixturevalue('s3_server')}/{uuid.uuid4().hex}"
    return Artefacts(address, Patience(seconds=3.0, pause=0.05))
