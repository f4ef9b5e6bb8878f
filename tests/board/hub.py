"""A hub on the loopback interface: repositories with commits and large files, and faults on request.

It speaks as much of the hub's HTTP interface as its client uses to create, list, read and commit, by the older
protocol for large files (`HF_HUB_DISABLE_XET`). Its trees come in pages, as the real ones do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from huggingface_hub import constants

from benchmark.board.publishing.hub import Hub as Place

TOKEN = "hf_good"
PAGE = 3
LARGE = (".npz", ".parquet", ".png")

Tree = dict[str, bytes]


@dataclass
class Repository:
    """Commits, oldest first."""

    commits: list[tuple[str, Tree]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    sdk: str | None = None

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    @property
    def tree(self) -> Tree:
        return self.commits[-1][1]

    def commit(self, tree: Tree, message: str) -> str:
        name = hashlib.sha1(f"{len(self.commits)} {sorted(tree)} {message}".encode()).hexdigest()
        self.commits.append((name, tree))
        self.messages.append(message)
        return name


@dataclass
class Fault:
    """What goes wrong with requests whose `METHOD path` matches.

    Args:
        pattern: regular expression.
        answer: a status; `close`: the connection ends after part of the request was read; `deaf`: the
            request is carried out and the connection ends without an answer.
        times: how often.
    """

    pattern: str
    answer: int | str
    times: int = 1


@dataclass
class Hub:
    """State of the fake.

    Attributes:
        repositories: by kind and name, `spaces/owner/name`.
        objects: large files, by SHA-256.
        faults: the first that matches and has times left goes wrong.
        asked: `METHOD path` of every request.
        received: SHA-256 of every large file and path of every small one that arrived whole, in order.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    url: str = ""

    def made(self, name: str, tree: Tree, sdk: str | None = None) -> Repository:
        """Put a repository there (`spaces/owner/name`)."""
        repository = self.repositories[name] = Repository(sdk=sdk)
        repository.commit(dict(tree), "initial commit")
        return repository

    @contextmanager
    def running(self) -> Iterator[Hub]:
        """Serve on a free port."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        yield self
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def reached(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Hub]:
    """A hub that the client is sent to, with a token and no waiting."""
    with Hub().running() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        monkeypatch.setattr(Place, "sleep", staticmethod(lambda seconds: None))
        yield found


class Handler(BaseHTTPRequestHandler):
    """One request."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_request()

    do_HEAD = do_POST = do_PUT = do_GET

    def handle_request(self) -> None:
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {path}")
        fault = next((f for f in self.hub.faults if f.times and re.search(f.pattern, self.hub.asked[-1])), None)
        if fault:
            fault.times -= 1
        if fault and fault.answer == "close":
            self.rfile.read(min(10, int(self.headers.get("Content-Length", 0))))
            self.hang_up()
            return
        body = self.body()
        if fault and isinstance(fault.answer, int):
            self.reply(fault.answer, {"error": "made to fail"})
            return
        self.deaf = fault is not None
        token = self.headers.get("Authorization", "")
        if token and token != f"Bearer {TOKEN}":
            self.reply(401, {"error": "bad token"}, X_Error_Message="Invalid credentials in Authorization header")
        elif self.command in ("POST", "PUT") and "/lfs/" not in path and not token:
            self.reply(401, {"error": "no token"}, X_Error_Message="Invalid credentials in Authorization header")
        else:
            self.answer(path, body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while length := int(self.rfile.readline(), 16):
            found += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def reply(self, status: int, data: Any = None, **headers: str) -> None:
        if getattr(self, "deaf", False):
            self.hang_up()
            return
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def answer(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            self.create(json.loads(body))
        elif path == "/api/validate-yaml":
            said = json.loads(body)
            front = re.match(r"---\n(.*?)---\n", said["content"], re.DOTALL)
            whole = bool(front) and (said["repoType"] != "space" or "sdk" in yaml.safe_load(front[1]))
            self.reply(200 if whole else 400, {"errors": [] if whole else [{"message": "no sdk"}], "warnings": []})
        elif found := re.fullmatch(r"/lfs/(\w+)", path):
            if hashlib.sha256(body).hexdigest() != found[1]:
                self.reply(400, {"error": "not whole"})
                return
            self.hub.objects[found[1]] = body
            self.hub.received.append(found[1])
            self.reply(200)
        elif found := re.fullmatch(
            r"/(?:api/)?((?:spaces|datasets)/[\w.-]+/[\w-]+(?:\.[\w-]+)*?)(\.git)?(?:/(.*))?", path
        ):
            repository = self.hub.repositories.get(found[1])
            if repository is None:
                self.reply(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            else:
                self.inside(repository, found[1], found[3] or "", body)
        else:
            self.reply(404, {"error": path})

    def create(self, said: dict[str, Any]) -> None:
        name = f"{said['type']}s/{said['organization']}/{said['name']}"
        if name in self.hub.repositories:
            self.reply(409, {"error": "You already created this repo", "url": f"{self.hub.url}/{name}"})
            return
        front = b"---\ntitle: A Space\nsdk: static\n---\nHello\n"
        extra = {"README.md": front, "index.html": b"<p>template</p>", "style.css": b"p {}"} if said.get("sdk") else {}
        self.hub.made(name, {".gitattributes": b"*.npz filter=lfs\n", **extra}, said.get("sdk"))
        self.reply(200, {"url": f"{self.hub.url}/{name}"})

    def inside(self, repository: Repository, name: str, rest: str, body: bytes) -> None:
        kind, _, tail = rest.partition("/")
        trees = dict(repository.commits) | {"main": repository.tree}
        if kind in ("", "revision"):
            self.reply(200, {"id": name.partition("/")[2], "sha": repository.head, "siblings": []})
        elif kind == "tree":
            self.tree(trees[tail])
        elif kind == "resolve":
            revision, _, path = tail.partition("/")
            data = trees[revision].get(path)
            if data is None:
                self.reply(404, b"", X_Error_Code="EntryNotFound", X_Repo_Commit=repository.head)
            else:
                self.reply(200, data, ETag=f'"{git_name(data)}"', X_Repo_Commit=repository.head)
        elif kind == "preupload":
            self.reply(200, {"files": [self.mode(repository, one) for one in json.loads(body)["files"]]})
        elif rest == "info/lfs/objects/batch":
            self.reply(200, {"transfer": "basic", "objects": [self.action(one) for one in json.loads(body)["objects"]]})
        elif kind == "commit":
            self.commit(repository, name, [json.loads(line) for line in body.splitlines()])
        else:
            self.reply(404, {"error": rest})

    def tree(self, tree: Tree) -> None:
        start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        items = [described(path, tree[path]) for path in sorted(tree)]
        items += [
            {"type": "directory", "path": p, "oid": "0" * 40} for p in {p.partition("/")[0] for p in tree if "/" in p}
        ]
        more = {}
        if start + PAGE < len(items):
            address = f"{self.hub.url}{urlsplit(self.path).path}?recursive=true&cursor={start + PAGE}"
            more = {"Link": f'<{address}>; rel="next"'}
        self.reply(200, items[start : start + PAGE], **more)

    @staticmethod
    def mode(repository: Repository, one: dict[str, Any]) -> dict[str, Any]:
        path = one["path"]
        known = repository.tree.get(path)
        large = path.endswith(LARGE)
        oid = None if known is None else hashlib.sha256(known).hexdigest() if large else git_name(known)
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def action(self, one: dict[str, Any]) -> dict[str, Any]:
        known = (
            {}
            if one["oid"] in self.hub.objects
            else {"actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}}
        )
        return {**one, **known}

    def commit(self, repository: Repository, name: str, lines: list[dict[str, Any]]) -> None:
        header, tree = lines[0]["value"], dict(repository.tree)
        if header.get("parentCommit", repository.head) != repository.head:
            self.reply(412, {"error": "A commit has happened since. Please refresh and try again."})
            return
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
                self.hub.received.append(value["path"])
            elif line["key"] == "lfsFile":
                tree[value["path"]] = self.hub.objects[value["oid"]]
            else:
                del tree[value["path"]]
        oid = repository.commit(tree, header["summary"])
        self.reply(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}"})


def git_name(data: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def described(path: str, data: bytes) -> dict[str, Any]:
    """A file of a tree."""
    item = {"type": "file", "path": path, "size": len(data), "oid": git_name(data)}
    if path.endswith(LARGE):
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\n".encode()
        )
        lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": len(pointer)}
        item |= {"oid": git_name(pointer), "lfs": lfs}
    return item
