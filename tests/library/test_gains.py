"""The figures are those of `karyobench compare`, of made-up ledgers and of the published one."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark import Comparison, InputError, columns, compare, gain, predictions
from benchmark.cli.main import app
from benchmark.data import manifest as manifests
from benchmark.data.manifest import CLASSES, Entry

PUBLISHED = Path(__file__).parents[2] / "leaderboard"


def printed(workspace: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["compare", "-w", str(workspace), "--json", *options], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def same(found: Comparison, wanted: dict[str, Any]) -> None:
    """Every figure that the library gives is that of the command."""
    entries = {(row["submission"], row["track"], row["target"], name): (row, entry)
               for row in wanted["rows"] for name, entry in row["protocols"].items()}  # fmt: skip
    scores = {(s.submission, s.track, s.target, s.protocol): s for s in found.scores}
    gains = {(g.submission, g.track, g.target, g.protocol): g for g in found.gains}
    assert set(scores) == set(entries) and set(gains) == {key for key, (_, entry) in entries.items() if "gain" in entry}
    for key, (row, entry) in entries.items():
        score = scores[key]
        assert {"value": score.value, "low": score.low, "high": score.high} == entry["macro_f1"]
        assert (score.trainings, list(score.failed)) == (entry["trainings"], entry["failed"])
        assert (score.withdrawn, score.simulated, score.pinned) == (row["withdrawn"], row["simulated"], row["pinned"])
    for key, one in gains.items():
        wanted_gain = entries[key][1]["gain"]
        assert (one.p, one.p_alone, one.p_equivalent) == (
            wanted_gain["p_adjusted"], wanted_gain.get("p"), wanted_gain["p_equivalent_adjusted"],
        )  # fmt: skip
        for field in set(one._fields) - {
            "p",
            "p_alone",
            "p_equivalent",
            "submission",
            "version",
            "track",
            "target",
            "protocol",
        }:
            assert getattr(one, field) == wanted_gain.get(field, "" if field == "transfer" else None), field
    assert found.ranks == wanted["ranks"] and found.general == wanted["general"]


def test_the_published_figures_are_those_of_the_command() -> None:
    found = compare(PUBLISHED)
    same(found, printed(PUBLISHED))
    registered = [one for one in found.gains if one.protocol == "two-step" and one.track == "pocket"]
    assert {(one.target, one.verdict) for one in registered} == {("bioimlab-q", "better"), ("cir-g", "better")}
    for one in registered:
        assert gain(one.submission, one.target, track="pocket", workspace=PUBLISHED) == one
        own = (one.submission, one.target, one.track)
        scored = {s.protocol: s.value or 0 for s in found.scores if (s.submission, s.target, s.track) == own}
        repeats = [
            [predictions(one.submission, name, one.target, repeat=k, track="pocket", workspace=PUBLISHED).macro_f1 for k in (0, 1)]
            for name in ("two-step", "imagenet")
        ]  # fmt: skip
        assert scored["two-step"] - scored["imagenet"] == pytest.approx(one.value, abs=1e-12)
        assert (sum(repeats[0]) - sum(repeats[1])) / 2 == pytest.approx(one.value, abs=1e-12)


def test_made_up_figures_are_those_of_the_command_for_every_baseline(maker: Any) -> None:
    maker.fill(imagenet=0.6, two_step=0.9, scratch=0.5, imagenet_long=0.7)
    maker.fill(name="other", imagenet=0.6, two_step=0.6)
    maker.add("scratch", 0, name="other", failed=True)
    maker.add("scratch", 1, name="other")
    where = maker.ledger.folder.parent
    same(compare(where), printed(where))
    same(compare(where, over="scratch", submissions=["net"]), printed(where, "--over", "scratch", "net"))


def test_a_single_gain_is_adjusted_over_the_whole_family(maker: Any) -> None:
    for name in ("a", "b", "c"):
        maker.fill(name=name, imagenet=0.7, two_step=0.72)
    where = maker.ledger.folder.parent
    one = gain("b", "tiny", workspace=where)
    assert one == next(g for g in compare(where).gains if g.submission == "b") and one.family == 3
    table = columns([one])
    assert table["p"] == [one.p] and set(table) == set(one._fields)


def test_a_design_that_is_too_small_withholds_the_verdict_and_says_what_it_takes(maker: Any) -> None:
    for arm in ("imagenet", "two-step"):
        maker.add(arm, 0)
    found = gain("net", "tiny", workspace=maker.ledger.folder.parent)
    assert (found.verdict, found.p, found.p_alone, found.smallest) == ("withheld", 1.0, None, None)
    assert found.needs.startswith("6 trainings or more (found 1") and found.interval == "groups"


def test_no_interval_is_none_and_no_number_that_compares(maker: Any) -> None:
    entries = [
        Entry(f"c{cell}-{number:02d}", label, f"c{cell}", "", 4, 4, "0" * 64, 0, -1)
        for cell in range(3)
        for number, label in enumerate(CLASSES)
    ]
    maker.manifest = manifests.build(entries, "cell")
    for arm in ("imagenet", "two-step"):
        maker.add(arm, 0)
    found = compare(maker.ledger.folder.parent)
    assert [(g.low, g.high, g.interval) for g in found.gains] == [(None, None, "none")]
    assert all(s.low is None and s.value is not None for s in found.scores)


def test_a_gain_on_one_group_is_refused(maker: Any) -> None:
    entries = [Entry(f"c{number:02d}", label, "c", "", 4, 4, "0" * 64, 0, -1) for number, label in enumerate(CLASSES)]
    maker.manifest = manifests.build(entries, "cell")
    for arm in ("imagenet", "two-step"):
        maker.add(arm, 0)
    where = maker.ledger.folder.parent
    with pytest.raises(InputError, match="a gain of two-step over imagenet cannot be estimated") as error:
        gain("net", "tiny", workspace=where)
    assert compare(where).refused == [str(error.value)] and compare(where).gains == []


@pytest.mark.parametrize(
    ("chosen", "options", "message"),
    [
        (("nat", "tiny"), {}, "no record of this submission; found 'nat'"),
        (("net", "tall"), {}, "no record on this target; found 'tall'; allowed: tiny"),
        (("net", "tiny", "scratch"), {}, "no gain of net over imagenet on tiny; found 'scratch'; allowed: two-step"),
        (("net", "tiny"), {"over": "imagnet"}, "no such protocol; found 'imagnet'"),
        (("net", "tiny"), {"over": "scratch"}, "found 'two-step'; allowed: none: no full repeat is shared"),
        (("net", "tiny"), {"track": "u"}, "no record of this submission; found 'net'; allowed: none"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(maker: Any, chosen: Any, options: Any, message: str) -> None:
    maker.fill(imagenet=0.6, two_step=0.9)
    with pytest.raises(InputError, match=message):
        gain(*chosen, workspace=maker.ledger.folder.parent, **options)


def test_an_empty_ledger_has_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no record to compare"):
        compare(tmp_path)
