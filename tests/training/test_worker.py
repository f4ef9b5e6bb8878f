"""The worker in this process, on a job written by hand."""

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmark.job import FORMATS, MACHINE_FAILED, MODEL_FAILED, PROBE, Formats, Job, Start
from benchmark.track import Recipe
from benchmark.training import worker

GOOD = """
from torch import nn

def build(num_classes, in_chans, img_size):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_chans * img_size ** 2, num_classes))
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def go(code: str = GOOD, **changes: Any) -> list[str]:
        inputs, output = tmp_path / "inputs", tmp_path / "output"
        (inputs / "code").mkdir(parents=True, exist_ok=True)
        output.mkdir(exist_ok=True)
        (inputs / "code" / "model.py").write_text(code)
        random = np.random.default_rng(0)
        for name, count in (("train", 48), ("validation", 24), ("test", 30)):
            np.save(inputs / f"{name}.npy", random.integers(0, 255, (count, 16, 16), dtype=np.uint8))
            np.save(inputs / f"{name}_labels.npy", np.arange(count) % 24)
        (inputs / "test_labels.npy").unlink()
        model = {"factory": "model.py:build", "image_size": {"min": 16}, "mean": [0.5] * 3, "std": [0.5] * 3}
        base: dict[str, Any] = {
            "key": "k", "seed": 3, "model": model, "classes": 24, "image_size": 16, "epochs": 2,
            "recipe": Recipe(epochs=9, batch_size=16, lr=0.01), "start": Start(kind="random"), "device": "cpu", "threads": 1,
        }  # fmt: skip
        (inputs / "job.json").write_text(Job(**{**base, **changes}).model_dump_json())
        return [str(inputs), str(output)]

    return go


def failure(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(arguments[1]) / "failure.json").read_text())
    return found


def test_it_leaves_the_agreed_files(write: Any) -> None:
    arguments = write()
    assert worker.main(arguments) == 0
    output = Path(arguments[1])
    assert {p.name for p in output.iterdir()} == {"logits.npy", "model.safetensors", "log.jsonl", "environment.json"}
    assert np.load(output / "logits.npy").shape == (30, 24)
    assert len((output / "log.jsonl").read_text().splitlines()) == 2, "the job's epochs count, not the recipe's"
    environment = json.loads((output / "environment.json").read_text())
    assert (environment["threads"], environment["layers"]) == (1, "own")


@pytest.mark.parametrize(("model", "layers"), [
    ({"timm": "test_efficientnet"}, "own, fused"), ({"factory": "model.py:build"}, "own"),
])  # fmt: skip
def test_answers_wait_in_networks_without_code_of_their_own_alone(
    write: Any, model: dict[str, str], layers: str
) -> None:
    arguments = write(model={**model, "image_size": {"min": 16}, "mean": [0.5] * 3, "std": [0.5] * 3})
    assert worker.main(arguments) == 0
    assert json.loads((Path(arguments[1]) / "environment.json").read_text())["layers"] == layers


@pytest.mark.parametrize("model", [{"timm": "test_efficientnet"}, {"timm": "test_vit", "img_size_argument": True}])
def test_the_memory_format_changes_rounding_alone(write: Any, model: dict[str, Any]) -> None:
    """Three trainings: the same bits in one format again, and the same logits but for rounding in the other."""
    whole, found, about = {**model, "image_size": {"min": 16}, "mean": [0.5] * 3, "std": [0.5] * 3}, [], []
    recipe = Recipe(epochs=1, batch_size=16, lr=0.001)
    for form in ("contiguous", "contiguous", "channels-last"):
        arguments = write(model=whole, memory_format=form, recipe=recipe, epochs=1)
        assert worker.main(arguments) == 0
        found.append(np.load(Path(arguments[1]) / "logits.npy"))
        about.append(json.loads((Path(arguments[1]) / "environment.json").read_text()))
    assert [one["memory_format"] for one in about] == ["contiguous", "contiguous", "channels-last"]
    assert [one["layers"] for one in about] == ["library", "library", "own, fused"]
    assert np.array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], atol=0.02)


def test_a_job_from_before_is_channels_last(write: Any) -> None:
    arguments = write()
    path = Path(arguments[0]) / "job.json"
    job = json.loads(path.read_text())
    del job["memory_format"]
    path.write_text(json.dumps(job))
    assert worker.main(arguments) == 0
    assert json.loads((Path(arguments[1]) / "environment.json").read_text())["memory_format"] == "channels-last"


@pytest.mark.parametrize("code", [GOOD, "def build(**kwargs):\n    raise ValueError('no such layer')\n"])
def test_a_probe_trains_nothing_that_is_kept(write: Any, code: str) -> None:
    arguments = write(code)
    inputs, output = map(Path, arguments)
    job = json.loads((inputs / "job.json").read_text())
    for path in [inputs / "job.json", *inputs.glob("*.npy")]:
        path.unlink()
    names = ("model", "classes", "image_size", "recipe", "device", "threads")
    (inputs / PROBE).write_text(json.dumps({name: job[name] for name in names}))
    if code != GOOD:
        assert worker.main(arguments) == MODEL_FAILED
        assert failure(arguments)["kind"] == "bad-model" and "no such layer" in failure(arguments)["message"]
        return
    assert worker.main(arguments) == 0
    assert [path.name for path in output.iterdir()] == [FORMATS]
    assert len(Formats.model_validate_json((output / FORMATS).read_text()).rounds) in (1, 2, 3)


def test_it_starts_from_a_checkpoint(write: Any, tmp_path: Path) -> None:
    assert worker.main(write()) == 0
    checkpoint = tmp_path / "output" / "model.safetensors"
    before = load_file(checkpoint)
    checkpoint.rename(tmp_path / "inputs" / "start.safetensors")
    arguments = write(
        start=Start(kind="checkpoint", file="start.safetensors"), recipe=Recipe(epochs=1, batch_size=16, lr=1e-12)
    )
    assert worker.main(arguments) == 0
    after = load_file(checkpoint)
    assert before.keys() == after.keys() and all(torch.allclose(before[k], after[k], atol=1e-6) for k in before)


def test_a_checkpoint_of_another_model_is_a_failure(write: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    arguments = write(start=Start(kind="checkpoint", file="start.safetensors"))
    save_file({"other": torch.ones(2)}, tmp_path / "inputs" / "start.safetensors")
    assert worker.main(arguments) == MODEL_FAILED and failure(arguments)["kind"] == "error"


FAILURES = {
    "nan": (
        GOOD.replace("nn.Flatten()", "nn.Flatten(), nn.Softplus(beta=1e38), nn.Softplus(beta=0.0)"),
        "bad-model|nan",
    ),
    "bad-model": ("def build(num_classes, in_chans, img_size):\n    return 3\n", "bad-model"),
    "out-of-memory": (
        "import torch\nfrom torch import nn\n\nclass Net(nn.Linear):\n    calls = 0\n    def forward(self, x):\n"
        "        self.calls += 1\n        if self.calls > 2:\n            raise torch.OutOfMemoryError('too much')\n"
        "        return super().forward(x.flatten(1))\n\ndef build(num_classes, in_chans, img_size):\n"
        "    return Net(in_chans * img_size ** 2, num_classes)\n",
        "out-of-memory",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_models_failure_has_a_name(write: Any, name: str) -> None:
    code, kinds = FAILURES[name]
    arguments = write(code)
    assert worker.main(arguments) == MODEL_FAILED
    assert failure(arguments)["kind"] in kinds.split("|")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here: nothing to refuse")
def test_a_gpu_that_is_not_there_is_the_machines_failure(write: Any) -> None:
    arguments = write(device="cuda")
    assert worker.main(arguments) == MACHINE_FAILED
    assert not (Path(arguments[1]) / "failure.json").exists()


def test_a_job_that_cannot_be_read_is_the_harnesss_failure_not_the_models(write: Any, tmp_path: Path) -> None:
    arguments = write()
    (tmp_path / "inputs" / "job.json").unlink()
    assert worker.main(arguments) == MACHINE_FAILED


def test_loops_that_cannot_be_compiled_are_the_machines_failure(
    write: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Any:
        raise ImportError("Numba needs NumPy 2.6 or less")

    monkeypatch.setattr(worker, "loops", broken)
    arguments = write()
    assert worker.main(arguments) == MACHINE_FAILED
    assert "Numba needs NumPy 2.6 or less" in capsys.readouterr().err
    assert not (Path(arguments[1]) / "failure.json").exists()


def test_a_full_disk_is_the_machines_failure(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, array: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "save_array", full)
    assert worker.main(write()) == MACHINE_FAILED


def test_the_disks_error_of_safetensors_is_known() -> None:
    from safetensors import SafetensorError

    assert worker.disk_failed(SafetensorError("I/O error: No space left on device (os error 28)"))
    assert not worker.disk_failed(SafetensorError("header too large"))
    assert not worker.disk_failed(FileNotFoundError(errno.ENOENT, "no file of the submission's"))
