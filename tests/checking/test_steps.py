"""The order of steps, what they need of each other, and whole checks with smoke units."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark import submission as submissions
from benchmark import track as tracks
from benchmark.checking import check, steps, trying
from benchmark.checking.place import choose
from benchmark.checking.report import Report, Result
from benchmark.data.store import Store
from benchmark.errors import InputError, KaryoError
from benchmark.sandbox import DockerSandbox, ProcessSandbox
from tests.checking.test_bad_submissions import HUB, REPOSITORY, content, more, pinned
from tests.weights_hub import OLD, Hub, serving

NAMES = ["folder", "licence", "weights' origin", "hashes", "build smoke", "build pocket", "build paper", "repeat",
         "load weights", "unit scratch", "unit imagenet", "unit two-step"]  # fmt: skip


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serving(Hub({OLD: content()}, OLD, repository=REPOSITORY), monkeypatch, tmp_path / "cache") as found:
        yield found


def test_steps_need_only_earlier_ones() -> None:
    chosen = steps([tracks.load(name) for name in ("smoke", "pocket", "paper")])
    assert [step.name for step in chosen] == NAMES
    for number, step in enumerate(chosen):
        assert set(step.needs) <= set(NAMES[:number])
    assert [step.name for step in steps([tracks.load("pocket")], units=False)][-3:] == [
        "build pocket",
        "repeat",
        "load weights",
    ]


def test_a_report_adds_up() -> None:
    report = Report("x", [Result("a", "ok", "fine", 1.0), Result("b", "skipped", "no", 2.0)], facts={"name": "x"})
    assert report.ok and report.seconds == 3.0 and report.problems == []
    report.results.append(Result("c", "failed", "wrong", 0.5))
    assert not report.ok and report.problems == ["wrong"] and report.result("c").detail == "wrong"
    assert report.plain()["name"] == "x" and not report.plain()["ok"]


def test_all_of_it_on_own_code_with_own_weights(
    mine: Path, hub: Hub, sandbox: ProcessSandbox, quick_images: None
) -> None:
    """Every step is ok; nothing is left behind, and the chain of two-step shares the first stage's kind of start."""
    more(pinned(hub))(mine)
    seen: list[tuple[str, int, int]] = []
    report = check(mine, sandbox=sandbox, progress=lambda *told: seen.append(told))
    assert {result.step: result.status for result in report.results} == dict.fromkeys(NAMES, "ok"), report.problems
    assert seen == [(name, number, len(NAMES)) for number, name in enumerate(NAMES)]
    details = {result.step: result.detail for result in report.results}
    assert details["weights' origin"] == "declared: imagenet-1k, see https://example.org/training"
    assert details["hashes"].startswith("sha256 ") and "as recorded" in details["hashes"]
    assert details["load weights"] == "2 tensors, left out: head.bias, head.weight"
    assert details["unit imagenet"] == "ImageNet → sim-q: 1 training, 2 epochs at 48 x 48, scored"
    assert details["unit two-step"] == "ImageNet → sim-g → sim-q: 2 trainings, 2 epochs at 48 x 48, scored"
    assert sorted(path.name for path in mine.iterdir()) == ["model.py", "submission.yaml"]


def test_a_unit_that_fails_fails_the_check(mine: Path, sandbox: ProcessSandbox, quick_images: None) -> None:
    """What shows only after some steps of training: numbers that are not finite any more."""
    text = (
        (mine / "model.py")
        .read_text()
        .replace(
            "        return self.head(",
            "        self.seen = getattr(self, 'seen', 0) + 1\n        x = x / (self.seen < 9)\n        return self.head(",
        )
    )
    (mine / "model.py").write_text(text)
    report = check(mine, sandbox=sandbox, tracks=["smoke"], offline=True)
    assert report.result("build smoke").status == "ok"
    failed = report.result("unit scratch")
    assert failed.status == "failed" and "the unit sim-q failed (" in failed.detail
    assert report.result("unit imagenet").detail == "mine names no ImageNet weights"


def test_weights_that_cannot_be_had_are_skipped_and_not_failed(
    mine: Path, hub: Hub, sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    more(pinned(hub))(mine)
    hub.status = 503
    report = check(mine, sandbox=sandbox, tracks=["smoke"], units=False)
    assert report.ok and report.result("hashes").status == "skipped"
    assert "cannot be reached or does not answer" in report.result("hashes").detail
    asked = len(hub.asked)
    report = check(mine, sandbox=sandbox, tracks=["smoke"], units=False, offline=True)
    assert len(hub.asked) == asked and "the network is not to be used" in report.result("hashes").detail


def test_weights_without_a_pin_are_a_warning(mine: Path, hub: Hub, sandbox: ProcessSandbox) -> None:
    more(HUB)(mine)
    report = check(mine, sandbox=sandbox, tracks=["smoke"], units=False)
    assert report.ok and "measured, not pinned" in report.result("hashes").detail
    assert any("the weights are not pinned: run" in warning for warning in report.warnings)
    assert report.facts["weights"]["pinned"] is False


def test_an_unknown_track_is_an_error(mine: Path, sandbox: ProcessSandbox) -> None:
    with pytest.raises(InputError, match="no track of this name"):
        check(mine, sandbox=sandbox, tracks=["pockets"])


@pytest.mark.parametrize(("name", "size"), [("tf-efficientnet-lite0", 48), ("inception-v3", 75), ("vit-small", 48)])
def test_the_smallest_size_from_that_of_the_smoke_track_on(name: str, size: int) -> None:
    found = trying.smoke(submissions.load(name), 90.5)
    assert (found.preprocess.size, found.timeout, found.recipe.epochs) == (size, 90, trying.EPOCHS)
    assert found.recipe.lr == tracks.load("smoke").recipe.lr


@pytest.mark.slow
def test_simulated_images_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARYOBENCH_CACHE", str(tmp_path / "cache"))
    trying.datasets(tmp_path / "one", ("sim-q", "sim-g"))
    monkeypatch.setattr(trying, "_draw", lambda *_: pytest.fail("drawn again"))
    trying.datasets(tmp_path / "two", ("sim-q", "sim-g"))
    for place in ("one", "two"):
        manifest = Store(tmp_path / place).open("sim-q").manifest
        assert len(manifest) == 460
        for fold in range(5):
            parts = [set(manifest.groups[manifest.part(fold, part)]) for part in ("train", "validation", "test")]
            assert [len(part) for part in parts] == [7, 1, 2]
            assert len(set.union(*parts)) == 10
            assert set(manifest.labels[manifest.part(fold, "train")]) == set(range(24))


def test_without_a_container_the_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    found = choose()
    assert isinstance(found.sandbox, ProcessSandbox)
    assert (
        found.warning is not None and "no docker daemon answers" in found.warning and "CI runs it in" in found.warning
    )
    assert choose("process").warning is not None
    with pytest.raises(KaryoError, match="no docker daemon answers"):
        choose("docker")
    with pytest.raises(InputError, match="no such sandbox"):
        choose("chroot")


@pytest.mark.docker
@pytest.mark.slow
def test_all_of_it_in_the_container(mine: Path, hub: Hub, quick_images: None) -> None:
    """The same steps; that a container ends by its deadline is shown by tests/attacks."""
    try:
        place = choose("docker")
    except KaryoError as error:
        if os.environ.get("KARYOBENCH_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"no container can run here: {error}")
    assert isinstance(place.sandbox, DockerSandbox) and place.warning is None
    more(pinned(hub))(mine)
    report = check(mine, sandbox=place.sandbox, tracks=["smoke"])
    assert {result.status for result in report.results} == {"ok"}, report.problems
