import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli.main import app
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Entry
from benchmark.errors import InputError


@pytest.fixture
def go(maker: Any, tmp_path: Path) -> Any:
    maker.fill(imagenet=0.6, two_step=0.9)
    maker.fill(name="other", imagenet=0.6, two_step=0.6)

    def call(*options: str) -> str:
        result = CliRunner().invoke(app, ["compare", "-w", str(tmp_path), *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_table_sentences_and_overview(go: Any) -> None:
    text = go()
    assert "better" in text and "Holm over two-step against imagenet" in text
    assert "On chromosomes of new people or cells, net trained anew" in text
    assert "share a rank" in text and "gain on tiny" in text
    assert "McNemar" not in text, "secondary columns only when asked for"


def test_secondary_columns_are_labelled_as_conditional(go: Any) -> None:
    text = go("--secondary")
    assert "McNemar †" in text and "† conditional on one training" in text and "Nadeau-Bengio" in text
    assert "<0.001" in text and "0.000" not in text, "no p-value is nothing"


def test_classes_are_exploratory(go: Any) -> None:
    text = go("--classes", "net")
    assert text.count("two-step    ") >= 24 and "Benjamini-Hochberg" in text


def test_files_are_written_and_are_json_and_pictures(go: Any, tmp_path: Path) -> None:
    go("-o", str(tmp_path / "out"))
    found = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [row["submission"] for row in found["rows"]] == ["net", "other"] and len(found["ranks"]) == 2
    assert (tmp_path / "out" / "forest.svg").read_bytes().startswith(b"<svg")
    assert (tmp_path / "out" / "forest.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(go("--json")) == found


def test_a_gain_that_cannot_be_estimated_is_named_after_the_others_are_shown(maker: Any, go: Any) -> None:
    entries = [Entry(f"c{number:02d}", label, "c", "", 4, 4, "0" * 64, 0, -1) for number, label in enumerate(CLASSES)]
    maker.manifest = manifests.build(entries, "cell")
    for arm in ("imagenet", "two-step"):
        maker.add(arm, 0, name="alone")
    for options in ((), ("--json",)):
        result = CliRunner().invoke(app, ["compare", "-w", str(maker.ledger.path.parents[1]), *options])
        assert result.exit_code == 2 and result.stderr.count("error: ") == 1
        assert (
            "alone on tiny: a gain of two-step over imagenet cannot be estimated; found 1; allowed: 2 or more"
            in result.stderr
        )
        assert "better" in result.stdout
    assert next(line for line in go_lines(maker) if "alone" in line and "two-step" in line).count("error") == 1


def go_lines(maker: Any) -> list[str]:
    return CliRunner().invoke(app, ["compare", "-w", str(maker.ledger.path.parents[1])]).stdout.splitlines()


def test_an_unknown_submission_is_named_with_those_there_are(go: Any) -> None:
    with pytest.raises(InputError, match="no record of this submission; found 'net2'; allowed: net, other"):
        go("net2")
