"""Looking at a built board in a browser: a server on this machine's loopback interface, for nobody else."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from benchmark.errors import InfrastructureError, InputError

LOOPBACK = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".xml": "application/atom+xml; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".parquet": "application/vnd.apache.parquet",
}


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder: no listing, nothing outside it, only for requests to this machine's own name."""

    extensions_map: ClassVar[dict[str, str]] = {"": "application/octet-stream", **TYPES}  # type: ignore[misc]
    server_version = "karyobench"
    sys_version = ""

    def send_head(self) -> Any:
        """Answer only what was asked of this machine, and only with files below the folder."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in (LOOPBACK, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        root, path = Path(self.directory).resolve(), Path(self.translate_path(self.path)).resolve()
        if not path.is_relative_to(root):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> BytesIO | None:
        """A folder without a page is not there."""
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def end_headers(self) -> None:
        """Always the newest build, and of the type that it is said to be."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the browser shows what fails."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of one folder on the loopback interface; `serve_forever` runs it.

    Args:
        folder: a built board.
        port: to listen on; 0: any that is free.

    Raises:
        InputError: when there is no board in the folder.
        InfrastructureError: when the port cannot be had.
    """
    if not (folder / "index.html").is_file():
        raise InputError("no board here", file=folder, hint="Run: karyobench leaderboard build")
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise InfrastructureError(f"port {port} of {LOOPBACK} cannot be had: {error}") from error
