"""A real S3 server on the loopback that can be told to refuse."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

REFUSAL = (
    b"<?xml version='1.0'?><Error><Code>ServiceUnavailable</Code><Message>Please reduce your rate</Message></Error>"
)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "karyobench"


class Server:
    """moto's S3 behind a switch.

    Args:
        tls: what it shows to clients; without it, it speaks plain HTTP.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        moto = pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
        serving = pytest.importorskip("werkzeug.serving")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.refusing, self.refused = threading.Event(), 0
        self._application = moto.DomainDispatcherApplication(moto.create_backend_app)
        self._server = serving.make_server("127.0.0.1", 0, self._answer, threaded=True, ssl_context=tls)
        self.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if self.refusing.is_set() and environment["REQUEST_METHOD"] in ("PUT", "POST", "DELETE"):
            self.refused += 1
            start("503 Service Unavailable", [("Content-Type", "application/xml")])
            return [REFUSAL]
        answer: Iterable[bytes] = self._application(environment, start)
        return answer

    def close(self) -> None:
        self._server.shutdown()


@contextmanager
def running(tls: ssl.SSLContext | None = None, bundle: Path | None = None) -> Iterator[Server]:
    """A server with one bucket, and the variables by which clients find it, and trust it by a bundle."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    server = Server(tls)
    with pytest.MonkeyPatch.context() as patch:
        trusted = {"AWS_CA_BUNDLE": str(bundle)} if bundle else {}
        for name, value in {**CREDENTIALS, **trusted, "AWS_ENDPOINT_URL": server.endpoint}.items():
            patch.setenv(name, value)
        import s3fs

        with suppress(FileExistsError):  # moto's buckets are those of the process
            s3fs.S3FileSystem(skip_instance_cache=True).mkdir(BUCKET)
        yield server
    server.close()
