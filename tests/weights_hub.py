"""A hub on the loopback interface with one repository of weights, as `huggingface_hub` asks for them."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import constants

OLD, NEW = "a" * 40, "b" * 40


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Hub:
    """What the fake hub has, and what it was asked.

    Args:
        revisions: commit → the bytes of model.safetensors.
        main: the present commit.
        claimed: hash that the hub says the file has; None: no LFS record at all.
        status: when set, the answer to everything.
        repository: the only one there is.
    """

    revisions: dict[str, bytes]
    main: str
    claimed: str | None = ""
    status: int | None = None
    repository: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        hub, path, name = self.hub, urlsplit(self.path).path, self.hub.repository
        hub.asked.append(f"{self.command} {path}")
        if "Authorization" in self.headers:
            hub.tokens.append(self.headers["Authorization"])
        if hub.status:
            self.reply(hub.status)
        elif path.startswith("/api/models/"):
            repository, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            revision = hub.main if revision in ("", "main") else revision
            if repository != name or revision not in hub.revisions:
                self.reply(404, X_Error_Code="RevisionNotFound" if repository == name else "RepoNotFound")
                return
            content = hub.revisions[revision]
            file: dict[str, Any] = {"rfilename": "model.safetensors", "size": len(content), "blobId": "c" * 40}
            if hub.claimed is not None:
                file["lfs"] = {"sha256": hub.claimed or sha(content), "size": len(content), "pointerSize": 134}
            siblings = [{"rfilename": "README.md", "size": 1, "blobId": "d" * 40}, file]
            data = {"_id": "1", "id": name, "sha": revision, "siblings": siblings}
            self.reply(200, json.dumps(data).encode(), Content_Type="application/json")
        elif found := re.fullmatch(rf"/{name}/resolve/(\w+)/(.+)", path):
            revision, file_name = found.groups()
            revision = hub.main if revision == "main" else revision
            if revision not in hub.revisions:
                self.reply(404, X_Error_Code="RevisionNotFound")
            elif file_name != "model.safetensors":
                self.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=revision)
            else:
                content = hub.revisions[revision]
                self.reply(200, content, ETag=f'"{sha(content)}"', X_Repo_Commit=revision)
        else:
            self.reply(404, X_Error_Code="RepoNotFound")


@contextmanager
def serving(hub: Hub, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """Serve a hub, and send the real client there with a cache of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
