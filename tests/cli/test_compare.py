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


def test_only_the_chains_that_are_asked_for_and_what_takes_none(maker: Any, tmp_path: Path) -> None:
    maker.ledger.put_document("tracks", "d", {"pairs": [{"target": "tiny", "source": "q"}]})
    maker.fill(imagenet=0.6, two_step=0.9)
    for arm in ("two-step[a]", "two-step[a+b]", "imagenet-long[a+b]"):
        for fold in range(5):
            maker.add(arm, fold)

    def shown(*options: str) -> list[str]:
        words = ["compare", "-w", str(tmp_path), "--json", *options]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        return [name for row in json.loads(result.stdout)["rows"] for name in row["protocols"]]

    assert shown() == ["imagenet", "two-step", "two-step[a]", "two-step[a+b]", "imagenet-long[a+b]"]
    assert shown("--source", "a") == ["imagenet", "two-step[a]"]
    assert shown("--source", "q") == ["imagenet", "two-step"], "the track's own pair"
    assert shown("--source", "a", "--source", "a+b") == [
        "imagenet",
        "two-step[a]",
        "two-step[a+b]",
        "imagenet-long[a+b]",
    ]
    assert shown("--source", "a+b", "--over", "imagenet-long")[-1] == "imagenet-long[a+b]"
    for options, message in (
        (["--source", "c"], r"--source: no record of a protocol over these sources; found \['c'\]; allowed: a, a\+b"),
        (
            ["--source", "a", "--source", "b", "--over", "two-step"],
            r"several chains.*allowed: two-step\[a\], two-step\[b\]",
        ),
        (["--source", "a+a"], "stands twice"),
        (["--over", "three-step"], "no such protocol"),
    ):
        with pytest.raises(InputError, match=message):
            shown(*options)
