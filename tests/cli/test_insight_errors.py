import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from benchmark.cli.insight import app
from benchmark.data import card as cards
from benchmark.data.store import Store
from benchmark.errors import InputError, IntegrityError
from benchmark.insight.errors import planted
from benchmark.insight.errors.schema import Errors
from benchmark.insight.karyotype.schema import Karyotype
from tests.conftest import Maker, tiny_manifest
from tests.insight.errors.made import fill


class Done(NamedTuple):
    """A workspace in which the command has run once, its output and the folder of its files."""

    workspace: Path
    said: str
    out: Path


def prepare(folder: Path) -> Path:
    """A workspace with predictions of three protocols on `sim-g`."""
    Store(folder).write(cards.load("sim-g"), *tiny_manifest("G"))
    fill(Maker(folder / "ledger"), folder)
    return folder


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return prepare(tmp_path / "workspace")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "RATES", (0.05,))
        patch.setattr(planted, "RETRAINED", 1)
        patch.setattr(planted, "COMPONENTS", 16)
        workspace, out = prepare(tmp_path_factory.mktemp("ready") / "workspace"), tmp_path_factory.mktemp("out")
        result = errors(workspace, "-o", str(out))
        assert result.exit_code == 0, result.output
        yield Done(workspace, result.stdout, out)


def invoke(*options: str) -> Any:
    return CliRunner().invoke(app, list(options), catch_exceptions=False)


def errors(workspace: Path, *options: str) -> Any:
    return invoke("errors", "net", "--track", "smoke", "-w", str(workspace), *options)


def test_the_report_says_who_misses_what(done: Done) -> None:
    [trial] = Errors.model_validate_json((done.out / "errors.json").read_text()).trials
    assert (trial.submission, trial.target, trial.simulated, trial.images, trial.groups) == (
        "net",
        "sim-g",
        True,
        240,
        10,
    )
    kinds = {one.key: one for one in trial.kinds}
    assert sorted(kinds["all-miss"].always) == ["c0-00", "c3-05", "c5-00"] and kinds["all-miss"].images == 3
    assert kinds["only-two-step-gets"].always == ("c1-01", "c6-01") and kinds["only-two-step-loses"].always == ()
    assert trial.discordance is not None and (trial.discordance.gained, trial.discordance.lost) == (2, 0)
    suspect = next(one for one in trial.labels.suspects if one.image == "c3-05")
    assert (suspect.label, suspect.instead) == ("6", "12") and "two-step" in suspect.protocols
    assert {(one.how, one.rate) for one in trial.labels.checks} == {("as given", 0.05), ("retrained", 0.05)}
    assert {one.measure for one in trial.conditions} == {"length", "bend", "contrast", "sharpness"}
    assert set(trial.unfitted) == {"scratch", "imagenet", "two-step"}, "five errors are too few for four odds ratios"


def test_the_words_and_the_picture_say_the_same(done: Done) -> None:
    text = (done.out / "errors.md").read_text()
    assert (
        text.strip() in done.said and "(simulated)" in text and "c0-00" in text and "errors-gallery.html" in done.said
    )
    svg, png = ((done.out / f"errors.{kind}").read_bytes() for kind in ("svg", "png"))
    assert svg.startswith(b"<svg") and png.startswith(b"\x89PNG") and b"look-alikes" in svg


def test_it_repeats_and_another_seed_plants_otherwise(done: Done) -> None:
    data = json.loads((done.out / "errors.json").read_text())
    before = (done.workspace / "insight" / "errors-gallery.html").stat().st_mtime_ns
    assert json.loads(errors(done.workspace, "--json", "--no-gallery").stdout) == data
    assert (done.workspace / "insight" / "errors-gallery.html").stat().st_mtime_ns == before
    other = json.loads(errors(done.workspace, "--json", "--no-gallery", "--seed", "1").stdout)["trials"][0]
    own = data["trials"][0]
    assert own["labels"]["checks"] != other["labels"]["checks"] and own["kinds"] == other["kinds"]


def test_the_gallery_shows_image_truth_predictions_and_neighbours_and_stays_in_the_workspace(done: Done) -> None:
    assert sorted(path.name for path in done.out.iterdir()) == ["errors.json", "errors.md", "errors.png", "errors.svg"]
    page = (done.workspace / "insight" / "errors-gallery.html").read_text()
    assert "Their terms may not allow passing it on" in page and "<h2>Suspected labels</h2>" in page
    card = page[page.index("c0-00") :].split('<div class="card">')[0]
    assert card.count("✗ 2 ") == 6, "three protocols, two repeats"
    assert card.count("data:image/png;base64") == 5, "the image itself stands before its id"
    assert "http" not in page, "nothing is fetched"


def test_what_is_missing_is_named(ready: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="no record of this submission on the track smoke; found 'other'; allowed: net"
    ):
        invoke("errors", "other", "--track", "smoke", "-w", str(ready))
    with pytest.raises(
        InputError, match="no record of this submission on the track pocket; found 'net'; allowed: none"
    ):
        invoke("errors", "net", "-w", str(ready))
    with pytest.raises(InputError, match="no record of this target; found 'sim-q'; allowed: sim-g"):
        errors(ready, "--target", "sim-q")
    with pytest.raises(InputError, match="net has no predictions of this protocol on sim-g; found 'imagenet-long'"):
        errors(ready, "-p", "imagenet-long")
    with pytest.raises(InputError, match="no such protocol; found 'three-step'"):
        errors(ready, "-p", "three-step")
    with pytest.raises(InputError, match="no track of this name"):
        invoke("errors", "net", "--track", "none", "-w", str(ready))
    with pytest.raises(InputError, match="no record of this submission"):
        errors(tmp_path / "empty")
    assert not (ready / "insight").exists(), "nothing was written"


def test_a_workspace_without_the_dataset_or_with_another_version_of_it_is_named(ready: Path) -> None:
    Store(ready).write(cards.load("sim-g"), *tiny_manifest("G", cells=11))
    with pytest.raises(InputError, match="the predictions are of another version of this dataset"):
        errors(ready)
    shutil.rmtree(ready / "datasets" / "sim-g")
    with pytest.raises(InputError, match="dataset has not been imported; found 'sim-g'"):
        errors(ready)


@pytest.mark.parametrize("command", ["errors", "karyotype"])
def test_missing_predictions_are_named(ready: Path, command: str) -> None:
    gone = next((ready / "ledger" / "predictions").iterdir())
    gone.unlink()
    with pytest.raises(IntegrityError, match=f"{gone.name}: predictions are missing"):
        invoke(command, "net", "--track", "smoke", "-w", str(ready))


def test_karyotypes_are_written_and_say_what_they_are_given(ready: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = invoke("karyotype", "net", "--track", "smoke", "-w", str(ready), "-o", str(out))
    assert result.exit_code == 0, result.output
    data = json.loads((out / "karyotype.json").read_text())
    [trial] = Karyotype.model_validate(data).trials
    assert [one.protocol for one in trial.readings] == ["scratch", "imagenet", "two-step"] and trial.gain is not None
    assert trial.largest_cell == 24 and trial.readings[0].cells == 10
    text = (out / "karyotype.md").read_text()
    assert text.strip() in result.stdout and "which images make a cell" in text
    assert (out / "karyotype.svg").read_bytes().startswith(b"<svg") and (out / "karyotype.png").read_bytes()[
        :4
    ] == b"\x89PNG"
    shutil.rmtree(ready / "datasets")
    again = invoke("karyotype", "net", "--track", "smoke", "-w", str(ready), "--json")
    assert json.loads(again.stdout) == data, "no image is needed"
