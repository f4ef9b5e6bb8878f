import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmark.cli.data import app
from benchmark.data import audit as auditing
from benchmark.data import card as cards
from benchmark.data import folds
from benchmark.data.audit_report import Report, outcome
from benchmark.data.manifest import CLASSES
from benchmark.data.store import Store
from benchmark.errors import InputError

SAID = {
    "--names": "{cell}_{label}.png", "--stain": "Q", "--polarity": "light-on-dark", "--title": "Mine", "--terms": "CC-BY-4.0",
    "--cite": "me", "--address": "https://example.org/q",
}  # fmt: skip


@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "crops"
    folder.mkdir()
    for cell in range(10):
        for number, label in enumerate(CLASSES):
            values = np.zeros((40, 16), np.uint8)
            values[4:-4, 4:-4] = np.random.default_rng([cell, number]).integers(90, 250, (32, 8))
            Image.fromarray(values).save(folder / f"m{cell}_{label}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(auditing, "audit", lambda *_, **__: Report(checks=()))
    whole = folds.draw
    monkeypatch.setattr(folds, "draw", lambda manifest: whole(manifest, attempts=2))
    return folder


def call(*options: str, said: dict[str, str] | None = None, typed: str | None = None) -> Any:
    words = [word for pair in (SAID if said is None else said).items() for word in pair]
    return CliRunner().invoke(
        app, ["new", "my-q", "crops", "-w", "ws", *words, *options], input=typed, catch_exceptions=False
    )


def test_everything_said_gives_a_dataset(crops: Path) -> None:
    result = call("--cite", "her", "--overlaps", "bioimlab-q")
    assert (
        result.exit_code == 0
        and "240 images, 10 cells, unknown cases, 10 groups (by cell) in five folds" in result.output
    )
    card = cards.read(Path("datasets/my-q/card.yaml"))
    assert (card.citation, card.overlaps, card.homepage) == (("me", "her"), ("bioimlab-q",), "https://example.org/q")
    assert card.sources[0].kind == "manual" and card.terms == "CC-BY-4.0" and not card.simulated
    assert not list(Path("datasets").rglob("*.png")) and Store(Path("ws")).has("my-q")
    listed = CliRunner().invoke(app, ["list", "-w", "ws"], catch_exceptions=False).output
    assert "my-q" in listed


def test_without_a_terminal_everything_that_is_missing_is_named(crops: Path) -> None:
    with pytest.raises(
        InputError, match=r"--names, --terms: needed, and no terminal to ask on; allowed: How files are named.*Licence"
    ):
        call(said={k: v for k, v in SAID.items() if k not in ("--names", "--terms")})
    assert not Path("datasets").exists()


def test_a_terminal_asks_for_what_is_missing(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def __getattr__(self, name: str) -> Any:
            return getattr(sys.__stdin__, name)

        def isatty(self) -> bool:
            return True

    import benchmark.cli.data_new as module

    monkeypatch.setattr(module, "sys", type("Sys", (), {"stdin": Terminal()}))
    result = call(
        said={k: v for k, v in SAID.items() if k not in ("--stain", "--cite", "--address")}, typed="Q\nus\nnone\n"
    )
    assert result.exit_code == 0, result.output
    card = cards.read(Path("datasets/my-q/card.yaml"))
    assert (card.stain, card.citation, card.sources, card.homepage) == ("Q", ("us",), (), None)


def test_a_failed_audit_exits_3_and_keeps_nothing_unless_told(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Report(checks=(outcome("no copied cell across a split", ["my-q"], "1 pair", ["m1 ~ m2"]),))
    monkeypatch.setattr(auditing, "audit", lambda *_, **__: bad)
    result = call()
    assert result.exit_code == 3 and "m1 ~ m2" in result.output and "nothing was kept" in result.output
    assert not Path("datasets").exists() and not Store(Path("ws")).has("my-q")
    assert call("--despite-audit").exit_code == 0 and Store(Path("ws")).has("my-q")


@pytest.mark.parametrize(("options", "message"), [
    (["--stain", "C"], "data new: stain: input should be 'Q' or 'G'; found 'C'"),
    (["--polarity", "dark"], "data new: polarity: input should be 'light-on-dark' or 'dark-on-light'; found 'dark'"),
    (["--address", "ftp://x"], "data new: homepage: "),
    (["--colour", "red"], "data new: reading.colour: input should be 'refuse' or 'luminance'; found 'red'"),
    (["--white", "12"], "data new: reading.white: input should be greater than or equal to 256; found 12"),
    (["--transparent", "grey"], "reading.transparent: input should be 'refuse', 'black' or 'white'"),
    (["--label", "A1"], "--label: not a class written otherwise, or twice; found 'A1'; allowed: WRITTEN=CLASS"),
    (["--label", "A1=1", "--label", "A1=2"], "found 'A1=2'"),
    (["--label", "A1=30"], "label A1: no such class; found '30'"),
    (["--labels", "roman"], "labels: no such way to write classes; found 'roman'"),
    (["--overlaps", "nobody"], "no dataset of this name; found 'nobody'"),
    (["--names", "{cell}.png"], "names: names must hold the label"),
])  # fmt: skip
def test_wrong_options_are_named(crops: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        call(*options)
    assert message in str(caught.value) and not Path("datasets").exists()


def test_import_of_a_folder_that_is_not_shipped(crops: Path, tmp_path: Path) -> None:
    assert call().exit_code == 0
    run = CliRunner()
    done = run.invoke(app, ["import", "datasets/my-q", "crops", "-w", "other"], catch_exceptions=False)
    assert done.exit_code == 0 and "240 images in 10 groups (by cell), every pixel as in the manifest" in done.output
    assert Store(Path("other")).open("my-q").card.title == "Mine"
    for words, message in (
        (["import", "datasets/nothing", "crops"], "nothing/card.yaml: no such file"),
        (["import", "datasets/my-q"], "PATH: a path is needed"),
    ):
        with pytest.raises(InputError, match=message):
            run.invoke(app, [*words, "-w", "other"], catch_exceptions=False)
    text = Path("datasets/my-q/card.yaml").read_text()
    for name in ("cir-g", "mine"):
        Path(f"datasets/{name}").mkdir()
    Path("datasets/cir-g/card.yaml").write_text(text.replace("name: my-q", "name: cir-g"))
    with pytest.raises(InputError, match="a shipped dataset has this name; found 'cir-g'"):
        run.invoke(app, ["import", "datasets/cir-g", "crops", "-w", "other"], catch_exceptions=False)
    Path("datasets/mine/card.yaml").write_text(
        (cards.folder("sim-q") / "card.yaml").read_text().replace("name: sim-q", "name: mine")
    )
    with pytest.raises(InputError, match="layout: only the shipped ones have this layout; found 'simulated'"):
        run.invoke(app, ["import", "datasets/mine", "crops", "-w", "other"], catch_exceptions=False)
