"""Which extra packages a submission may bring."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.sandbox.packages import GUARD, read_requirements

ONE, TWO = (f"--hash=sha256:{digit * 64}" for digit in "12")


def read(folder: Path, text: str) -> str:
    file = folder / "requirements.txt"
    file.write_text(text)
    return read_requirements(file)


def test_one_form_whatever_the_layout(tmp_path: Path) -> None:
    text = f"# why\n\nZeta==1.0.post1 {TWO} {ONE}  # a remark\nalpha_b.c==2!1.0+cpu \\\n    {ONE} \\\n    {TWO}\n"
    assert read(tmp_path, text) == f"alpha-b-c==2!1.0+cpu {ONE} {TWO}\nzeta==1.0.post1 {ONE} {TWO}\n"


@pytest.mark.parametrize("line", [
    "einops", "einops==0.8.1", f"einops>=0.8 {ONE}", f"einops==0.* {ONE}", "einops==0.8.1 --hash=md5:" + "1" * 32,
    "einops==0.8.1 --hash=sha256:" + "1" * 63, f"einops==0.8.1,<1 {ONE}", f"einops[all]==0.8.1 {ONE}",
    f"einops==0.8.1 {ONE} ; python_version > '3'", f"einops==0.8.1 {ONE} --global-option=x", "-r other.txt", "-e .", ".",
    "--index-url https://example.org/simple", "--extra-index-url=https://example.org", "--find-links /tmp", "-c c.txt",
    "--no-binary :all:", "--pre", "--trusted-host example.org", f"einops @ https://example.org/e.whl {ONE}",
    f"https://example.org/e.whl {ONE}", f"git+https://example.org/e.git {ONE}", "./e.whl", f"a==1 {ONE} b==1 {ONE}",
    f"einops==$VERSION {ONE}", f"einops==1\N{LINE SEPARATOR}--pre {ONE}",
])  # fmt: skip
def test_anything_else_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(
        InputError, match=r"requirements\.txt: line 2: is not a pinned package .* allowed: name==version"
    ):
        read(tmp_path, f"good==1 {ONE}\n{line}\n")


@pytest.mark.parametrize("name", ["torch", "Torch", "torchvision", "numpy", "timm", "pydantic", "benchmark", "karyobench", "triton",
                                  "nvidia_cublas", "PyYAML"])  # fmt: skip
def test_what_the_image_has_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"line 1: the image has this package already.*Remove the line"):
        read(tmp_path, f"{name}==1.0 {ONE}\n")


def test_second_line_for_a_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: a second line for the same package; found 'a-b'"):
        read(tmp_path, f"a_b==1 {ONE}\nA.B==2 {ONE}\n")


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "\\\n"])
def test_file_without_a_package_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="names no package"):
        read(tmp_path, text)


def test_missing_and_huge_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_requirements(tmp_path / "requirements.txt")
    with pytest.raises(InputError, match="too large"):
        read(tmp_path, "#" * 300_000)


def guard(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    for name in names:
        (folder / name).mkdir() if "." not in name else (folder / name).touch()
    return subprocess.run([sys.executable, "-P", "-c", GUARD, str(folder)], capture_output=True, text=True, check=False)


def test_guard_lets_new_names_pass(tmp_path: Path) -> None:
    assert guard(tmp_path, "new_package", "other_module.py", "new-1.0.dist-info", "bin", "__pycache__").returncode == 0


@pytest.mark.parametrize("name", ["torch", "json.py", "benchmark", "numpy", "sitecustomize.py", "usercustomize", "start.pth",
                                  "_json.cpython-311-x86_64-linux-gnu.so"])  # fmt: skip
def test_guard_refuses_what_is_there_already_and_what_runs_by_itself(tmp_path: Path, name: str) -> None:
    done = guard(tmp_path, "new_package", name)
    assert done.returncode == 1 and f"would replace {name}" in done.stderr
