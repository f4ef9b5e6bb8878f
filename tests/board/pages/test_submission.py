import json
import re
import time
from html.parser import HTMLParser

import pytest

from benchmark.board import detail_model as d
from benchmark.board import model as m
from benchmark.board.pages.submission import commands, files
from benchmark.board.pages.submission_tables import mistakes
from benchmark.wording import points
from tests.board import made

BOARD = made.board(12)


def page(detail: d.Detail, board: m.Board = BOARD) -> str:
    """The page of the present version; earlier ones have pages of their own beside it."""
    return dict(files(board, detail))[f"submissions/{detail.submission}.html"].decode()


class Reader(HTMLParser):
    """Collects text, tags and links; what a browser would run is not text."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", [], set()
        self.scripts: list[dict[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        found = dict(attrs)
        if tag == "a":
            self.links.append(found.get("href"))
        if tag == "script":
            self.scripts.append(found)

    def handle_data(self, data):
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_everything_of_a_submission_is_on_its_page() -> None:
    detail = made.detail(BOARD, "net-00002")
    found = read(page(detail))
    for track in detail.tracks:
        for target in track.targets:
            for result in target.row.results.values():
                assert not result.gain or result.gain.sentence in found.text
            for record in target.records:
                assert record.key[:12] in found.text
            for line in target.by_class:
                assert line.name in found.text
            for cell in target.worst:
                assert cell.group in found.text
    for version in detail.versions:
        assert version.model in found.text and version.document in found.text
    assert detail.yaml.strip() in found.text
    assert detail.paper in found.links


def test_every_verdict_and_its_uncertainty_is_shown() -> None:
    text = page(made.detail(BOARD, "net-00003"))
    gain = next(r.results["two-step"].gain for r in BOARD.rows if r.submission == "net-00003")
    assert gain is not None
    assert f'verdict-{gain.verdict}">{gain.verdict}' in text
    assert "to" in text and "95 % interval" in text


def test_the_gain_over_longer_training_has_a_column_where_there_is_one() -> None:
    for name, number in (("tf-efficientnet-lite0", 1), ("net-00003", 0)):
        [*_, row] = [row for row in BOARD.rows if row.submission == name and row.target == "bioimlab-q"]
        gain = row.results["two-step"].gain
        text = page(made.detail(BOARD, name))
        assert gain and ("Over longer training, points" in text) == (gain.over_long is not None) == bool(number)
        if gain.over_long:
            longer = gain.over_long
            assert f"<strong>{points(longer.value, True)}</strong><small>{points(longer.low, True)} to" in text
            assert f'<small class="verdict-{longer.verdict}">{longer.verdict}</small>' in text


def test_failures_are_said_and_counted() -> None:
    assert "failed: nan ×1, time-out ×1" in page(made.detail(BOARD, "net-00003"))


def test_a_withdrawn_submission_says_when_and_why_before_anything_else() -> None:
    text = page(made.detail(BOARD, "net-00003", withdrawn=True))
    assert text.index("Withdrawn") < text.index("<h1>")
    assert "Wrong weights &lt;script&gt;" in text
    assert "Withdrawn" not in page(made.detail(BOARD, "net-00003"))


def test_texts_of_a_submission_stay_texts() -> None:
    hostile = made.SCRIPT
    detail = made.detail(BOARD, "net-00001", withdrawn=True)
    track = detail.tracks[0]
    target = track.targets[0]
    record = target.records[0].model_copy(
        update={"device": hostile, "failure": hostile, "macro_f1": None, "harness": hostile, "packages": {hostile: hostile},
                "sandbox": hostile, "chain": (hostile,), "key": hostile, "hash": hostile, "curve": hostile}
    )  # fmt: skip
    cell = target.worst[0].model_copy(update={"group": hostile, "confusions": (hostile,)})
    target = target.model_copy(update={"records": (record,), "worst": (cell,)})
    detail = detail.model_copy(update={
        "tracks": (track.model_copy(update={"targets": (target,)}),), "yaml": hostile, "family": hostile, "license": hostile, "paper": hostile,
    })  # fmt: skip
    text = page(detail)
    found = read(text)
    assert hostile not in text
    assert "img" not in found.tags
    assert all("src" in one or one.get("type") == "application/json" for one in found.scripts)


@pytest.mark.parametrize(
    "paper", ["javascript:alert(1)", "data:text/html,x", "ftp://a.org", "//a.org", "", "http://[x"]
)
def test_a_paper_that_is_not_of_the_web_is_no_link(paper: str) -> None:
    found = read(page(made.detail(BOARD, "net-00002").model_copy(update={"paper": paper})))
    assert paper not in found.links or not paper
    assert all(re.match(r"#|\.\./|https?://", link) for link in found.links)


def test_the_data_of_the_charts_cannot_end_its_element() -> None:
    detail = made.detail(BOARD, "net-00002")
    data = page(detail).split('<script type="application/json" id="data">', 1)[1].split("</script>", 1)[0]
    assert "<" not in data
    found = json.loads(data)
    target = detail.tracks[0].targets[0]
    held = found["targets"][f"pocket-{target.row.target}"]
    assert held["confusion"]["two-step"] == [[*line] for line in target.confusion["two-step"]]
    assert len(held["curves"]) == len(target.curves)


def test_commands_name_the_track_the_protocols_and_one_record_a_target() -> None:
    detail = made.detail(BOARD, "net-00003")
    info = BOARD.tracks[0].model_copy(update={"label": "pocket-abcd1234"})
    found = commands("net-00003", info, detail.tracks[0].targets)
    assert found["run"] == "karyobench run net-00003 --track pocket -p scratch -p imagenet -p two-step -p imagenet-long"
    assert found["reproduce"].startswith("karyobench reproduce ")
    assert len(found["reproduce"].split()[2:]) == 2


def test_the_command_of_the_three_protocols_is_short() -> None:
    detail = made.detail(BOARD, "net-00001")
    assert set(detail.tracks[0].targets[0].row.results) == {"scratch", "imagenet", "two-step"}
    assert (
        commands("net-00001", BOARD.tracks[0], detail.tracks[0].targets)["run"]
        == "karyobench run net-00001 --track pocket"
    )


def test_a_track_that_does_not_ship_is_a_file_and_its_extra_folds_are_named() -> None:
    """As the track of 32 pixels: it asks for fold 0, and some submissions have all five."""
    detail = made.detail(BOARD, "net-00001")
    targets = detail.tracks[0].targets
    changes = {"name": "size-32", "document": {"folds": [0], "repeats": 1}}
    info = BOARD.tracks[0].model_copy(update=changes)
    command = "karyobench run net-00001 --track size-32.yaml"
    assert commands("net-00001", info, targets)["run"] == f"{command} -f 0 -f 1 -f 2 -f 3 -f 4"
    enough = info.model_copy(update={"document": {"folds": [0, 1, 2, 3, 4], "repeats": 1}})
    assert commands("net-00001", enough, targets)["run"] == command
    twice = [targets[0].records[0].model_copy(update={"repeat": 1}), *targets[0].records[1:]]
    more = [targets[0].model_copy(update={"records": tuple(twice)}), *targets[1:]]
    assert commands("net-00001", enough, more)["run"] == f"{command} -r 0 -r 1"
    whole = BOARD.model_copy(update={"tracks": (info, *BOARD.tracks[1:])})
    assert "<code>size-32.yaml</code> does not come with the suite" in page(detail, whole)
    assert "does not come with the suite" not in page(detail)


def test_commands_are_those_of_the_command_line() -> None:
    from typer.testing import CliRunner

    from benchmark.cli.main import app

    help_of = {name: CliRunner().invoke(app, [name, "--help"]).output for name in ("run", "reproduce")}
    assert "--track" in help_of["run"] and "-p" in help_of["run"]
    assert "RECORD" in help_of["reproduce"]


def test_the_commonest_mistakes_come_first() -> None:
    target = made.detail(BOARD, "net-00002").tracks[0].targets[0]
    matrix = [[0] * 24 for _ in range(24)]
    matrix[7][22], matrix[20][21], matrix[3][3] = 3, 5, 99
    target = target.model_copy(
        update={"confusion": {"scratch": tuple(map(tuple, matrix)), "two-step": tuple(map(tuple, matrix))}}
    )
    assert mistakes(BOARD.classes, target) == ("two-step", "21 read as 22 (5), 8 read as X (3)")


def test_a_target_without_any_score_has_a_page() -> None:
    detail = made.detail(BOARD, "net-00002")
    track = detail.tracks[0]
    bare = track.targets[0].model_copy(
        update={"confusion": {}, "by_class": (), "worst": (), "curves": (), "records": ()}
    )
    text = page(detail.model_copy(update={"tracks": (track.model_copy(update={"targets": (bare,)}),)}))
    assert "All 0 records" in text and "No class has been scored." in text


@pytest.mark.slow
def test_ten_thousand_pages_take_well_below_a_minute() -> None:
    board = made.board(40, simulated=False)
    details = [made.detail(board, name) for name in {row.submission for row in board.rows}]
    list(files(board, details[0]))
    best = 9.0
    for _ in range(5):
        started = time.process_time()
        pages = sum(len(list(files(board, detail))) for detail in details)
        best = min(best, (time.process_time() - started) / pages)
    assert best * 10_000 < 40  # seconds; half of it on a processor that does nothing else
