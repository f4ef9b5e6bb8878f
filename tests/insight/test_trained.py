import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.campaign import Campaign
from benchmark.data.store import Store
from benchmark.errors import InputError, IntegrityError
from benchmark.insight import trained
from benchmark.insight.trained import Place, Trained
from benchmark.ledger import Ledger
from benchmark.submission import Spec, Submission
from benchmark.track import Track

PLACE = Place("scratch", "sim-q", 0, 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Filled by `finished` once for all tests of this file."""
    return {"folder": tmp_path_factory.mktemp("trained")}


@pytest.fixture
def finished(
    made: dict[str, Any], workspace: Path, tiny_track: Track, tiny_submission: Submission
) -> tuple[Path, Track, Submission]:
    """A workspace of its own, with a unit that was really trained."""
    if "submission" not in made:
        shutil.copytree(tiny_submission.folder, made["folder"] / "tiny-net")
        folder = made["folder"] / "tiny-net"
        made["submission"] = Submission(tiny_submission.spec, folder, (folder / "model.py",))
        campaign = Campaign(workspace, tiny_track, [made["submission"]])
        units = campaign.todo(campaign.plan(["scratch"], ["sim-q"]))
        campaign.run(units, lambda unit, line: None, jobs=1)
        shutil.copytree(workspace, made["folder"] / "workspace")
    shutil.rmtree(workspace)
    shutil.copytree(made["folder"] / "workspace", workspace)
    return workspace, tiny_track, made["submission"]


def of(finished: tuple[Path, Track, Submission]) -> Trained:
    return trained.load(*finished, PLACE)


def test_it_answers_as_the_unit_did(finished: tuple[Path, Track, Submission]) -> None:
    state = torch.random.get_rng_state()
    found = of(finished)
    ledger = Ledger(finished[0] / "ledger")
    assert found.record == ledger.records()[-1] and found.key == found.record["key"]
    stored = ledger.predictions(found.record)
    assert np.array_equal(found.logits().astype(np.float16), stored), "to the bit of what is kept"
    assert np.array_equal(found.logits(found.images[::-1]), found.logits()[::-1])
    assert torch.equal(torch.random.get_rng_state(), state) and not found.network.training


def test_the_images_are_those_of_the_test_part(finished: tuple[Path, Track, Submission]) -> None:
    found, ready = of(finished), Store(finished[0]).prepared("sim-q", finished[1].preprocess)
    test = ready.manifest.part(0, "test")
    assert np.array_equal(found.images, ready.images[test]) and np.array_equal(found.positions, test)
    assert np.array_equal(found.labels, ready.manifest.labels[test]) and set(found.groups) == {"p0", "p5"}
    batch = found.batch(found.images[:2])
    mean, std = (
        np.array(part)[:, None, None] for part in (found.submission.spec.model.mean, found.submission.spec.model.std)
    )
    assert np.allclose(batch.numpy()[1], (found.images[1] / 255.0 - mean) / std, atol=1e-5)


def test_features_are_what_the_last_layer_is_given(finished: tuple[Path, Track, Submission]) -> None:
    found = of(finished)
    features = found.features()
    layer = found.network.get_submodule("2")
    assert features.shape == (len(found.images), 3 * 16 * 16)
    with torch.no_grad():
        assert np.allclose(layer(torch.from_numpy(features)).numpy(), found.logits(), atol=1e-5)


class Idle(torch.nn.Conv2d):
    """Has a linear layer that nobody calls."""

    def __init__(self) -> None:
        super().__init__(3, 24, 32)
        self.unused = torch.nn.Linear(1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).flatten(1)


def test_a_network_without_a_last_layer_is_named(finished: tuple[Path, Track, Submission]) -> None:
    found = replace(of(finished), network=torch.nn.Conv2d(3, 24, 32))
    with pytest.raises(InputError, match="tiny-net: this network has no features to compare: it has no linear last"):
        found.features()
    with pytest.raises(InputError, match="is never called"):
        replace(found, network=Idle()).features()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (Place("imagenet", "sim-q", 0, 0), "has not been trained here.*karyobench run tiny-net --track tiny"),
        (Place("scratch", "sim-q", 1, 0), "tiny-net scratch → sim-q, fold 1, repeat 0: this classifier has not"),
        (Place("scratch", "sim-q", 0, 7), "has not been trained here"),
        (Place("scratch", "sim-q", 9, 0), "no such fold; found 9; allowed: 0 to 4"),
        (Place("magic", "sim-q", 0, 0), "no such protocol; found 'magic'"),
        (Place("scratch", "cir-g", 0, 0), "not a target of this track; found 'cir-g'"),
    ],
)
def test_a_classifier_that_is_not_there_is_named(
    finished: tuple[Path, Track, Submission], place: Place, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        trained.load(*finished, place)


def test_a_checkpoint_that_is_gone_or_altered_is_named(finished: tuple[Path, Track, Submission]) -> None:
    path = finished[0] / "units" / of(finished).key / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(IntegrityError, match="the checkpoint was altered; found"):
        of(finished)
    path.unlink()
    with pytest.raises(IntegrityError, match="checkpoint is not in this workspace"):
        of(finished)


def test_another_submission_track_or_dataset_is_named(finished: tuple[Path, Track, Submission], tmp_path: Path) -> None:
    workspace, track, submission = finished
    folder = tmp_path / "other" / "tiny-net"
    shutil.copytree(submission.folder, folder)
    (folder / "model.py").write_text((folder / "model.py").read_text() + "\n# changed\n")
    changed = Submission(Spec.model_validate(submission.spec.model_dump()), folder, (folder / "model.py",))
    with pytest.raises(InputError, match="the checkpoint is of another version of this submission"):
        trained.load(workspace, track, changed, PLACE)
    recipe = track.recipe.model_copy(update={"lr": 0.5})
    with pytest.raises(InputError, match="the checkpoint is of another version of the track"):
        trained.load(workspace, track.model_copy(update={"recipe": recipe}), submission, PLACE)
    manifest = workspace / "datasets" / "sim-q" / "manifest.csv"
    text = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join([*text[:-1], text[-1].rsplit(",", 1)[0] + ",-1\n"]))
    with pytest.raises(InputError, match="sim-q: manifest: it was trained on another version of this dataset"):
        of(finished)
    shutil.rmtree(manifest.parent)
    with pytest.raises(InputError, match="dataset has not been imported; found 'sim-q'"):
        of(finished)


def test_tensors_of_another_network_and_a_failed_training_are_named(finished: tuple[Path, Track, Submission]) -> None:
    workspace = finished[0]
    ledger = workspace / "ledger" / "records.jsonl"
    record = json.loads(ledger.read_text().splitlines()[-1])
    path = workspace / "units" / record["key"] / "model.safetensors"
    save_file({f"x.{name}": tensor for name, tensor in load_file(path).items()}, path)
    plain = {k: v for k, v in record.items() if k not in ("hash", "prev", "format")}
    ledger.unlink()
    Ledger(ledger.parent).append({**plain, "checkpoint": trained.sha256_file(path)})
    with pytest.raises(IntegrityError, match="tiny-net: the checkpoint is not of this submission's network"):
        of(finished)
    ledger.unlink()
    Ledger(ledger.parent).append({**plain, "status": "failed", "failure": {"kind": "nan", "message": ""}})
    with pytest.raises(InputError, match="its training failed; found 'nan'"):
        of(finished)
