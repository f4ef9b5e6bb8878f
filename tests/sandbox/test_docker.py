"""The docker sandbox against a real daemon; tests/attacks holds what hostile code tries."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.campaign import Campaign
from benchmark.errors import InfrastructureError, InputError, KaryoError
from benchmark.memory_format import MemoryFormats
from benchmark.sandbox import DockerSandbox, Limits
from benchmark.sandbox.base import GIB
from benchmark.sandbox.docker import options
from benchmark.sandbox.image import Built, daemon, find
from benchmark.sandbox.owner import OWNER, owner, reap
from benchmark.submission import Submission
from benchmark.track import Track
from tests.test_memory_format import PICKY

BUILT = Built("t", "sha256:0", (), "1", "r", "w", "b", "sha256:1", "", 1, "now")


@pytest.fixture(scope="module")
def image() -> Built:
    """The image of these sources; skips where there is none, unless CI says that there must be."""
    try:
        return find()
    except KaryoError as error:
        if os.environ.get("KARYOBENCH_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"no container can run here: {error}")


def left(pid: int | None = None) -> tuple[int, int]:
    """Containers and volumes of this harness, or of another; other tests have theirs on the same daemon."""
    wanted = f" {pid or os.getpid()} "
    with daemon() as client:
        containers = [
            c.labels[OWNER] for c in client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER})
        ]
        volumes = [v.attrs["Labels"][OWNER] for v in client.volumes.list(filters={"label": OWNER})]
    return sum(wanted in label for label in containers), sum(wanted in label for label in volumes)


def test_a_container_can_do_nothing_that_it_need_not() -> None:
    found = options(BUILT, Limits(60, 2, memory=3 * GIB))
    assert found["network_mode"] == "none" and found["read_only"] is True and found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"] and found["user"] == "10001:10001"
    assert (found["mem_limit"], found["memswap_limit"]) == (3 * GIB, 3 * GIB), "no swap on top"
    assert found["pids_limit"] == 256 and found["nano_cpus"] == 2_000_000_000 and "privileged" not in found
    assert set(found["environment"]) == {
        "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG",
        "GLIBC_TUNABLES", "HF_HUB_OFFLINE", "HOME",
    }  # fmt: skip
    assert not any("docker.sock" in str(value) for value in found.values())


def test_a_leased_gpu_is_the_first_one_inside() -> None:
    assert DockerSandbox().inside("cuda:3") == "cuda" and DockerSandbox().inside("cpu") == "cpu"


def test_without_a_daemon_the_machine_is_at_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(InfrastructureError, match=r"no docker daemon answers\. Install docker"):
        DockerSandbox().prepare()
    outcome = DockerSandbox().run(tmp_path, tmp_path, Limits(1, 1), lambda line: None)
    assert outcome.status == "infrastructure" and "no docker daemon answers" in outcome.message


def test_the_process_sandbox_refuses_a_submission_with_packages(
    workspace: Path, tiny_track: Track, tiny_submission: Submission
) -> None:
    (tiny_submission.folder / "requirements.txt").write_text("six==1.17.0 --hash=sha256:" + "0" * 64 + "\n")
    submission = replace(tiny_submission, code=(*tiny_submission.code, tiny_submission.folder / "requirements.txt"))
    assert submission.digest != tiny_submission.digest, "they decide what it computes"
    campaign = Campaign(workspace, tiny_track, [submission])
    units = campaign.todo(campaign.plan(["scratch"]))
    with pytest.raises(InputError, match=r"not installed by this sandbox; found 'process'; allowed: docker"):
        campaign.run(units, lambda unit, line: None, sandbox="process")


@pytest.mark.docker
@pytest.mark.slow
def test_the_same_unit_gives_the_same_logits_in_a_process_and_in_a_container(
    image: Built, tmp_path: Path, workspace: Path, tiny_track: Track, tiny_submission: Submission
) -> None:
    import shutil

    ledgers, lines = {}, []
    for name in ("process", "docker"):
        folder = tmp_path / name
        shutil.copytree(workspace, folder)
        campaign = Campaign(folder, tiny_track, [tiny_submission])
        units = campaign.todo(campaign.plan(["scratch"], targets=["sim-q"]))
        campaign.run(units, lambda unit, line: lines.append(line), sandbox=name, jobs=1)
        assert left() == (0, 0), "no container and no volume is left"
        [record] = campaign.ledger.records()
        assert record["status"] == "scored" and record["sandbox"] == name
        ledgers[name] = campaign.ledger, record
    (first, one), (second, other) = ledgers.values()
    assert np.array_equal(first.predictions(one), second.predictions(other)), "to the bit"
    assert one["scores"] == other["scores"]
    details = other["sandbox_details"]
    assert details["image"] == image.id and details["image"].startswith("sha256:")
    assert other["peak_bytes"] is None or other["peak_bytes"] > 50 << 20
    assert other["cpu_seconds"] is None or 0.5 < other["cpu_seconds"] < other["seconds"] * 1.1, "one thread"
    assert len(lines) == 4, "both told every epoch"


HARNESS = """
import sys
from pathlib import Path
from benchmark.sandbox import DockerSandbox, Limits
sandbox = DockerSandbox()
sandbox.prepare()
print("ready", flush=True)
sandbox.run(Path(sys.argv[1]), Path(sys.argv[2]), Limits(120, 1), lambda line: None)
"""


@pytest.mark.docker
@pytest.mark.slow
def test_a_probe_of_the_memory_format_runs_in_a_container(
    image: Built, tmp_path: Path, tiny_track: Track, tiny_submission: Submission
) -> None:
    tiny_submission.code[0].write_text(PICKY)
    made = Submission(tiny_submission.spec, tiny_submission.folder, tiny_submission.code)
    chosen = MemoryFormats(tmp_path).choose("k", 999, made, tiny_track, DockerSandbox(), "cpu", 1)
    kept = json.loads((tmp_path / "memory-formats.json").read_text())
    assert chosen == "contiguous", kept
    assert left() == (0, 0)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_or_killed_harness_leaves_no_container(
    image: Built, how: signal.Signals, sleeper: tuple[Path, Path]
) -> None:
    command = [sys.executable, "-c", HARNESS, *map(str, sleeper)]
    harness = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )
    assert harness.stdout is not None and harness.stdout.readline() == b"ready\n"
    for _ in range(1200):
        if left(harness.pid)[0] >= 2:
            break
        time.sleep(0.1)
    assert left(harness.pid) == (2, 1), "keeper, worker and volume"
    time.sleep(1)
    harness.send_signal(how)
    harness.wait(timeout=60)
    if how == signal.SIGKILL:
        with daemon() as client:
            reap(client)  # at the next start, of whatever harness
    assert left(harness.pid) == (0, 0)


@pytest.fixture
def sleeper(tmp_path: Path, tiny_track: Track) -> tuple[Path, Path]:
    """Inputs of a unit whose model never comes."""
    from benchmark.job import Job, Start

    inputs, output = tmp_path / "inputs", tmp_path / "output"
    (inputs / "code").mkdir(parents=True)
    output.mkdir()
    (inputs / "code" / "model.py").write_text("import time\n\n\ndef build(**kwargs):\n    time.sleep(600)\n")
    model: dict[str, Any] = {"factory": "model.py:build", "kwargs": {}, "mean": [0.5] * 3, "std": [0.5] * 3}
    job = Job(key="k", seed=1, model=model, classes=24, image_size=32, epochs=1, recipe=tiny_track.recipe,
              start=Start(kind="random"), device="cpu", threads=1)  # fmt: skip
    (inputs / "job.json").write_text(job.model_dump_json())
    return inputs, output


@pytest.mark.docker
@pytest.mark.slow
def test_a_unit_that_takes_too_long_is_a_failure_of_the_model(image: Built, sleeper: tuple[Path, Path]) -> None:
    outcome = DockerSandbox().run(*sleeper, Limits(8, 1), lambda line: None)
    assert (outcome.status, outcome.kind) == ("model-failure", "time-out") and left() == (0, 0)


@pytest.mark.docker
@pytest.mark.slow
def test_of_what_a_unit_prints_the_daemon_keeps_a_megabyte(image: Built) -> None:
    command = ["python3", "-c", "for _ in range(80_000): print('x' * 99)\nprint('the end')"]
    chosen = options(image, Limits(60, 1, memory=GIB)) | {"entrypoint": command, "command": []}
    with daemon() as client:
        container = client.containers.run(**chosen, detach=True)
        try:
            container.wait()
            kept = container.logs()
        finally:
            container.remove(force=True)
    assert 100 < len(kept) <= 1 << 20 and kept.endswith(b"the end\n"), "of 8 MB"


@pytest.mark.docker
@pytest.mark.slow
def test_a_stopped_run_ends_its_container(image: Built, sleeper: tuple[Path, Path]) -> None:
    import threading

    sandbox = DockerSandbox()
    threading.Timer(4, sandbox.stop).start()
    began = time.monotonic()
    outcome = sandbox.run(*sleeper, Limits(120, 1), lambda line: None)
    assert (outcome.status, outcome.kind) == ("infrastructure", "stopped") and time.monotonic() - began < 60
    assert left() == (0, 0)


@pytest.mark.docker
@pytest.mark.slow
def test_a_container_killed_by_somebody_is_the_machines_fault(image: Built, sleeper: tuple[Path, Path]) -> None:
    import threading

    def kill() -> None:
        for _ in range(600):
            with daemon() as client:
                for one in client.containers.list(ignore_removed=True, filters={"label": f"{OWNER}={owner()}"}):
                    if one.attrs["Args"][-1:] == ["/output"]:
                        one.kill()
                        return
            time.sleep(0.1)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = DockerSandbox().run(*sleeper, Limits(120, 1), lambda line: None)
    killer.join()
    assert (outcome.status, outcome.kind) == ("infrastructure", "killed"), outcome


@pytest.mark.docker
@pytest.mark.slow
def test_a_gpu_that_is_not_there_is_the_machines_fault(image: Built, sleeper: tuple[Path, Path]) -> None:
    with daemon() as client:
        if "nvidia" in client.info().get("Runtimes", {}):
            pytest.skip("this daemon has a GPU runtime")
    outcome = DockerSandbox().run(*sleeper, Limits(60, 1, device="cuda:0"), lambda line: None)
    assert outcome.status == "infrastructure" and "gpu" in outcome.message.lower(), outcome
    assert left() == (0, 0)


@pytest.mark.docker
@pytest.mark.slow
def test_packages_that_cannot_be_installed_are_said_at_once(image: Built, sleeper: tuple[Path, Path]) -> None:
    (sleeper[0] / "code" / "requirements.txt").write_text("torch==2.0.0 --hash=sha256:" + "0" * 64 + "\n")
    outcome = DockerSandbox().run(*sleeper, Limits(60, 1), lambda line: None)
    assert (outcome.status, outcome.kind) == ("infrastructure", "input") and "torch" in outcome.message
