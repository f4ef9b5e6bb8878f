import json

import pytest
from typer.testing import CliRunner

from benchmark.cli.image import app
from benchmark.errors import InputError, IntegrityError
from benchmark.sandbox import image, image_check
from benchmark.sandbox.context import worker_hash
from benchmark.sandbox.image import Built
from benchmark.sandbox.image_check import Finding

FITTING = Built(
    "kb:1",
    "sha256:" + "a" * 64,
    (),
    "1.0",
    "r",
    worker_hash(),
    "base:1",
    "sha256:b",
    "",
    3_790_000_000,
    "2026-01-02T03:04:05Z",
)
STALE = FITTING._replace(tag="kb:0", worker="0" * 64, requirements="c" * 64)


@pytest.fixture(autouse=True)
def daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images, and a build that says two lines."""

    def build(base: str | None, *, tag: str | None, say: image.Say) -> Built:
        say("Step 1/1")
        say("done")
        return FITTING._replace(base=base or "base:1", tag=tag or "kb:1")

    monkeypatch.setattr(image, "images", lambda: [STALE, FITTING])
    monkeypatch.setattr(image, "build", build)
    monkeypatch.setattr(image, "get", lambda reference: {"kb:0": STALE, "kb:1": FITTING}[reference])


def findings(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> list[str]:
    asked: list[str] = []
    monkeypatch.setattr(image_check, "check", lambda reference: asked.append(reference) or list(found))
    return asked


def test_build_tells_its_steps_on_standard_error() -> None:
    result = CliRunner().invoke(app, ["build", "--base", "own:2"])
    assert result.exit_code == 0, result.output
    assert result.stderr == "Step 1/1\ndone\n"
    assert result.stdout == f"kb:1  {FITTING.id}  3.8 GB, on own:2\n"


def test_build_as_json_is_data_only() -> None:
    result = CliRunner().invoke(app, ["build", "--tag", "mine:1", "--json"])
    assert json.loads(result.stdout)["id"] == FITTING.id and json.loads(result.stdout)["tag"] == "mine:1"


def test_list_says_which_fit_these_sources() -> None:
    lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()
    assert lines[2].split()[:1] == ["kb:0"] and " stale " in lines[2] and " yes " in lines[2]
    assert lines[3].split()[:1] == ["kb:1"] and " fits " in lines[3] and "3.8 GB" in lines[3]
    found = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert [(one["tag"], one["stale"]) for one in found] == [("kb:0", True), ("kb:1", False)]


def test_check_takes_the_newest_of_the_harness_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = findings(monkeypatch, Finding(True, "user", "10001:10001", "not shown"))
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0 and asked == [FITTING.id]
    assert "10001:10001" in result.stdout and "not shown" not in result.stdout


def test_check_ends_in_one_error_and_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    findings(
        monkeypatch,
        Finding(True, "torch", "2"),
        Finding(False, "user", "root", "do this"),
        Finding(False, "uid", "0", "x"),
    )
    result = CliRunner().invoke(app, ["check", "kb:0"])
    error = result.exception
    assert isinstance(error, IntegrityError) and error.exit_code == 3
    assert str(error) == "kb:0: 2 of 3 checks failed: user, uid. do this"
    assert "wrong" in result.stdout and "do this" in result.stdout


def test_check_as_json_is_data_only(monkeypatch: pytest.MonkeyPatch) -> None:
    findings(monkeypatch, Finding(False, "user", "root", "do this"))
    result = CliRunner().invoke(app, ["check", "kb:1", "--json"])
    assert isinstance(result.exception, IntegrityError)
    assert json.loads(result.stdout)["findings"] == [
        {"ok": False, "what": "user", "found": "root", "advice": "do this"}
    ]


def test_check_without_an_image_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "images", list)
    result = CliRunner().invoke(app, ["check"])
    assert isinstance(result.exception, InputError) and "Run: karyobench image build" in str(result.exception)
