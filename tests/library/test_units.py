import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmark import InputError, columns, run, units
from benchmark.cli.main import app
from benchmark.submission import Submission
from benchmark.track import Track


@pytest.fixture
def ask(workspace: Path, tmp_path: Path, tiny_track: Track, tiny_submission: Submission, nearest: str) -> Any:
    """The arguments that name a tiny run, and what takes them."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(json.loads(tiny_track.model_dump_json())))
    (tiny_submission.folder / "submission.yaml").write_text(
        "name: tiny-net\ntitle: Tiny\npaper: https://example.org\nlicense: MIT\nmodel: {factory: 'model.py:build'}\n"
    )

    def call(**options: Any) -> Any:
        known = {"workspace": workspace, "sandbox": nearest, "device": "cpu", "protocols": ["scratch"]}
        return run(tiny_submission.folder, str(tmp_path / "tiny.yaml"), **(known | options))

    return call


def test_a_run_gives_what_was_asked_for_and_trains_nothing_twice(ask: Any, workspace: Path) -> None:
    told: list[Any] = []
    found = ask(progress=lambda done, total: told.append((done, total)))
    assert [(r.submission, r.protocol, r.target, r.fold, r.repeat, r.status) for r in found] == [
        ("tiny-net", "scratch", target, 0, 0, "scored") for target in ("sim-q", "sim-g")
    ]
    assert all(0.5 < (r.macro_f1 or 0) <= 1 and r.macro_f1 == r.record["scores"]["macro_f1"] for r in found)
    assert told[-1][0] == told[-1][1] > 0, "the last word is that all is done"
    ledger = (workspace / "ledger" / "records.jsonl").read_bytes()
    assert ask() == found and (workspace / "ledger" / "records.jsonl").read_bytes() == ledger
    more = ask(targets=["sim-q"], folds=[1, 0])
    assert [r.fold for r in more] == [1, 0] and more[1] == found[0]


def test_a_run_leaves_the_records_and_the_account_that_the_command_leaves(
    ask: Any, workspace: Path, tmp_path: Path, nearest: str
) -> None:
    found = ask()
    other = tmp_path / "other"
    (other / "datasets").parent.mkdir()
    (other / "datasets").symlink_to(workspace / "datasets")
    options = ["-t", str(tmp_path / "tiny.yaml"), "-p", "scratch", "--sandbox", nearest, "--device", "cpu", "--json"]
    printed = CliRunner().invoke(app, ["run", str(tmp_path / "tiny-net"), "-w", str(other), *options])
    records = {record["key"]: record for record in json.loads(printed.stdout)["records"]}
    assert {r.key: r.record["scores"] for r in found} == {key: one["scores"] for key, one in records.items()}
    [account] = (workspace / "runs").glob("*.json")
    state = json.loads(account.read_text())
    assert (state["phase"], state["done"]) == ("finished", 2) and state["command"].startswith("benchmark.run('")


def test_what_cannot_be_run_is_said_with_its_reason(ask: Any) -> None:
    with pytest.raises(InputError, match=r"nothing could be run: tiny-net imagenet → sim-g.*names no ImageNet weights"):
        ask(protocols=["imagenet"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocols": ["three-step"]}, "no such protocol; found 'three-step'"),
        ({"folds": [7]}, "no such fold; found 7"),
        ({"targets": ["cir-g"], "protocols": ["two-step"]}, "not a target of this track"),
        ({"targets": ["cir-g"]}, "nothing could be run: tiny-net scratch → cir-g: dataset cir-g is not imported"),
        ({"targets": ["nobody"]}, "no dataset of this name; found 'nobody'"),
        ({"sandbox": "box"}, "no such sandbox; found 'box'"),
    ],
)
def test_bad_arguments_are_named(ask: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ask(**options)


def test_no_submission_is_an_error_that_lists_them() -> None:
    with pytest.raises(InputError, match=r"which submission\?; allowed: .*resnet50"):
        run([])


def test_units_of_a_ledger_in_order_failures_included(maker: Any) -> None:
    maker.fill(repeats=1, two_step=0.9, imagenet=0.6)
    maker.add("scratch", 0, failed=True)
    found = units(maker.ledger.folder.parent)
    assert [r.protocol for r in found] == ["scratch", *["imagenet"] * 5, *["two-step"] * 5]
    assert (found[0].status, found[0].failure, found[0].macro_f1) == ("failed", "nan", None)
    assert [r.fold for r in found[1:6]] == [0, 1, 2, 3, 4] and found[1].macro_f1 is not None
    table = columns(found)
    assert table["fold"] == [r.fold for r in found] and "record" not in table and columns([]) == {}
    assert units(maker.ledger.folder.parent, track="t", submissions=["net"]) == found
    assert units(maker.ledger.folder.parent, track="other") == []


def test_a_submission_without_a_record_is_named(maker: Any) -> None:
    maker.fill(repeats=1, imagenet=0.6)
    with pytest.raises(InputError, match="no record of this submission; found 'nat'; allowed: net"):
        units(maker.ledger.folder.parent, submissions=["nat"])
