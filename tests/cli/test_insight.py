import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmark.cli.insight import app
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.insight.schema import Similarity


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images of smooth noise in six folders."""
    for number in range(12):
        path = tmp_path / "photos" / f"kind{number % 6}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((90, 80), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "photos"


def invoke(*options: str) -> Any:
    return CliRunner().invoke(app, ["similarity", "--track", "smoke", *options], catch_exceptions=False)


def test_the_report_is_written_says_what_it_is_and_repeats(workspace: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = invoke("-w", str(workspace), "--reference", str(photos), "-o", str(out))
    assert result.exit_code == 0, result.output
    data = json.loads((out / "similarity.json").read_text())
    report = Similarity.model_validate(data)
    assert sorted((d.name, d.kind, d.simulated, d.groups) for d in report.domains) == [
        ("natural", "natural", False, 6), ("sim-g", "G", True, 10), ("sim-q", "Q", True, 10),
    ]  # fmt: skip
    assert len(report.distances) == 6 * 3 and len(report.claims) == 6 and len(report.floors) == 6 * 3
    assert report.reference.source == "12 images of the folder photos" and not report.reference.default
    assert report.domains[0].origin == Store(workspace).open(report.domains[0].name).manifest.digest
    assert report.alignment[0].classes == 24 and report.network.features == 1280
    assert report.versions["torch"] and report.settings.seed == 0
    text = (out / "similarity.md").read_text()
    assert text.strip() in result.stdout and "12 images of the folder photos" in text and "(simulated)" in text
    assert "holds 0 of the at least 4 pairs" in text and "resamples of whole groups" in text
    svg, png = ((out / f"similarity.{kind}").read_bytes() for kind in ("svg", "png"))
    assert svg.startswith(b"<svg") and png.startswith(b"\x89PNG") and b"mathdefault" not in svg and b"sim-q" in svg
    again = invoke("-w", str(workspace), "--reference", str(photos), "--json")
    assert json.loads(again.stdout) == data, "and again in the workspace's own folder"
    assert (workspace / "insight" / "similarity.svg").read_bytes() == svg


def test_one_stain_has_distances_and_a_reason_for_no_claim(workspace: Path, photos: Path) -> None:
    data = json.loads(invoke("sim-q", "-w", str(workspace), "--reference", str(photos), "--json").stdout)
    assert len(data["distances"]) == 6 and data["claims"] == [] and data["alignment"] == []
    assert "only sim-q was compared" in data["unclaimed"]


def test_what_is_missing_is_named(workspace: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset of the track smoke is imported; allowed: sim"):
        invoke("-w", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="not been imported; found 'cir-g'"):
        invoke("cir-g", "-w", str(workspace))
    with pytest.raises(InputError, match="no dataset of this name; found 'nothing'"):
        invoke("nothing", "-w", str(workspace))
    with pytest.raises(InputError, match="no such folder of images"):
        invoke("-w", str(workspace), "--reference", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no image"):
        invoke("-w", str(workspace), "--reference", str(tmp_path / "workspace" / "datasets"))
    with pytest.raises(InputError, match="no track of this name"):
        CliRunner().invoke(app, ["similarity", "--track", "none"], catch_exceptions=False)


def test_too_few_groups_are_named(workspace: Path) -> None:
    store = Store(workspace)
    found = store.open("sim-q")
    entries = [entry for entry in found.manifest.entries if entry.image < "c3"]
    pixels = {e.image: found.pixels(p) for p, e in enumerate(found.manifest.entries)}
    store.write(cards.load("sim-q"), manifests.build(entries, found.card.group), pixels)
    with pytest.raises(InputError, match="sim-q: too few groups to resample; found 3; allowed: 4 or more"):
        invoke("sim-q", "-w", str(workspace))
