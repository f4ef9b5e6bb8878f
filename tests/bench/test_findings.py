"""The page of findings says what the published ledger gives."""

from pathlib import Path
from typing import Any

import pytest

from bench import findings
from bench.findings import BLOCKS, NONE, Findings, fill, main, reading
from benchmark.errors import InputError
from benchmark.memo import Memo

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / page for page in findings.PAGES]


def test_the_pages_are_those_of_the_published_ledger() -> None:
    words = [str(ROOT / "leaderboard"), *(f"--page={page}" for page in PAGES), "--check"]
    assert main(words) == 0, "run: python -m bench.findings"
    of_pages = [{match[1] for match in findings.BLOCK.findall(page.read_text())} for page in PAGES]
    assert [page.name for page in PAGES] == ["findings.md", "README.md"] and of_pages[1] == {"gains"}
    assert set.union(*of_pages) == set(BLOCKS)


@pytest.fixture
def found(maker: Any, monkeypatch: pytest.MonkeyPatch) -> Findings:
    """Two-step better than ImageNet fine-tuning and than its controls, on a data set that is called Q-band."""
    maker.fill(scratch=0.5, imagenet=0.7, imagenet_long=0.7, two_step_shuffled=0.6, two_step=0.9)
    monkeypatch.setattr(findings.card, "load", lambda name: type("Card", (), {"stain": "Q"}))
    return Findings(maker.ledger.folder.parent, Memo())


def test_the_figures_are_those_of_the_ledger(found: Findings) -> None:
    [scratch, imagenet, two, long, shuffled] = found.scores().splitlines()[2:]
    assert "| scratch " in scratch and "| worse " in scratch and "| 10 " in scratch
    assert "| imagenet " in imagenet and "better" not in imagenet and "worse" not in imagenet
    assert "| two-step-shuffled " in shuffled
    assert "| imagenet-long " in long and "| two-step " in two and "| better " in two
    [gains] = found.gains().splitlines()[2:]
    of, at, *cells = [cell.strip() for cell in gains.split("|")[1:-1]]
    assert (of, at) == ("net", "tiny") and [cell.split()[-1] for cell in cells] == [
        "worse",
        "better",
        "undecided",
        "better",
    ]
    for cell, row in zip(cells, (scratch, two, long, found.control().splitlines()[2]), strict=True):
        assert cell.rpartition(" ")[0] in row
    [over_long, over_shuffled] = found.control().splitlines()[2:]
    assert "| imagenet-long " in over_long and "| better " in over_long
    assert "| two-step-shuffled " in over_shuffled and "| better " in over_shuffled
    [study] = found.study().splitlines()[2:]
    assert "+0.8 to +3.3 on Q-band" in study and "agreed, and by more" in study and "| shown " in study
    assert "net trained anew by two-step training reads tiny better" in found.sentences()
    assert found.work().splitlines()[-1].split("|")[5:7] == [" 50          ", " 0.0                 "]
    assert found.reproduced().startswith("0 of 50 records")


def test_a_record_that_was_trained_again_twice_counts_once(found: Findings) -> None:
    keys = [record["key"] for record in found.ledger.records()][:2]
    for key, grade in zip((keys[0], keys[0], keys[1]), ("bitwise", "statistical", "bitwise"), strict=True):
        found.ledger.append({"type": "reproduction", "of": key, "grade": grade})
    assert found.reproduced() == "2 of 50 records were trained again (4.0 %), in 3 trainings: 2 bitwise, 1 statistical."


def test_two_step_stands_beside_itself_over_another_source(maker: Any) -> None:
    maker.fill(imagenet=0.7, imagenet_long=0.7, two_step=0.9, **{"two_step[sim-g]": 0.7, "imagenet_long[sim-g]": 0.7})
    rows = Findings(maker.ledger.folder.parent, Memo()).control().splitlines()[2:]
    assert [row.split("|")[4].strip() for row in rows] == ["imagenet-long", "two-step[sim-g]"]
    assert all("| better " in row for row in rows)


def test_a_gain_without_its_control_has_a_row_and_what_has_no_two_step_none(maker: Any) -> None:
    maker.fill(imagenet=0.7, two_step=0.9)
    [row] = Findings(maker.ledger.folder.parent, Memo()).gains().splitlines()[2:]
    assert [bool(cell.strip()) for cell in row.split("|")[1:-1]] == [True, True, False, True, False, False]


def test_networks_without_two_step_have_no_gains(maker: Any) -> None:
    maker.fill(scratch=0.5, imagenet=0.7)
    assert Findings(maker.ledger.folder.parent, Memo()).gains() == NONE


def test_networks_that_were_trained_from_scratch_alone_stand_by_themselves(maker: Any, found: Findings) -> None:
    assert found.alone() == NONE  # this one was trained by other protocols, too
    for fold in range(5):
        for repeat in range(2):
            more = {"environment": {"parameters": 2_540_000, "device_type": "cpu"}, "cpu_seconds": 90.0}
            maker.add("scratch", fold, repeat, 0.6, "other", **more)
    [row] = Findings(maker.ledger.folder.parent, Memo()).alone().splitlines()[2:]
    track, *shown = [cell.strip() for cell in row.split("|")[1:-1]]
    assert (
        track == "t" and shown[:4] == ["other", "tiny", "2.5", "10"] and shown[4].startswith("6") and shown[5] == "1.5"
    )


def test_what_is_not_in_the_ledger_is_said_not_to_be(found: Findings) -> None:
    assert found.leakage() == found.sweep() == found.elsewhere() == found.alone() == NONE


def test_a_page_is_filled_between_its_marks_alone(found: Findings) -> None:
    page = "# Words\n\n<!-- figures: leakage -->\nold\n<!-- end -->\nmore words\n"
    assert fill(page, found) == f"# Words\n\n<!-- figures: leakage -->\n{NONE}\n<!-- end -->\nmore words\n"
    assert fill(fill(page, found), found) == fill(page, found)
    with pytest.raises(InputError, match="no such figures; found 'nothing'; allowed: gains, scores,"):
        fill("<!-- figures: nothing -->\n<!-- end -->", found)


def test_check_changes_nothing_and_fails_where_the_page_is_old(found: Findings, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- figures: leakage -->\nold\n<!-- end -->\n")
    words = [str(found.ledger.folder.parent), "--page", str(page)]
    assert main([*words, "--check"]) == 1 and "old" in page.read_text()
    assert main(words) == 0 and NONE in page.read_text() and main([*words, "--check"]) == 0


def test_all_pages_are_looked_at_and_none_is_written_where_one_cannot_be(found: Findings, tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("one.md", "two.md")]
    for page in pages:
        page.write_text("<!-- figures: leakage -->\nold\n<!-- end -->\n")
    words = [str(found.ledger.folder.parent), *(f"--page={page}" for page in pages)]
    assert main([*words, f"--page={tmp_path / 'none.md'}"]) == 2 and all("old" in page.read_text() for page in pages)
    assert main(words[:2]) == 0 and main([*words, "--check"]) == 1
    assert main(words) == 0 and main([*words, "--check"]) == 0


def test_a_page_that_is_not_there_is_one_error(
    found: Findings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(found.ledger.folder.parent), "--page", str(tmp_path / "none.md")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(("verdict", "low", "high", "said"), [
    ("better", 0.009, 0.02, "agreed"), ("better", 0.001, 0.007, "agreed, but by less"), ("better", 0.04, 0.06, "agreed, and by more"),
    ("worse", -0.02, -0.01, "not agreed"), ("undecided", -0.01, 0.005, "not agreed"), ("undecided", -0.01, 0.02, "undecided"),
    ("equivalent", -0.003, 0.003, "not agreed"), ("withheld", 0.009, 0.02, "undecided: too few trainings"),
])  # fmt: skip
def test_how_a_gain_reads_beside_the_study(verdict: str, low: float, high: float, said: str) -> None:
    assert reading({"verdict": verdict, "low": low, "high": high}, *findings.STUDY["Q"]) == said
