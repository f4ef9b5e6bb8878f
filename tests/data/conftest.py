"""A server on the loopback interface that can misbehave in every way a download has to survive."""

from __future__ import annotations

import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest


@dataclass
class Served:
    """One file and how it is served. Lists are used up, one item a request; then the server behaves."""

    data: bytes = b""
    etag: str | None = '"one"'
    modified: str | None = None
    type: str = "application/octet-stream"
    ranges: bool = True
    if_range: bool = True
    announced: bool = True
    exaggerate: int = 0
    cuts: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    retry_after: str | None = None
    location: str | None = None
    stall: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None


class Request(NamedTuple):
    """What was asked and how many body bytes went out."""

    method: str
    path: str
    range: str | None
    if_range: str | None
    status: int
    sent: int


class Server:
    """Routes and log of a running loopback server. A request is in the log before it is answered."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.routes: dict[str, Served] = {}
        self.log: list[Request] = []

    def add(self, path: str, data: bytes = b"", **how: object) -> str:
        """Serve something; returns its address."""
        self.routes[path] = Served(data, **how)
        return self.base + path


class Handler(BaseHTTPRequestHandler):
    """Serves `Server.routes`; every connection is for one request."""

    protocol_version = "HTTP/1.1"
    state: Server

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        self.close_connection = True
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        served = self.state.routes.get(path)
        if served is None:
            return self.reply(path, 404, b"missing", {}, body)
        if served.before is not None:
            served.before()
        if served.failures:
            extra = {"Retry-After": served.retry_after} if served.retry_after else {}
            return self.reply(path, served.failures.pop(0), b"trouble", extra, body)
        if served.location is not None:
            return self.reply(path, 302, b"", {"Location": served.location}, body)
        headers = {"Content-Type": served.type, **served.headers}
        if served.etag:
            headers["ETag"] = served.etag
        if served.modified:
            headers["Last-Modified"] = served.modified
        data, status = served.data, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range") in (None, served.etag, served.modified) or not served.if_range
        if wanted and served.ranges and fresh:
            start = int(wanted[1])
            if start >= len(data):
                return self.reply(path, 416, b"", {"Content-Range": f"bytes */{len(data)}"}, body)
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data, status = data[start:], 206
        cut = served.cuts.pop(0) if served.cuts and body else None
        if not served.announced:
            headers["Transfer-Encoding"] = "chunked"
        time.sleep(served.stall)
        self.reply(path, status, data, headers, body, cut, served.exaggerate)

    def reply(
        self,
        path: str,
        status: int,
        data: bytes,
        headers: dict[str, str],
        body: bool,
        cut: int | None = None,
        exaggerate: int = 0,
    ) -> None:
        chunked = "Transfer-Encoding" in headers
        out = (data if cut is None else data[:cut]) if body else b""
        request = Request(self.command, path, self.headers.get("Range"), self.headers.get("If-Range"), status, len(out))
        self.state.log.append(request)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not chunked:
            self.send_header("Content-Length", str(len(data) + exaggerate))
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            if chunked and out:
                self.wfile.write(f"{len(out):x}\r\n".encode() + out + b"\r\n" + (b"0\r\n\r\n" if cut is None else b""))
            else:
                self.wfile.write(out)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server, gone at the end of the test."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    handler = type("Bound", (Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    state = Server(http.server_address[1])
    handler.state = state
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
