import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmark.cli.data import app
from benchmark.data.manifest import CLASSES
from benchmark.data.store import Store
from benchmark.errors import InputError, IntegrityError


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_list_names_the_datasets_and_what_is_imported(workspace: Path) -> None:
    text = invoke("list", "-w", str(workspace))
    assert all(name in text for name in ("bioimlab-q", "cir-g", "cir-g-origin", "sim-q", "sim-g"))
    rows = json.loads(invoke("list", "-w", str(workspace), "--json"))
    assert {row["name"]: row["imported"] for row in rows}["sim-q"] and not {
        row["name"]: row["imported"] for row in rows
    }["cir-g"]


def test_fetch_shows_the_terms_and_asks_for_their_acceptance(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="accept-terms"):
        CliRunner().invoke(app, ["fetch", "cir-g", "-w", str(tmp_path)], catch_exceptions=False)


def test_verify_names_an_altered_image(workspace: Path) -> None:
    assert "all as in the manifest" in invoke("verify", "sim-q", "-w", str(workspace))
    path = workspace / "datasets" / "sim-q" / "pixels.bin"
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="1 altered: c0-00"):
        CliRunner().invoke(app, ["verify", "sim-q", "-w", str(workspace)], catch_exceptions=False)


def test_show_writes_pictures(workspace: Path, tmp_path: Path) -> None:
    for name, options in (("sheet.png", []), ("seen.png", ["--size", "48"]), ("cell.png", ["--cell", "c3"])):
        invoke("show", "sim-g", "-w", str(workspace), "-o", str(tmp_path / name), *options)
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG" and min(picture.size) > 100
            assert np.asarray(picture.convert("L")).std() > 5


def test_a_dataset_that_is_not_imported_says_how(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="karyobench data import sim-q"):
        CliRunner().invoke(app, ["verify", "sim-q", "-w", str(tmp_path)], catch_exceptions=False)


@pytest.mark.realdata
@pytest.mark.slow
def test_the_real_archives_import_whole(archives: Path, tmp_path: Path) -> None:
    for name, archive, images in (("bioimlab-q", "bioimlab_qband.zip", 5474), ("cir-g", "cir_gband.zip", 2806)):
        text = invoke("import", name, str(archives / archive), "-w", str(tmp_path))
        assert f"{images} images" in text
        dataset = Store(tmp_path).open(name)
        assert list(dataset.altered()) == [] and set(dataset.manifest.labels) == set(range(len(CLASSES)))
    text = invoke("audit", "bioimlab-q", "cir-g", "-w", str(tmp_path))
    assert "bioimlab-q" in text and "cir-g" in text
