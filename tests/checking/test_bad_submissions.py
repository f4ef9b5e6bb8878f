"""Wrong submissions, each with what it is told: one clear error, a non-zero exit, no traceback, nothing lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from benchmark.cli.submission import app
from benchmark.errors import InputError
from benchmark.sandbox import ProcessSandbox
from tests.checking.conftest import MODEL
from tests.weights_hub import NEW, OLD, Hub, serving, sha

DEADLINE, SHORT = 60, 2
REPOSITORY = "someone/mine"
HUB = f"""\
weights:
  hub: {REPOSITORY}
  trained_on: imagenet-1k
  source: https://example.org/training
  classifier: head
"""

Change = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What is made wrong, and what is said of it.

    Args:
        name: of the case.
        change: makes the good submission wrong.
        says: texts that the error must hold: file or field, what was found, what is allowed.
        step: that fails.
        seconds: that its code may take.
    """

    name: str
    change: Change
    says: tuple[str, ...]
    step: str = "folder"
    seconds: float = DEADLINE


def yaml(old: str, new: str) -> Change:
    """A change of a text in `submission.yaml`."""

    def change(folder: Path) -> None:
        path = folder / "submission.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def more(text: str) -> Change:
    """Text behind `submission.yaml`."""
    return yaml("", "") if not text else lambda folder: (folder / "submission.yaml").open("a").write(text)


def whole(content: str | bytes) -> Change:
    """Another `submission.yaml`."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / "submission.yaml").write_bytes(data)


def file(name: str, content: str | bytes = "") -> Change:
    """One more file, or another one."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def code(old: str, new: str, head: str = "") -> Change:
    """A change of a text in `model.py`."""

    def change(folder: Path) -> None:
        assert old in MODEL
        (folder / "model.py").write_text(head + MODEL.replace(old, new))

    return change


def building(line: str, head: str = "") -> Change:
    """A line that runs when the model is built."""
    return code("    return Net(", f"    {line}\n    return Net(", head)


def running(line: str, head: str = "") -> Change:
    """A line that runs when the model is sent images."""
    return code("        return self.head(", f"        {line}\n        return self.head(", head)


READ = (
    Case("absent-folder", lambda f: f.rename(f.with_name("gone")), ("no such submission folder", "mine")),
    Case("absent-yaml", lambda f: (f / "submission.yaml").unlink(), ("no such submission folder|no such file",)),
    Case("empty-yaml", whole(""), ("submission.yaml", "must be a mapping", "NoneType")),
    Case("a-list", whole("- name: mine\n"), ("must be a mapping", "found 'list'")),
    Case("bad-yaml", yaml("title: Mine", "title: [Mine"), ("not valid YAML", "line 3")),
    Case("a-tab", yaml("  factory", "\tfactory"), ("not valid YAML", "line 6")),
    Case("aliases", whole("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"), ("aliases (*name) are not allowed", "line 2")),
    Case("nested", whole("a: " + "[" * 30_000), ("not valid YAML", "nested too deeply")),
    Case("huge-yaml", more("#" * 70_000), ("file is too large", "70,", "at most 65,536 bytes")),
    Case("twice", more("name: mine\n"), ("key 'name' twice", "line 7")),
    Case("python-tag", yaml("title: Mine", "title: !!python/object/apply:os.getcwd []"), ("not valid YAML", "python/object", "line 2")),
    Case("not-utf8", whole(b"name: \xff\xfe\n"), ("not UTF-8",)),
    Case("a-zero-byte", whole(b"name: mine\0\n"), ("not valid YAML",)),
    Case("unknown-key", more("epochs: 90\n"), ("epochs: unknown key", "allowed: family, license, model")),
    Case("no-paper", yaml("paper: https://example.org/mine\n", ""), ("paper: this key is required",)),
    Case("a-list-as-title", yaml("title: Mine", "title: [Mine]"), ("title: ", "valid string", "found ['Mine']")),
    Case("a-number-as-model", yaml("model:\n  factory: model.py:build", "model: 5"), ("model: ", "found 5")),
    Case("another-name", yaml("name: mine", "name: yours"), ("name: must be the folder's name", "found 'yours'", "allowed: mine")),
    Case("look-alike-name", yaml("name: mine", "name: m\u0456ne"), ("name: ", "pattern", "found 'm\u0456ne'")),
    Case("look-alike-file", file("m\u043edel.py", MODEL), ("this kind of file may not be in a submission", "*.py")),
    Case("capital-name", yaml("name: mine", "name: Mine"), ("name: ", "pattern", "found 'Mine'")),
    Case("a-script-as-paper", yaml("https://example.org/mine", "javascript:alert(1)"), ("paper: ", "found 'javascript:alert(1)'")),
    Case("outside", yaml("model.py:build", "../other/model.py:build"), ("model.factory: ", "found '../other/model.py:build'")),
    Case("absolute", yaml("model.py:build", "/etc/passwd:build"), ("model.factory: ", "found '/etc/passwd:build'")),
    Case("absent-file", yaml("model.py:build", "net.py:build"), ("model.factory: no such file", "found 'net.py'", "allowed: model.py")),
    Case("link-out", lambda f: (f / "data.txt").symlink_to("/etc/hostname"), ("data.txt", "must be a plain file")),
    Case("link-as-code", lambda f: (f / "x.py").symlink_to(f / "model.py"), ("x.py", "must be a plain file")),
    Case("a-folder", lambda f: (f / "more").mkdir(), ("more", "must be a plain file")),
    Case("a-pipe", lambda f: os.mkfifo(f / "pipe.txt"), ("pipe.txt", "must be a plain file")),
    Case("huge-file", file("big.txt", b"x" * 1_000_001), ("big.txt", "1,000,001 bytes", "at most 1,000,000 bytes")),
    Case("many-files", lambda f: [(f / f"n{i}.md").touch() for i in range(60)], ("too many files", "found 62", "at most 50")),
    Case("a-library", file("fast.so", b"\x7fELF"), ("fast.so", "this kind of file may not be", "allowed: *.py")),
    Case("weights-inside", file("model.safetensors"), ("model.safetensors", "this kind of file may not be")),
    Case("pretrained", yaml("model.py:build", "model.py:build\n  kwargs: {pretrained: true}"), ("model.kwargs", "pretrained is set by the harness")),
    Case("not-a-number", yaml("model.py:build", "model.py:build\n  kwargs: {width: .nan}"), ("model.kwargs",)),
    Case("sizes", yaml("model.py:build", "model.py:build\n  image_size: {min: 64, max: 32}"), ("model.image_size: max is smaller than min",)),
    Case("both", yaml("model.py:build", "model.py:build\n  timm: resnet18"), ("model: needs exactly one of timm and factory",)),
    Case("loose-packages", file("requirements.txt", "einops>=0.8\n"), ("requirements.txt: line 1", "found 'einops>=0.8'", "allowed: name==version")),
    Case("unknown-licence", yaml("license: MIT", "license: Proprietary"), ("license: not a known licence", "found 'Proprietary'", "SPDX"), "licence"),
    Case("licence-case", yaml("license: MIT", "license: mit"), ("license: not as SPDX writes it", "found 'mit'", "allowed: MIT"), "licence"),
    Case("own-licence", yaml("license: MIT", "license: LicenseRef-Mine"), ("license: not on the SPDX list", "LicenseRef-Mine"), "licence"),
    Case("other-data", more("weights: {hub: timm/resnet18.fb_ssl_yfcc100m_ft_in1k}\n"), ("weights.hub: weights must come from ImageNet-1k alone", "yfcc100m")),
    Case("no-statement", more("weights: {hub: someone/mine}\n"), ("weights: needs trained_on: imagenet-1k and source",)),
    Case("says-21k", more(HUB.replace("imagenet-1k", "imagenet-21k")), ("weights.trained_on", "found 'imagenet-21k'", "imagenet-1k")),
    Case("named-laion", more(HUB.replace("someone/mine", "someone/mine-laion2b")), ("weights.hub: weights must come from ImageNet-1k alone", "laion")),
    Case("no-classifier", more(HUB.replace("  classifier: head\n", "")), ("weights.classifier must name the layer",)),
    Case("a-pickle", more(HUB + "  filename: model.bin\n"), ("weights.filename", "found 'model.bin'")),
    Case("a-branch", more(HUB + f"  revision: main\n  sha256: {'a' * 64}\n"), ("weights.revision", "found 'main'")),
    Case("no-hash", more(HUB + f"  revision: {OLD}\n"), ("weights: needs revision and sha256",)),
    Case("no-source", more(HUB.replace("https://example.org/training", "a paper")), ("weights.source", "found 'a paper'")),
)  # fmt: skip

BUILD, FAILS = "build smoke", "model.py:build fails"

RUN = (
    Case("syntax", code("def build(", "def build(("), ("model.py cannot be imported", "SyntaxError"), BUILD),
    Case("absent-package", code("import torch\n", "import torch\nimport no_such_package\n"), ("model.py cannot be imported", "no_such_package"), BUILD),
    Case("no-function", code("def build(", "def make("), ("model.factory: no such function", "found 'build'", "allowed: Net, make"), BUILD),
    Case("unknown-timm", yaml("factory: model.py:build", "timm: resnet19"), ("model.timm: timm knows no such architecture", "found 'resnet19'", "resnet18"), BUILD),
    Case("unknown-kwarg", yaml("model.py:build", "model.py:build\n  kwargs: {width: 3}"), (FAILS, "width"), BUILD),
    Case("raises", building("raise ValueError('no such width')"), (FAILS, "ValueError: no such width"), BUILD),
    Case("recursion", building("build(num_classes, in_chans, img_size)"), (FAILS, "RecursionError"), BUILD),
    Case("hangs", building("while True: pass"), ("time-out", "not done after 2 s"), BUILD, SHORT),
    Case("hangs-on-import", lambda f: (f / "model.py").write_text("import time\ntime.sleep(1e6)\n"), ("time-out", "not done after 2 s"), BUILD, SHORT),
    Case("hangs-on-images", running("__import__('time').sleep(1e6)"), ("time-out", "not done after 2 s"), BUILD, SHORT),
    Case("exits", building("raise SystemExit(0)"), (FAILS, "SystemExit"), BUILD),
    Case("exits-at-once", building("__import__('os')._exit(0)"), ("ended before it answered", "call exit"), BUILD),
    Case("fails-at-once", building("__import__('os')._exit(7)"), ("ended with exit status 7",), BUILD),
    Case("interrupts", building("raise KeyboardInterrupt"), ("ended with exit status 1",), BUILD),
    Case("kills-itself", building("os.kill(os.getpid(), 9)", "import os\n"), ("ended from outside by SIGKILL",), BUILD),
    Case("segfaults", building("__import__('ctypes').string_at(0)"), ("the model fails (crash)",), BUILD),
    Case("forks", building("os.fork()", "import os\n"), (FAILS, "a model may not start processes (os.fork)"), BUILD),
    Case("starts-a-program", building("subprocess.run(['true'])", "import subprocess\n"), (FAILS, "may not start processes (subprocess.Popen)"), BUILD),
    Case("downloads", building("urlopen('http://127.0.0.1:1/')", "from urllib.request import urlopen\n"), (FAILS, "may not use a network"), BUILD),
    Case("asks-the-hub", building("timm.create_model('resnet18', pretrained=True)", "import timm\n"), (FAILS,), BUILD),
    Case("takes-all-memory", building("torch.ones(20 << 28)"), (FAILS, "memory"), BUILD),
    Case("no-module", code("return Net(", "return dict("), ("model.py:build",), BUILD),
    Case("a-function", code("return Net(num_classes, in_chans, img_size)", "return len"), ("must return a torch.nn.Module", "builtin_function"), BUILD),
    Case("no-parameters", code("return Net(num_classes, in_chans, img_size)", "return nn.Flatten()"), ("no parameters to train",), BUILD),
    Case("wrong-classes", code("nn.Linear(4, num_classes)", "nn.Linear(4, 1000)"), ("wrong shape", "found (2, 1000)", "allowed: (2, 24)"), BUILD),
    Case("wrong-batch", code(".mean((2, 3)))", ".mean((2, 3)))[:1]"), ("wrong shape", "found (1, 24)", "allowed: (2, 24)"), BUILD),
    Case("a-tuple", code("return self.head(self.body(x).mean((2, 3)))", "return self.head(self.body(x).mean((2, 3))), 1"), ("one tensor", "found 'tuple'"), BUILD),
    Case("not-finite", code(".mean((2, 3)))", ".mean((2, 3))) * float('nan')"), ("not finite",), BUILD),
    Case("half", code(".mean((2, 3)))", ".mean((2, 3))).half()"), ("wrong type", "found 'torch.float16'", "torch.float32"), BUILD),
    Case("training-only", running("assert not self.training"), ("fails in training mode", "AssertionError"), BUILD),
    Case("no-gradient", code(".mean((2, 3)))", ".mean((2, 3))).detach()"), ("fails in the backward pass",), BUILD),
    Case("gradient-not-finite", code(".mean((2, 3)))", ".mean((2, 3)) * 0).sqrt() * 0 + self.head((self.body(x).mean((2, 3)) * 0).sqrt())"), ("not finite",), BUILD),
    Case("too-small", code("nn.Conv2d(in_chans, 4, 3, stride=2)", "nn.Conv2d(in_chans, 4, 49)"), ("fails on 48 x 48 images",), BUILD),
    Case("random", running("x = x + int.from_bytes(os.urandom(2)) / 1e4", "import os\n"), ("not deterministic", "same seed differ"), BUILD),
    Case("depends-on-process", running("x = x + os.getpid() % 1000 / 100", "import os\n"), ("not deterministic", "two processes"), "repeat"),
    Case("one-seed", building("torch.manual_seed(0)"), ("initial weights do not depend on the seed", "torch.manual_seed"), BUILD),
    Case("default-type", building("torch.set_default_dtype(torch.bfloat16)"), ("wrong type", "bfloat16"), BUILD),
    Case("threads", building("torch.set_num_threads(7)"), ("changes torch's number of threads", "found '7'"), BUILD),
    Case("environment", building("os.environ['OMP_NUM_THREADS'] = '64'", "import os\n"), ("changes the variables of the environment",), BUILD),
    Case("working-folder", building("os.chdir('/')", "import os\n"), ("changes the working folder", "found '/'"), BUILD),
    Case("unfixed", building("torch.use_deterministic_algorithms(False)"), ("changes torch's deterministic mode",), BUILD),
)  # fmt: skip


def state(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for path in (folder.iterdir() if folder.is_dir() else ())
    }


def refused(folder: Path, case: Case, *options: str) -> None:
    """Check what is wrong, as a command does it, and read the answer."""
    case.change(folder)
    before = state(folder)
    arguments = ["check", str(folder), "--no-units", "--track", "smoke", "--timeout", str(case.seconds), *options]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError) and result.exception.exit_code == 2, result.exception
    assert "1 of 1 submissions failed" in str(result.exception)
    assert "Traceback" not in result.output
    problems = [line for line in result.stdout.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 1, result.stdout
    for text in case.says:
        assert any(part in problems[0] for part in text.split("|")), problems[0]
    failed = [line for line in result.stdout.splitlines() if " failed " in line]
    assert len(failed) == 1 and failed[0].startswith(case.step), result.stdout
    assert state(folder) == before


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
def test_what_is_wrong_is_read(case: Case, mine: Path, shared_place: ProcessSandbox) -> None:
    refused(mine, case, "--offline")


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.name)
def test_what_is_wrong_shows_when_it_runs(case: Case, mine: Path, shared_place: ProcessSandbox) -> None:
    refused(mine, case, "--offline")


def test_the_table_is_long_enough_and_its_base_is_right(mine: Path, shared_place: ProcessSandbox) -> None:
    names = [case.name for case in (*READ, *RUN)]
    assert len(set(names)) == len(names) >= 40
    result = CliRunner().invoke(app, ["check", str(mine), "--no-units", "--track", "smoke", "--offline"])
    assert result.exit_code == 0, result.output


def content(**tensors: torch.Tensor) -> bytes:
    """A file of weights of the good model for 1000 classes, with changes; a name has `__` for a dot."""
    state = {
        "body.weight": torch.ones(4, 3, 3, 3), "body.bias": torch.zeros(4), "head.weight": torch.ones(1000, 4),
        "head.bias": torch.zeros(1000),
    }  # fmt: skip
    state |= {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    kept = {name: tensor for name, tensor in state.items() if tensor.numel()}
    path = Path(os.environ["KARYOBENCH_CACHE"]) / f"{os.getpid()}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path)
    return path.read_bytes()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serving(Hub({OLD: content()}, OLD, repository=REPOSITORY), monkeypatch, tmp_path / "cache") as found:
        yield found


LOAD = "load weights"
WEIGHTS: dict[str, tuple[bytes | Callable[[], bytes], tuple[str, ...], str]] = {
    "missing-tensor": (lambda: content(body__bias=torch.empty(0)), ("body.bias", "1 tensors of the model are not in the file"), LOAD),
    "strange-tensor": (lambda: content(spare=torch.ones(1)), ("spare", "the model has no such tensor"), LOAD),
    "wrong-shape": (lambda: content(body__weight=torch.ones(4, 1, 3, 3)), ("body.weight", "wrong shape", "found (4, 1, 3, 3)", "(4, 3, 3, 3)"), LOAD),
    "not-safetensors": (b"\x80\x04 a pickle, perhaps", ("the weights cannot be read", "SafetensorError"), LOAD),
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_do_not_fit(name: str, hub: Hub, mine: Path, shared_place: ProcessSandbox) -> None:
    made, says, step = WEIGHTS[name]
    data = hub.revisions[OLD] = made if isinstance(made, bytes) else made()
    refused(mine, Case(name, more(HUB + f"  revision: {OLD}\n  sha256: {sha(data)}\n"), says, step))


def pinned(hub: Hub, **changes: str) -> str:
    lines = {"revision": OLD, "sha256": sha(hub.revisions[OLD]), **changes}
    return HUB + "".join(f"  {key}: {value}\n" for key, value in lines.items())


def moved(hub: Hub) -> None:
    """The commit is gone, as after a forced push; the branch has another."""
    hub.revisions = {NEW: hub.revisions[OLD]}
    hub.main = NEW


def rewritten(hub: Hub) -> None:
    """The same commit has other bytes."""
    hub.revisions[OLD] = content(body__bias=torch.ones(4))


def nothing(hub: Hub) -> None:
    pass


HUBS: dict[str, tuple[Callable[[Hub], None], dict[str, str], tuple[str, ...], str]] = {
    "revision-moved": (moved, {}, ("weights.hub: the repository has no such revision", "found 'someone/mine'"), "hashes"),
    "bytes-changed": (rewritten, {}, ("sha256: the weights are not what their hash says", "allowed: "), "hashes"),
    "wrong-sha": (nothing, {"sha256": "c" * 64}, ("sha256: the weights are not what their hash says", f"allowed: {'c' * 64}"), "hashes"),
    "no-such-file": (nothing, {"filename": "other.safetensors"}, ("the repository has no such file at this revision",), "hashes"),
    "no-such-layer": (nothing, {"classifier": "fc"}, ("weights.classifier: the model has no such layer", "found 'fc'", "allowed: body, head"), LOAD),
    "no-such-repository": (nothing, {"hub": "someone/else"}, ("there is no such repository", "found 'someone/else'"), "hashes"),
}  # fmt: skip


@pytest.mark.parametrize("name", HUBS)
def test_a_hub_that_has_something_else(name: str, hub: Hub, mine: Path, shared_place: ProcessSandbox) -> None:
    act, changes, says, step = HUBS[name]
    text = pinned(hub, **{key: value for key, value in changes.items() if key != "hub"})
    text = text.replace(f"hub: {REPOSITORY}", f"hub: {changes.get('hub', REPOSITORY)}")
    text = text.replace("  classifier: head\n", "", 1) if "classifier" in changes else text
    act(hub)
    refused(mine, Case(name, more(text), says, step))
