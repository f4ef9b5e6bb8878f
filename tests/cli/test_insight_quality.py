import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli.insight import app
from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.insight.quality import report as reports
from benchmark.insight.quality import validation
from benchmark.insight.quality.schema import Quality
from benchmark.ledger import Ledger
from benchmark.track import Track


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few images of one simulated cell a stain, and a few planted: the figures are not what is tested here."""
    whole = validation.simulated
    monkeypatch.setattr(validation, "simulated", lambda cells, part: fewer(whole(1, part)))
    monkeypatch.setattr(
        validation, "drawn", lambda found, seed, n=validation.PLANTED, real=validation.drawn: real(found, seed, 6)
    )
    monkeypatch.setattr(reports, "RESAMPLES", 50)


def fewer(sample: validation.Sample) -> validation.Sample:
    keep = range(0, len(sample.crops), 18)
    crops = [sample.crops[i] for i in keep]
    return validation.Sample(crops, *(column[list(keep)] for column in sample[1:4]), None)


def invoke(*options: str) -> Any:
    return CliRunner().invoke(app, ["quality", "--track", "smoke", *options], catch_exceptions=False)


def test_the_report_is_written_says_that_no_score_is_there_and_repeats(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = invoke("sim-q", "-w", str(workspace), "-o", str(out))
    assert result.exit_code == 0, result.output
    data = json.loads((out / "quality.json").read_text())
    report = Quality.model_validate(data)
    [dataset] = report.datasets
    assert dataset.manifest == Store(workspace).open("sim-q").manifest.digest and dataset.images == 240
    assert all(len(ids) == dataset.flagged[flag] for flag, ids in dataset.ids.items())
    assert dataset.flagged["any"] >= dataset.flagged["crop"] >= dataset.flagged["cut"]
    assert [one.images for one in report.validation] == ["simulated", "sim-q"] and report.effects == ()
    assert "holds no prediction of the track smoke: run `karyobench run` first" in (report.without_effect or "")
    text = (out / "quality.md").read_text()
    assert text.strip() in result.stdout and "holds no prediction" in text
    svg, png = ((out / f"quality.{kind}").read_bytes() for kind in ("svg", "png"))
    assert svg.startswith(b"<svg") and png.startswith(b"\x89PNG") and b"<image" not in svg
    assert (workspace / "insight" / "quality-sim-q.png").is_file() and not (out / "quality-sim-q.png").exists()
    again = invoke("sim-q", "-w", str(workspace), "--json")
    assert json.loads(again.stdout) == data
    assert (workspace / "insight" / "quality.svg").read_bytes() == svg


def test_what_the_ledger_holds_is_scored_with_and_without(
    scored_ledger: Ledger, workspace: Path, tiny_track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reports.flag

    def first_cell_is_bad(measured: Any, thresholds: dict[str, float]) -> reports.Flagged:
        found = real(measured, thresholds)
        bad = measured.manifest.cells == "c0"
        return found._replace(flags={**found.flags, "any": bad, "crop": bad})

    monkeypatch.setattr(reports, "flag", first_cell_is_bad)
    report, _ = reports.assess(workspace, tiny_track, ["sim-q"], 0, _bar, 50)
    assert report.without_effect is None and [e.flags for e in report.effects] == ["any", "crop"]
    one = report.effects[0]
    found = Store(workspace).open("sim-q").manifest
    tested = sum(found.folds == fold for fold in one.folds).sum()
    assert (one.images, one.removed, one.protocol) == (tested, 24, "scratch")
    assert one.resampled == ("case" if tested // 24 >= 4 else "cell") and one.units == tested // 24
    assert one.sentence.startswith("tiny-net, scratch on sim-q: 24 of ")
    [answer] = report.answers
    assert answer.startswith("Are failures on sim-q bad crops? ") and "tiny-net, scratch" in answer


def _bar(title: str, unit: str = "images") -> Any:
    from contextlib import nullcontext

    return nullcontext(lambda done, total: None)


def test_what_is_missing_is_named(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset of the track smoke is imported; allowed: sim"):
        invoke("-w", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="not been imported; found 'cir-g'"):
        invoke("cir-g", "-w", str(workspace))
    with pytest.raises(InputError, match="no dataset of this name; found 'nothing'"):
        invoke("nothing", "-w", str(workspace))
    with pytest.raises(InputError, match="no track of this name"):
        CliRunner().invoke(app, ["quality", "--track", "none"], catch_exceptions=False)
