"""Right files: the same figures from every kind of file, as the sealed scoring has them, beside a submission, kept and withdrawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from benchmark.board.policy.published import Published
from benchmark.board.policy.rules import check
from benchmark.board.publish import frozen, results_job
from benchmark.board.publishing import place
from benchmark.cli.main import app
from benchmark.data.manifest import CLASSES, Manifest
from benchmark.elsewhere.against import compare
from benchmark.elsewhere.figures import compute, counts
from benchmark.elsewhere.given import read
from benchmark.elsewhere.matching import match
from benchmark.elsewhere.store import Store
from benchmark.errors import InputError, IntegrityError
from benchmark.ledger import Ledger
from benchmark.results import Results
from benchmark.scoring import score
from benchmark.stats.pseudo import macro
from tests.board import ledgers
from tests.elsewhere.conftest import predictions, write_csv

TOLD = {
    "--name": "big-net",
    "--who": "Somebody",
    "--how": "A network.",
    "--training-data": "Ours.",
    "--split": "By person.",
}


def ask(workspace: Path, path: Path, *more: str) -> Any:
    return CliRunner().invoke(
        app, ["score", "--predictions", str(path), "-d", "sim-q", "-t", "smoke", "-w", str(workspace), *more], catch_exceptions=False
    )  # fmt: skip


def keep(workspace: Path, path: Path, **changed: str) -> Any:
    told = TOLD | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return ask(workspace, path, "--keep", *(part for option in told.items() for part in option))


def test_every_kind_of_file_gives_the_same_figures(workspace: Path, manifest: Manifest, tmp_path: Path) -> None:
    rows = predictions(manifest)
    order = [*CLASSES[::-1]]
    flipped = [[*row[:0:-1], row[0]] for row in rows][::-1]
    values, images = np.array([row[1:] for row in rows]), [row[0] for row in rows]
    pq.write_table(
        pa.table({name: [row[k] for row in rows] for k, name in enumerate(("image", *CLASSES))}), tmp_path / "a.parquet"
    )
    np.savez(tmp_path / "a.npz", image=np.array(images), classes=np.array(CLASSES), probabilities=values)
    np.savez(tmp_path / "b.npz", image=np.array(images), classes=np.array(CLASSES), logits=np.log(values.clip(1e-7)))
    paths = [
        write_csv(tmp_path / "a.csv", rows), write_csv(tmp_path / "b.csv", flipped, (*order, "image")), tmp_path / "a.parquet", tmp_path / "a.npz",
    ]  # fmt: skip
    said = [json.loads(ask(workspace, path, "--json").output) for path in (*paths, tmp_path / "b.npz")]
    assert said[0] == said[1] == said[2] == said[3]
    assert said[4] | {"form": "probabilities"} == said[0]
    assert (
        said[0]["folds"] == [0]
        and said[0]["images"] == 48
        and said[0]["self_run"].startswith("self-run: labels were in reach")
    )


def test_figures_are_those_of_scikit_learn_and_of_sealed_scoring(manifest: Manifest, mine: Callable[..., Path]) -> None:
    matched = match(read(mine()), manifest, "sim-q", (0,), None, Path("x"))
    found, sealed = compute(matched.stored, manifest, (0,)), score(matched.stored, manifest, 0)
    truth = manifest.labels[manifest.part(0, "test")]
    assert found.macro_f1.value == pytest.approx(f1_score(truth, matched.stored.argmax(1), average="macro"))
    assert found.macro_f1.low < found.macro_f1.value or np.isnan(found.macro_f1.low)
    assert (found.accuracy, found.top2, found.ece) == (sealed["accuracy"], sealed["top2"], sealed["ece"])
    assert {one.name: one.f1 for one in found.classes} == pytest.approx(sealed["f1"])
    wrong = np.array(sealed["confusion"])
    assert all(wrong[CLASSES.index(one.true), CLASSES.index(one.said)] == one.times for one in found.confusions)
    assert sum(one.times for one in found.confusions) <= wrong.sum() - np.trace(wrong)


def test_all_folds_have_an_interval_that_holds_the_score(manifest: Manifest, mine: Callable[..., Path]) -> None:
    folds = (0, 1, 2, 3, 4)
    matched = match(read(mine(folds=folds)), manifest, "sim-q", folds, None, Path("x"))
    found = compute(matched.stored, manifest, folds)
    assert (found.images, found.groups) == (240, 10)
    assert found.macro_f1.low < found.macro_f1.value < found.macro_f1.high
    assert all(one.low <= one.f1 <= one.high for one in found.classes)


def test_logits_are_logits_when_they_are_called_so(manifest: Manifest, mine: Callable[..., Path]) -> None:
    halved = mine(lambda rows: [[row[0], *(one / 2 for one in row[1:])] for row in rows])
    with pytest.raises(InputError, match="say so: --values logits"):
        match(read(halved), manifest, "sim-q", (0,), None, Path("x"))
    assert match(read(halved), manifest, "sim-q", (0,), "logits", Path("x")).form == "logits"


def test_against_a_submission_the_same_predictions_differ_by_nothing(scored_ledger: Ledger, manifest: Manifest) -> None:
    [record] = [one for one in scored_ledger.records() if one["dataset"]["name"] == "sim-q" and one["fold"] == 0]
    stored = scored_ledger.predictions(record)
    name = record["track"]["name"]
    [found] = compare(scored_ledger, "tiny-net", name, "sim-q", manifest, (0,), stored)
    assert (found.protocol, found.repeats, found.difference.value) == ("scratch", 1, 0.0)
    worse = np.roll(stored, 1, axis=1)
    [found] = compare(scored_ledger, "tiny-net", name, "sim-q", manifest, (0,), worse)
    assert (
        found.difference.value == pytest.approx(macro(counts(worse, manifest, (0,)))[0] - found.score)
        and found.difference.value < 0
    )
    assert found.score == pytest.approx(
        Results(scored_ledger).score(next(iter(Results(scored_ledger).trials.values()))["scratch"]).value
    )
    with pytest.raises(
        InputError, match=r"--against: was not tested on all of these folds; found 'folds 0'; allowed: folds 0, 1"
    ):
        compare(scored_ledger, "tiny-net", name, "sim-q", manifest, (0, 1), np.concatenate([stored, stored]))
    with pytest.raises(InputError, match="found 'nobody'; allowed: tiny-net"):
        compare(scored_ledger, "nobody", name, "sim-q", manifest, (0,), stored)


def test_a_kept_score_says_what_it_was_told_and_is_computed_again(workspace: Path, mine: Callable[..., Path]) -> None:
    done = keep(workspace, mine(), link="https://example.org/x")
    assert "kept as big-net" in done.output and "self-run" in done.output
    store = Store(Ledger(workspace / "ledger"))
    [entry] = store.entries()
    assert (entry.score.told.who, entry.score.told.link, entry.replaced) == ("Somebody", "https://example.org/x", False)
    assert list(store.problems()) == [] and store.figures(entry.score).scores == entry.score.scores
    assert not (workspace / "ledger" / "records.jsonl").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"link": "javascript:alert(1)"}, "what is said of the score: link: string should match pattern"),
        ({"link": "ftp://example.org"}, "link: string should match pattern"),
        ({"link": "https:///x"}, "link: must be an address with a host, http or https"),
        ({"who": "x" * 201}, "who: string should have at most 200 characters"),
        ({"how": "x" * 1001}, "how: string should have at most 1000 characters"),
        ({"how": "two\nlines"}, "how: must be one line of text that can be printed"),
        ({"who": "a\u202eb"}, "who: must be one line of text that can be printed"),
        ({"split": "  "}, "split: must be one line of text that can be printed"),
        ({"name": "Big Net"}, "name: string should match pattern"),
        ({"name": "tiny-net"}, "--name: is the name of a submission of this ledger"),
    ],
)
def test_what_may_not_be_said_keeps_nothing(
    scored_ledger: Ledger, workspace: Path, mine: Callable[..., Path], changed: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        keep(workspace, mine(), **changed)
    assert message in str(caught.value)
    assert not (workspace / "ledger" / "self-run").exists()


def test_a_newer_one_replaces_and_a_withdrawal_says_why(workspace: Path, mine: Callable[..., Path]) -> None:
    keep(workspace, mine())
    keep(workspace, mine(seed=1), how="Longer.")
    store = Store(Ledger(workspace / "ledger"))
    if len({one.score.ended for one in store.entries()}) == 2:  # of one second, the hash decides
        assert [one.replaced for one in store.entries()] == [True, False]
    assert sum(one.replaced for one in store.entries()) == 1
    run = CliRunner().invoke
    done = run(app, ["ledger", "withdraw", "big-net", "--self-run", "--reason", "a leak", "-w", str(workspace)])
    assert done.output == "big-net withdrawn, 2 scores from elsewhere; what is kept of it stays readable\n"
    assert {one.withdrawal and one.withdrawal.reason for one in store.entries()} == {"a leak"}
    for name, reason, message in (
        ("big-net", "x", "is withdrawn already"),
        ("nobody", "x", "no score of this name; found 'nobody'; allowed: big-net"),
    ):
        done = run(app, ["ledger", "withdraw", name, "--self-run", "--reason", reason, "-w", str(workspace)])
        assert message in str(done.exception)
    assert list(store.problems()) == []


def altered_document(folder: Path) -> None:
    [path] = folder.glob("*.json")
    path.write_text(path.read_text().replace("Somebody", "Nobody"))


def altered_predictions(folder: Path) -> None:
    [path] = folder.glob("*.npz")
    path.write_bytes(path.read_bytes() + b"x")


def lost_predictions(folder: Path) -> None:
    next(folder.glob("*.npz")).unlink()


def stray(folder: Path) -> None:
    (folder / f"{'0' * 64}.npz").write_bytes(b"x")


def better_score(folder: Path) -> None:
    from benchmark.files import canonical, digest

    [path] = folder.glob("*.json")
    data = json.loads(path.read_text())
    data["scores"]["macro_f1"] = 1.0
    path.unlink()
    (folder / f"{digest(data)}.json").write_text(canonical(data) + "\n")


@pytest.mark.parametrize(
    ("break_", "message"),
    [
        (altered_document, "is not what its name says"), (altered_predictions, "predictions are not what their name says"),
        (lost_predictions, "predictions are missing"), (stray, "no score is of this file"), (better_score, "scores drifted from the predictions"),
    ],
)  # fmt: skip
def test_what_was_changed_is_found_by_verify_and_by_the_policy(
    scored_ledger: Ledger, workspace: Path, mine: Callable[..., Path], break_: Callable[[Path], None], message: str
) -> None:
    keep(workspace, mine())
    break_(workspace / "ledger" / "self-run")
    done = CliRunner().invoke(app, ["ledger", "verify", "-w", str(workspace)])
    assert done.exit_code == 3 and message in done.output
    [found] = check(Published(scored_ledger), "elsewhere")
    assert found.level == "error" and message in found.problem


def test_scores_are_pushed_and_pulled_and_only_grow(workspace: Path, mine: Callable[..., Path], tmp_path: Path) -> None:
    ledger = ledgers.made(workspace / "ledger", 0)
    keep(workspace, mine())
    with frozen(ledger) as state:
        job = results_job(state, place(f"dir:{tmp_path / 'there'}", "results", "TO"))
        job.place.write(job.publication, job.plan)
    pulled = ["results", "pull", str(tmp_path / "there"), "-w", str(tmp_path / "ours")]
    done = CliRunner().invoke(app, pulled)
    assert "1 record added" in done.output and "1 score from elsewhere" in done.output, done.output
    ours = Store(Ledger(tmp_path / "ours" / "ledger"))
    assert ours.entries() == Store(ledger).entries() and list(ours.problems()) == []
    assert "elsewhere" not in CliRunner().invoke(app, pulled).output
    lost_predictions(tmp_path / "there" / "ledger" / "self-run")
    before = sorted(path.name for path in ours.folder.iterdir())
    with pytest.raises(IntegrityError, match="predictions are missing"):
        ours.take(Store(Ledger(tmp_path / "there" / "ledger")))
    done = CliRunner().invoke(app, [*pulled[:-1], str(tmp_path / "new")])
    assert isinstance(done.exception, IntegrityError) and not (tmp_path / "new" / "ledger" / "records.jsonl").exists()
    assert sorted(path.name for path in ours.folder.iterdir()) == before


def test_score_without_a_file_computes_all_again(scored_ledger: Ledger, workspace: Path) -> None:
    done = CliRunner().invoke(app, ["score", "-w", str(workspace), "--json"])
    assert [one["scores"] for one in json.loads(done.output)] == [one["scores"] for one in scored_ledger.records()]
    done = CliRunner().invoke(app, ["score", "-w", str(workspace), "--keep"])
    assert str(done.exception) == "--keep: is for a file of predictions. Give the file with --predictions"
    done = CliRunner().invoke(app, ["score", "abc", "--predictions", "x.csv", "-w", str(workspace)])
    assert "KEYS: keys are of the ledger, and --predictions is a file" in str(done.exception)
