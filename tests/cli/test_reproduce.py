import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from benchmark.board.build import build
from benchmark.cli import ledger as ledgers
from benchmark.cli.reproduce import SOME_FAILED, reproduce
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.reproduce import Draw, Scratch, Way
from benchmark.sandbox import SANDBOXES, Outcome, Sandbox
from benchmark.submission import Submission

app = typer.Typer()
app.command("reproduce")(reproduce)
app.add_typer(ledgers.app, name="ledger")


@pytest.fixture
def go(workspace: Path, tiny_submission: Submission, scored_ledger: Ledger, nearest: str) -> Any:
    def call(command: str, *options: str, code: int = 0) -> Any:
        where = ["-w", str(workspace)]
        if command == "reproduce":
            where += ["--sandbox", nearest, "--device", "cpu", "--submissions", str(tiny_submission.folder)]
        result = CliRunner().invoke(app, [*command.split(), *where, *options], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return call


def test_from_a_prefix_to_a_grade_in_the_ledger(go: Any, scored_ledger: Ledger) -> None:
    [first, second] = scored_ledger.records()
    assert "bitwise" not in go("ledger list").stdout
    shown = go("reproduce", first["key"][:10]).stdout
    assert f"{first['key'][:12]}: bitwise: the same logits to the bit" in shown and "100.0 % the same" in shown
    rows = [line for line in go("ledger list").stdout.splitlines() if "bitwise" in line]
    assert len(rows) == 1 and first["key"][:12] in rows[0] and "not whole" in rows[0]
    listed = {r["key"]: r["reproduction"] for r in json.loads(go("ledger list", "--json").stdout)}
    assert listed == {first["key"]: "bitwise", second["key"]: None}
    assert "2 records and 1 reproduction, chain whole" in go("ledger verify").stdout


def test_a_sample_takes_what_has_no_reproduction(go: Any) -> None:
    [found] = json.loads(go("reproduce", "--sample", "1", "--json").stdout)
    result = go("reproduce", "--sample", "5", "--seed", "3", "--json")
    [other] = json.loads(result.stdout)
    assert "only 1 records have no reproduction yet" in result.stderr
    assert found["of"] != other["of"] and {found["grade"], other["grade"]} == {"bitwise"}
    with pytest.raises(InputError, match="every scored record has a reproduction"):
        go("reproduce", "--sample", "1")


def test_an_interrupted_sample_goes_on_with_the_same_records(
    go: Any, scored_ledger: Ledger, workspace: Path, nearest: str
) -> None:
    for record in scored_ledger.records():
        with Scratch(workspace, [record["key"]], Way(nearest), Draw(1, 0)).held():
            result = None
        result = go("reproduce", "--sample", "1", "--json")
        assert "going on with the sample of 1 records" in result.stderr
        assert json.loads(result.stdout)[0]["of"] == record["key"]


class Failing(Sandbox):
    name = "failing"

    def run(self, *_: Any) -> Outcome:
        return Outcome("model-failure", "nan", "the loss is not a finite number")


def test_a_failed_grade_is_an_exit_code(go: Any, nearest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SANDBOXES, nearest, Failing)
    shown = go("reproduce", "--sample", "2", code=SOME_FAILED).stdout
    assert shown.count("failed: the new training failed: nan") == 2


@pytest.mark.parametrize(("options", "message"), [
    ([], "which records"), (["12345678", "--sample", "1"], "which records"),
    (["1234567"], "too short"), (["ffffffffffff"], "no scored record of this key"),
    (["--sample", "1", "--sandbox", "balloon"], "no such sandbox; found 'balloon'"),
])  # fmt: skip
def test_wrong_options_are_one_clear_error(go: Any, options: list[str], message: str, workspace: Path) -> None:
    with pytest.raises(InputError, match=message):
        go("reproduce", *options)
    assert list(workspace.parent.glob(".workspace*")) == [], "nothing is left"


def test_an_implausible_curve_is_marked(tmp_path: Path, maker: Any) -> None:
    for fold in range(5):
        for repeat in range(2):
            score = 0.99 if (fold, repeat) == (2, 1) else 0.4 + 0.01 * fold
            maker.add("imagenet", fold, repeat, epochs=3, log=[{"validation_macro_f1": score}] * 3)
    where = ["ledger", "list", "-w", str(tmp_path)]
    lines = CliRunner().invoke(app, where, catch_exceptions=False).stdout.splitlines()
    assert sum("as expected" in line for line in lines) == 9 and sum("too fast" in line for line in lines) == 1
    records = json.loads(CliRunner().invoke(app, [*where, "--json"], catch_exceptions=False).stdout)
    [flag] = [record["implausible"] for record in records if record["implausible"]]
    assert flag["statistic"] == pytest.approx(0.99) and flag["p"] < 0.001


@pytest.mark.usefixtures("blank_pictures")
def test_a_failed_record_becomes_an_issue_and_a_mark_on_the_board(
    go: Any, nearest: str, scored_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command to the board's row, and back once the record came out again."""
    issue, key = tmp_path / "failed.md", scored_ledger.records()[0]["key"]

    def marks() -> set[str]:
        build(Ledger(scored_ledger.folder), tmp_path / "board")
        board = json.loads((tmp_path / "board" / "board.json").read_text())
        [row] = [row for row in board["rows"] if row["target"] == scored_ledger.records()[0]["dataset"]["name"]]
        assert (tmp_path / "board" / "board.md").read_text().count("not reproduced") >= (
            "not reproduced" in row["badges"]
        )
        return set(row["badges"])

    with monkeypatch.context() as patch:
        patch.setitem(SANDBOXES, nearest, Failing)
        go("reproduce", key, "--issue", str(issue), code=SOME_FAILED)
    text = issue.read_text()
    assert text.startswith("# Records that did not come out again\n\n1 of 1 records")
    assert f"karyobench reproduce {key[:12]}" in text and "the new training failed: nan" in text
    assert "not reproduced" in marks()
    go("reproduce", key, "--issue", str(issue))
    assert not issue.exists(), "an older text would be opened as an issue again"
    assert "not reproduced" not in marks() and "bitwise" in marks()
