"""Corrections: what may be corrected, that no key changes, and that a correction stays readable."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmark.board.history import changes
from benchmark.board.policy.published import wanting
from benchmark.board.reading import Reading
from benchmark.cli.ledger import app
from benchmark.correction import Corrected, correct
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.merge import merge
from benchmark.submission import Submission, load

SPEC: dict[str, Any] = {
    "name": "net", "title": "Net", "paper": "https://example.org/draft", "license": "MIT", "model": {"timm": "resnet18", "kwargs": {"drop_rate": 0.1}},
}  # fmt: skip


def folder(tmp_path: Path, **changed: Any) -> Path:
    path = tmp_path / "net"
    path.mkdir(exist_ok=True)
    (path / "submission.yaml").write_text(yaml.safe_dump({**SPEC, **changed}))
    return path


def recorded(maker: Any, submission: Submission, fold: int = 0) -> None:
    from benchmark.files import digest

    spec = submission.spec.model_dump(mode="json")
    maker.ledger.put_document("submissions", digest(spec), spec)
    named = {
        "name": "net",
        "model": submission.digest,
        "code": submission.code_hash,
        "pinned": True,
        "document": digest(spec),
    }
    maker.add("imagenet", fold, submission=named)


@pytest.fixture
def ledger(maker: Any, tmp_path: Path) -> Ledger:
    recorded(maker, load(folder(tmp_path)))
    return maker.ledger


def test_a_correction_keeps_every_record_and_is_what_the_board_shows(ledger: Ledger, tmp_path: Path) -> None:
    before = ledger.records()
    record = correct(ledger, load(folder(tmp_path, title="Net 2", paper="https://example.org/out")), "the paper is out")
    assert ledger.records() == before and ledger.corrections() == [record] and ledger.verify() == []
    reading = Reading(ledger)
    assert reading.spec(reading.all_records[0])["title"] == "Net 2"
    [change] = [one for one in changes(reading) if one.kind == "corrected"]
    assert change.text == (
        "net was corrected (the paper is out): paper from “https://example.org/draft” to “https://example.org/out”; "
        "title from “Net” to “Net 2”. No result hangs on it: its records stay."
    )
    assert {trial.model for trial in reading.results.trials} == {f"{load(folder(tmp_path)).digest}:None"}


def test_corrections_follow_each_other_and_may_go_back(ledger: Ledger, tmp_path: Path) -> None:
    for title in ("Second", "Third", "Net"):
        correct(ledger, load(folder(tmp_path, title=title)))
    first = ledger.records()[0]["submission"]["document"]
    assert Corrected(ledger.corrections()).of("net", first) == first
    assert Corrected(ledger.corrections()[:2]).of("net", first) == ledger.corrections()[1]["document"]
    assert ledger.verify() == []


def test_more_trainings_that_say_something_else_are_shown_as_a_correction(maker: Any, tmp_path: Path) -> None:
    recorded(maker, load(folder(tmp_path)))
    recorded(maker, load(folder(tmp_path, license="Apache-2.0")), fold=1)
    [change] = [one for one in changes(Reading(maker.ledger)) if one.kind == "corrected"]
    assert "license from “MIT” to “Apache-2.0”" in change.text


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"model": {"timm": "resnet34", "kwargs": {"drop_rate": 0.1}}}, "model"),
        ({"model": {"timm": "resnet18", "kwargs": {"drop_rate": 0.2}}}, "model"),
        ({"weights": {"hub": "timm/resnet18.a1_in1k"}}, "weights"),
    ],
)
def test_what_decides_results_is_no_correction(
    ledger: Ledger, tmp_path: Path, changed: dict[str, Any], field: str
) -> None:
    size = ledger.path.read_bytes()
    with pytest.raises(
        InputError,
        match=f"submission.yaml: {field}: is no correction, since it decides results.*Run: karyobench run net",
    ):
        correct(ledger, load(folder(tmp_path, **changed)))
    assert ledger.path.read_bytes() == size


def test_nothing_new_no_record_and_a_reason_of_two_lines_are_errors(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="says nothing new"):
        correct(ledger, load(folder(tmp_path)))
    with pytest.raises(InputError, match="reason: must be one line"):
        correct(ledger, load(folder(tmp_path, title="X")), "a\nb")
    with pytest.raises(InputError, match=r"no record of this submission.*allowed: none"):
        correct(Ledger(tmp_path / "empty"), load(folder(tmp_path, title="X")))
    assert ledger.corrections() == []


def test_verify_finds_a_correction_of_what_decides_results_or_of_nothing(ledger: Ledger, tmp_path: Path) -> None:
    good = correct(ledger, load(folder(tmp_path, title="X")))
    other = load(folder(tmp_path, model={"timm": "resnet34"})).spec.model_dump(mode="json")
    from benchmark.files import digest

    ledger.put_document("submissions", digest(other), other)
    plain = {k: v for k, v in good.items() if k not in ("hash", "prev", "format")}
    ledger.append({**plain, "document": digest(other)})
    ledger.append({**plain, "version": "m:None"})
    ledger.append({**plain, "document": "0" * 64})
    assert [finding.problem.split(":")[0].split("/")[0] for finding in ledger.verify()][:2] == [
        "corrects what decides results", "corrects a version that no record before it is of"]  # fmt: skip
    assert len(ledger.verify()) == 3 and "missing" in ledger.verify()[2].problem


def test_a_correction_is_pulled_with_its_documents_and_keeps_the_policy(ledger: Ledger, tmp_path: Path) -> None:
    record = correct(ledger, load(folder(tmp_path, title="X")), "why")
    ours = Ledger(tmp_path / "ours")
    merge(ours, ledger, "theirs")
    assert ours.corrections() == [record] and ours.verify() == []
    assert merge(ours, ledger, "theirs").added == []
    assert wanting(record | {"version": f"{'a' * 64}:None"}) is None and "reason" in str(
        wanting({**record, "reason": ""})
    )


def test_the_command(ledger: Ledger, tmp_path: Path) -> None:
    path = folder(tmp_path, title="Net 2")
    done = CliRunner().invoke(app, ["correct", str(path), "-w", str(ledger.folder.parent)])
    assert done.exit_code == 0 and done.output == "net corrected: title; its keys and records stay as they are\n", (
        done.output
    )
    shutil.rmtree(path)
