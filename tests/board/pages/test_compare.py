import json
from typing import Any

import pytest

from benchmark.board.pages.compare import files, submissions, tallies_file
from tests.board import made


def read(script: bytes) -> Any:
    """The data of a file that hands it to the page, as a browser reads its literal."""
    literal = script.decode().split("JSON.parse('", 1)[1].removesuffix("'));\n")
    return json.loads(literal.replace("\\'", "'").replace("\\\\", "\\"))


def counts(data: dict[str, Any], arm: dict[str, Any]) -> tuple[list[int], list[int], list[int]]:
    """What the browser makes of one arm: hits, claims, true images."""
    shared = data["truths"][arm["truth"]]
    true = [one for row in shared["of"] for one in shared["rows"][row]]
    hits = true * len(arm["repeats"])
    place = 0
    for gap in arm["misses"]:
        place += gap
        hits[place] -= 1
    claimed, place = [*hits], 0
    for gap in arm["extras"]:
        place += gap
        claimed[place] += 1
    return hits, claimed, true


def test_a_file_of_counts_holds_what_went_in() -> None:
    whole = made.tallies("net-a", 0.6, repeats=3)
    path, content = tallies_file(whole)
    assert path == "data/tallies/pocket/net-a.js"
    data = read(content)
    assert data["manifests"] == whole.manifests
    for one, arm in zip(whole.counts, data["arms"], strict=True):
        assert (arm["target"], arm["protocol"], arm["repeats"]) == (one.target, one.protocol, [*one.repeats])
        assert counts(data, arm) == ([*one.hits], [*one.claimed], [*one.true])


def test_the_protocols_of_a_target_share_its_true_images() -> None:
    data = read(tallies_file(made.tallies("net-a", 0.9))[1])
    assert len(data["arms"]) == 4
    assert len(data["truths"]) == 2


@pytest.mark.parametrize("part", ["hits", "claimed", "true"])
def test_counts_of_another_shape_are_refused_by_name(part: str) -> None:
    whole = made.tallies("net-a", 0.9)
    short = whole.counts[0].model_copy(update={part: getattr(whole.counts[0], part)[1:]})
    with pytest.raises(ValueError, match=r"net-a, imagenet on bioimlab-q: .* counts; allowed"):
        tallies_file(whole.model_copy(update={"counts": (short,)}))


def test_more_hits_than_images_are_refused() -> None:
    whole = made.tallies("net-a", 0.9)
    one = whole.counts[0]
    much = one.model_copy(update={"hits": (9, *one.hits[1:]), "claimed": (9, *one.claimed[1:])})
    with pytest.raises(ValueError, match="more hits than true or claimed images"):
        tallies_file(whole.model_copy(update={"counts": (much,)}))


def test_the_pickers_offer_what_has_a_score_and_nothing_else() -> None:
    board = made.board(12)
    found = submissions(board)
    offered = {
        (name, track, target, protocol)
        for name, place in zip(found["names"], found["has"], strict=True)
        for track, targets in found["sets"][place].items()
        for target, protocols in targets.items()
        for protocol in protocols
    }
    scored = {
        (row.submission, row.track, row.target, protocol)
        for row in board.rows
        for protocol, result in row.results.items()
        if result.macro_f1
    }
    assert offered == scored
    assert any(not result.macro_f1 for row in board.rows for result in row.results.values())


@pytest.mark.slow
def test_ten_thousand_submissions_share_a_few_sets() -> None:
    board = made.board(10_000, simulated=False)
    written = dict(files(board))
    assert len(submissions(board)["sets"]) < 20
    assert len(written["data/submissions.js"]) < 1_000_000


def test_a_title_that_is_a_script_cannot_leave_the_data() -> None:
    script = dict(files(made.board(3)))["data/submissions.js"]
    assert b"<script" not in script
    assert made.SCRIPT in read(script)["titles"]


def test_the_page_loads_the_list_before_the_code_that_reads_it() -> None:
    page = dict(files(made.board(3)))["compare.html"].decode()
    names = ["data/submissions.js", "assets/compare.js"]
    assert [page.index(name) for name in names] == sorted(page.index(name) for name in names)
