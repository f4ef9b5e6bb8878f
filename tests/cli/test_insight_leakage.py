"""From `data resplit` over trainings to `insight leakage` and a kept report, with the commands."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark import track as tracks
from benchmark.campaign import Campaign
from benchmark.cli.main import app
from benchmark.errors import InputError
from benchmark.insight import kept
from benchmark.insight.leakage.schema import Leakage
from benchmark.ledger import Ledger
from benchmark.submission import Submission
from benchmark.track import Track


def call(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def trained(
    workspace: Path, tiny_track: Track, tiny_submission: Submission, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Both splits of `sim-q`, five folds twice, by the nearest mean image."""
    call("data", "resplit", "sim-q", "sim-q-random", "-w", str(workspace))
    load = tracks.load
    monkeypatch.setattr(tracks, "load", lambda name: tiny_track if name == "tiny" else load(name))
    campaign = Campaign(workspace, tiny_track, [tiny_submission])
    plan = campaign.plan(["scratch"], ["sim-q", "sim-q-random"], range(5), range(2))
    campaign.run(campaign.todo(plan), lambda unit, line: None, sandbox=nearest)
    return workspace


def leakage(workspace: Path, *options: str) -> str:
    return call("insight", "leakage", "sim-q", "sim-q-random", "--track", "tiny", "-w", str(workspace), *options)


def test_from_images_to_a_kept_report(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = leakage(trained, "-o", str(out))
    data = json.loads((out / "leakage-sim-q-random.json").read_text())
    report = Leakage.model_validate(data)
    [trial] = report.trials
    assert (report.images, report.groups, report.careful.by, report.careless.by) == (240, 10, "case", "image")
    assert (
        report.simulated
        and report.careless.exposed == 1.0
        and trial.careful.trainings == trial.careless.trainings == 10
    )
    assert trial.sentence in said and (out / "leakage-sim-q-random.md").read_text().strip() in said
    assert (out / "leakage-sim-q-random.svg").read_bytes().startswith(b"<svg")
    assert (out / "leakage-sim-q-random.png").read_bytes()[:4] == b"\x89PNG"
    assert not any(word in json.dumps(data) for word in ("c0-00", "pixels.bin")), "no image is named"
    call("insight", "keep", str(out / "leakage-sim-q-random.json"), "-w", str(trained))
    assert [one.kind for one in kept.reports(Ledger(trained / "ledger"))] == ["leakage"]
    assert json.loads(leakage(trained, "--json")) == data, "the same seed and ledger give the same report"


@pytest.mark.parametrize(("options", "message"), [
    (["-p", "imagenet"], "no scored training of this protocol on sim-q or sim-q-random; found 'imagenet'; allowed: scratch"),
    (["-s", "nobody"], "no scored training of this submission on sim-q or sim-q-random; found 'nobody'"),
    (["--new-track", "pocket"], "no scored training on this dataset by the track pocket; found 'sim-q-random'; allowed: none"),
    (["--new-track", "paperback"], "no track of this name; found 'paperback'"),
])  # fmt: skip
def test_what_cannot_be_compared_is_one_clear_error(trained: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        leakage(trained, *options)
    assert not (trained / "insight").exists()


def test_without_trainings_on_the_new_one_it_says_which_command_makes_them(
    workspace: Path, tiny_track: Track, tiny_submission: Submission, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracks, "load", lambda name: tiny_track)
    campaign: Any = Campaign(workspace, tiny_track, [tiny_submission])
    campaign.run(
        campaign.todo(campaign.plan(["scratch"], ["sim-q"], range(5))), lambda unit, line: None, sandbox=nearest
    )
    with pytest.raises(
        InputError, match=r"found 'sim-q-random'; allowed: sim-q\. Run: karyobench run .* --target sim-q-random"
    ):
        leakage(workspace)
