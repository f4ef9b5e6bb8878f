"""What travels in the wheel: an install that is not editable works from any directory."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_carries_cards_manifests_tracks_templates_and_submissions(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert not [name for name in names if name.lower().endswith((".bmp", ".tif", ".tiff", ".png"))]
    code = (
        "import benchmark, json\n"
        "from benchmark import resources, track, submission\n"
        "from benchmark.data import card, manifest\n"
        "from benchmark.board.pages.frame import TEMPLATES\n"
        "assert (TEMPLATES / 'index.html').is_file()\n"
        "sizes = {n: len(m.entries) if (m := manifest.shipped(n, card.load(n).group)) else 0 for n in card.names()}\n"
        "print(json.dumps([benchmark.__file__, track.names(), sizes, len(submission.names())]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in done.stdout, "the copy from the wheel must be the one that is asked"
    assert '["paper", "pocket", "smoke"]' in done.stdout
    assert '{"bioimlab-q": 5474, "cir-g": 2806, "cir-g-origin": 0, "sim-g": 920, "sim-q": 920}, 14]' in done.stdout


def test_no_image_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    images = [name for name in listed.stdout.splitlines() if name.lower().endswith((".bmp", ".tif", ".tiff"))]
    assert images == []


def test_modules_are_short() -> None:
    long = {
        path.name: n for path in (ROOT / "benchmark").rglob("*.py") if (n := len(path.read_text().splitlines())) > 300
    }
    assert long == {}
