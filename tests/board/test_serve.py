"""The server for looking: this folder and nothing else, to this machine and nobody else."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.board.serve import TYPES, server
from benchmark.errors import InfrastructureError, InputError
from tests.board import ledgers


@pytest.fixture
def board(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    return ledgers.built(tmp_path / "board")


@pytest.fixture
def port(board: Path) -> Iterator[int]:
    with server(board) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running.server_port
        running.shutdown()
        thread.join()


def get(port: int, path: str, method: str = "GET", host: str | None = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()


def test_pages_and_files_come_with_their_types(port: int, board: Path) -> None:
    assert get(port, "/") == (200, "text/html; charset=utf-8", b"<p>board</p>")
    assert get(port, "/data/index.js?v=1")[:2] == (200, "text/javascript; charset=utf-8")
    for suffix, kind in TYPES.items():
        (board / f"file{suffix}").write_text("x")
        assert get(port, f"/file{suffix}")[:2] == (200, kind)


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "//secret.txt", "/..%2fsecret.txt", "/link.txt", "/linked/secret.txt"],
)  # fmt: skip
def test_nothing_outside_the_folder(port: int, board: Path, tmp_path: Path, path: str) -> None:
    (board / "link.txt").symlink_to(tmp_path / "secret.txt")
    (board / "linked").symlink_to(tmp_path)
    status, _, content = get(port, path)
    assert status == 404 and b"secret" not in content


def test_folders_are_not_listed_and_nothing_can_be_sent(port: int) -> None:
    assert get(port, "/assets/")[0] == 404
    assert get(port, "/", method="POST")[0] == 501


def test_another_site_cannot_have_a_browser_read_it(port: int) -> None:
    assert get(port, "/", host=f"evil.example:{port}")[0] == 421
    assert get(port, "/", host=f"localhost:{port}")[0] == 200


def test_it_listens_on_the_loopback_interface_only(board: Path) -> None:
    with server(board) as running:
        assert running.socket.getsockname()[0] == "127.0.0.1"


def test_no_board_and_no_port_are_said(tmp_path: Path, board: Path) -> None:
    with pytest.raises(InputError, match=r"no board here\. Run: karyobench leaderboard build"):
        server(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InfrastructureError, match="cannot be had"):
        server(board, taken.getsockname()[1])


def test_the_command_prints_its_address_and_ends_at_ctrl_c(board: Path) -> None:
    command = [sys.executable, "-m", "benchmark", "leaderboard", "serve", str(board)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        port = int(address.removeprefix("http://127.0.0.1:").rstrip("/"))
        assert get(port, "/")[0] == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and "not" not in errors.split("\n")[-2] and "on this machine only" in errors
