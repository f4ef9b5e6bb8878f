from pathlib import Path

import pytest

from benchmark.cli import cluster
from benchmark.errors import InputError


def test_a_local_run_needs_no_store_and_a_remote_one_has_one_in_its_workspace(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    assert cluster.artefacts("local", "s3://bucket", tmp_path) is None
    own = cluster.artefacts("ray", None, tmp_path)
    assert own is not None and own.address == str(tmp_path / "artefacts")
    named = cluster.artefacts("ray", str(tmp_path / "shared"), tmp_path)
    assert named is not None and named.address == str(tmp_path / "shared")


@pytest.mark.parametrize(
    ("device", "gpus", "chosen", "given"),
    [("auto", None, "cpu", 0.0), ("auto", 0.5, "cuda", 0.5), ("cuda", None, "cuda", 1.0), ("cpu", None, "cpu", 0.0)],
)
def test_gpus_of_a_unit_follow_from_its_device_and_the_other_way_round(
    device: str, gpus: float | None, chosen: str, given: float, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    assert cluster.device_of("ray", device, gpus) == chosen
    assert cluster.options("h:1", gpus, chosen, None, tmp_path).gpus == given


def test_settings_are_names_and_values(tmp_path: Path) -> None:
    options = cluster.options(None, None, "cpu", ["partition=gpu", "comment=a=b"], tmp_path)
    assert options.settings == {"partition": "gpu", "comment": "a=b"}
    with pytest.raises(InputError, match="must be NAME=VALUE; found 'partition'"):
        cluster.options(None, None, "cpu", ["partition"], tmp_path)
    with pytest.raises(InputError, match="need a GPU or a part of one"):
        cluster.options(None, 0.0, "cuda", None, tmp_path)
