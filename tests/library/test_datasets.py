from pathlib import Path

import numpy as np
import pytest

from benchmark import InputError, dataset


def test_arrays_labels_groups_and_folds_stand_image_by_image(workspace: Path) -> None:
    told = []
    data = dataset("sim-q", "smoke", workspace=workspace, progress=lambda done, total: told.append((done, total)))
    assert len(data) == 240 and told[-1] == (240, 240)
    assert data.images.shape == (240, 48, 48) and data.images.dtype == np.uint8 and data.images.max() > 0
    assert data.names[25] == "c1-01" and (data.classes[data.labels[25]], data.groups[25], data.cells[25]) == (
        "2",
        "p1",
        "c1",
    )
    assert data.folds[25] == 1 and data.validation_of.min() == -1
    assert data.card.stain == "Q" and data.manifest.digest


def test_parts_are_disjoint_whole_and_keep_groups_on_one_side(workspace: Path) -> None:
    data = dataset("sim-q", "smoke", workspace=workspace)
    for fold in range(5):
        parts = [data.part(fold, part) for part in ("train", "validation", "test")]
        assert sorted(np.concatenate(parts)) == list(range(240))
        groups = [set(data.groups[part]) for part in parts]
        assert not groups[2] & (groups[0] | groups[1]) and (data.folds[parts[2]] == fold).all()


def test_the_images_are_mapped_and_cannot_be_changed(workspace: Path) -> None:
    data = dataset("sim-q", "smoke", workspace=workspace)
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0


@pytest.mark.parametrize(
    ("name", "track", "message"),
    [
        ("sim-z", "smoke", "no dataset of this name"),
        ("sim-q", "smok", "no track of this name; found 'smok'; allowed: paper, pocket, smoke"),
        ("cir-g", "smoke", "dataset has not been imported"),
    ],
)
def test_what_is_unknown_or_not_imported_is_said(workspace: Path, name: str, track: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataset(name, track, workspace=workspace)


@pytest.mark.parametrize(("fold", "part"), [(5, "test"), (-1, "test"), (0, "tests")])
def test_another_fold_or_part_is_said(workspace: Path, fold: int, part: str) -> None:
    data = dataset("sim-q", "smoke", workspace=workspace)
    with pytest.raises(InputError, match=r"no such (fold|part)"):
        data.part(fold, part)  # type: ignore[arg-type]  # what a notebook may write


def test_the_environment_names_the_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARYOBENCH_WORKSPACE", str(workspace))
    assert len(dataset("sim-g", "smoke")) == 240
