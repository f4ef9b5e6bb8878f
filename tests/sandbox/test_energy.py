from pathlib import Path

from benchmark.sandbox.energy import joules_between, read_microjoules


def package(root: Path, name: str, energy: int) -> None:
    (root / name).mkdir(exist_ok=True)
    (root / name / "energy_uj").write_text(f"{energy}\n")
    (root / name / "max_energy_range_uj").write_text("1000000\n")


def test_packages_are_summed_and_their_parts_left_out(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", 100_000)
    package(tmp_path, "intel-rapl:1", 200_000)
    package(tmp_path, "intel-rapl:0:0", 5)
    before = read_microjoules(tmp_path)
    assert set(before) == {"intel-rapl:0", "intel-rapl:1"}
    package(tmp_path, "intel-rapl:0", 400_000)
    package(tmp_path, "intel-rapl:1", 300_000)
    assert joules_between(before, read_microjoules(tmp_path), tmp_path) == 0.4


def test_a_counter_that_ran_over_is_mended(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", 900_000)
    before = read_microjoules(tmp_path)
    package(tmp_path, "intel-rapl:0", 100_000)
    assert joules_between(before, read_microjoules(tmp_path), tmp_path) == 0.2


def test_no_counter_is_no_figure(tmp_path: Path) -> None:
    assert joules_between(read_microjoules(tmp_path), read_microjoules(tmp_path), tmp_path) is None
