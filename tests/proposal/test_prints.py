"""Networks are built in a process or container that ends with them, and has no token."""

import os
from pathlib import Path

import pytest

from benchmark import submission as submissions
from benchmark.errors import InputError
from benchmark.proposal import prints
from benchmark.proposal.prints import Print, resolve, take
from benchmark.submission import Submission

from .conftest import NET, spec


def made(folder: Path, name: str, code: str = NET) -> Submission:
    place = folder / name
    place.mkdir(parents=True)
    (place / "submission.yaml").write_text(spec(name))
    (place / "model.py").write_text(code)
    return submissions.read(place)


SPY = """
import os
FOUND = sorted(name for name in os.environ if "TOKEN" in name or "SECRET" in name)
def build(num_classes, in_chans, img_size):
    raise RuntimeError(f"found {FOUND} in process {os.getpid()}")
"""


def test_a_print_a_network_and_no_token_in_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "HF_TOKEN", "SECRET_OF_MINE", "ACTIONS_RUNTIME_TOKEN"):
        monkeypatch.setenv(name, "x")
    found = take([made(tmp_path, "good-net"), made(tmp_path, "spy-net", SPY)], 32)
    assert found["good-net"].parameters == 3 * 4 * 9 + 4 + 4 * 24 + 24
    assert "found [] in process" in str(found["spy-net"].error)
    assert str(os.getpid()) not in str(found["spy-net"].error)


def test_code_that_ends_its_process(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ended its process \(exit 7\); found 'bad-net'"):
        take([made(tmp_path, "bad-net", "import os\nos._exit(7)\n")], 32)


def test_code_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prints.sys, "executable", _only_hangs(tmp_path))
    with pytest.raises(InputError, match="was not built after 1 s"):
        take([made(tmp_path, "bad-net")], 32, seconds=1.0)


def _only_hangs(folder: Path) -> str:
    """A program that hangs at once: what is timed is the wait, not torch's import."""
    path = folder / "hangs"
    path.write_text("#!/bin/sh\nexec sleep 1000\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("said", [b"[]", b"no json", b'{"x-net": {"graph": 1}}', b'{"x-net": {"other": "y"}}', b""])
def test_nonsense_is_an_error(tmp_path: Path, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prints.WAYS, "process", lambda *_: said)
    with pytest.raises(InputError, match="says nothing about the network"):
        take([made(tmp_path, "x-net")], 32)


def test_a_network_that_nothing_is_said_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prints.WAYS, "process", lambda *_: b'noise\n{"other": {}}')
    assert take([made(tmp_path, "x-net")], 32) == {"x-net": Print(error="nothing was said of it")}


def test_an_unknown_sandbox() -> None:
    with pytest.raises(InputError, match="no such sandbox"):
        resolve("cloud")


def test_without_a_daemon_it_is_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    sandbox, warning = resolve("auto")
    assert sandbox == "process" and warning is not None and "no container" in warning


@pytest.mark.docker
def test_the_container_gives_the_same_prints(tmp_path: Path) -> None:
    if resolve("auto")[0] != "docker":
        if os.environ.get("KARYOBENCH_REQUIRE_DOCKER"):
            pytest.fail("KARYOBENCH_REQUIRE_DOCKER is set, and there is no daemon with a worker's image")
        pytest.skip("needs a docker daemon with the worker's image: karyobench image build")
    own = made(tmp_path, "good-net")
    inside, outside = take([own], 32, "docker")["good-net"], take([own], 32)["good-net"]
    assert inside.error is None
    assert (inside.parameters, inside.answer) == (outside.parameters, pytest.approx(outside.answer, rel=1e-9))
    crashed = made(tmp_path, "bad-net", "import os\nos._exit(7)\n")
    with pytest.raises(InputError, match=r"ended its container \(exit 7\)"):
        take([crashed], 32, "docker")
    with pytest.raises(InputError, match="was not built after 1 s"):
        take([own], 32, "docker", seconds=1.0)
