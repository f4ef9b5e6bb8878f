from pathlib import Path

from benchmark.machine import cpu_name, gpu_names


def test_the_processor_has_a_name() -> None:
    assert cpu_name().strip()


def test_gpus_are_named_as_often_as_they_are_there(tmp_path: Path) -> None:
    for number, name in enumerate(("NVIDIA H200", "NVIDIA A10", "NVIDIA H200")):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 0\n")
    assert gpu_names(tmp_path) == ["NVIDIA A10", "NVIDIA H200", "NVIDIA H200"]
    assert gpu_names(tmp_path / "nowhere") == []
