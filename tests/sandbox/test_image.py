"""Building, finding and deriving images; those parts that need one want a daemon and the stand-in base."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from benchmark.errors import InfrastructureError, InputError
from benchmark.files import sha256_file
from benchmark.sandbox import image, image_check
from benchmark.sandbox.context import packed, worker_hash
from benchmark.sandbox.image import Built
from benchmark.training.kernels import Loops

BASE = os.environ.get("KARYOBENCH_TEST_BASE", "karyobench-base:ci")
Variant = Callable[[str], Built]


@pytest.fixture(scope="session")
def worker_image() -> Built:
    """The image of these sources on the stand-in base; skips where there is no daemon or no base."""
    try:
        image.get(BASE)
    except (InfrastructureError, InputError) as error:
        if os.environ.get("KARYOBENCH_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"{error} (see .ci/dockerd and .ci/base-image)")
    return image.build(BASE)


@pytest.fixture
def variant(worker_image: Built) -> Iterator[Variant]:
    """Builds images from the worker's with a few more lines; they are removed at the end."""
    with image.daemon() as client:
        made: list[str] = []

        def build(lines: str, **labels: str) -> Built:
            dockerfile = f"FROM {worker_image.id}\n{lines}\n"
            found, _ = client.images.build(
                fileobj=packed({"Dockerfile": dockerfile.encode()}), custom_context=True, rm=True, labels=labels
            )
            made.append(found.id)
            return image.get(found.id)

        yield build
        for name in made:
            with contextlib.suppress(docker.errors.APIError):  # the steps of a failed build hold their base
                client.images.remove(name, force=True)


def test_no_daemon_is_one_plain_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(InfrastructureError, match=r"no docker daemon answers\. Install docker and start it") as caught:
        image.find()
    assert not caught.value.transient and "Traceback" not in str(caught.value)


def test_a_daemon_that_is_not_ours_to_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise docker.errors.DockerException("('Connection aborted.', PermissionError(13, 'Permission denied'))")

    monkeypatch.setattr(docker, "from_env", refuse)
    with pytest.raises(InfrastructureError, match="Join the group docker"):
        image.images()


@pytest.mark.parametrize(
    ("error", "told", "transient"),
    [
        (docker.errors.APIError("x", explanation="no such thing"), "daemon says: no such thing", False),
        (requests.exceptions.ReadTimeout("x"), "daemon was lost: ReadTimeout", True),
    ],
)
def test_what_goes_wrong_on_the_way_is_the_machines_failure(
    error: Exception, told: str, transient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "from_env", lambda **_: Failing())
    with pytest.raises(InfrastructureError, match=told) as caught, image.daemon():
        raise error
    assert caught.value.transient == transient


class Failing:
    """A daemon whose build says some lines and fails."""

    def __init__(self, *said: str) -> None:
        self.api, self.images, self.said = self, self, said

    def close(self) -> None:
        pass

    def list(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def build(self, **_: Any) -> Iterator[dict[str, str]]:
        yield from ({"stream": line + "\n"} for line in self.said)
        yield {"error": "The command '/bin/sh -c a very long line' returned a non-zero code: 1"}


def failed(*said: str) -> image.BuildFailedError:
    with pytest.raises(image.BuildFailedError) as caught:
        image._build(Failing(*said), {}, "tag", {}, image.quiet)
    return caught.value


def test_a_failed_build_says_its_last_lines_without_colours() -> None:
    error = failed(
        "Step 1/2 : RUN x",
        " ---> Running in 0",
        "\x1b[91mERROR: no such package\x1b[0m",
        "Removing intermediate container 0",
    )
    assert str(error) == "ERROR: no such package"
    assert "very long line" in str(failed()), "an error before the first line is said itself"


def test_a_full_disk_is_the_machines_failure() -> None:
    with pytest.raises(InfrastructureError, match="the disk of docker is full"):
        image._build(Failing("write /opt/x: no space left on device"), {}, "tag", {}, image.quiet)


NOBODY = Built("t:1", "sha256:0", (), "1", "r", "w", "b", "sha256:1", "", 1, "2026")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("WARNING: Retrying (Retry(total=4)) after connection broken by NewConnectionError", InfrastructureError),
        ("ERROR: No matching distribution found for x==1", InputError),
    ],
)
def test_an_index_out_of_reach_is_not_the_submissions_fault(
    said: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Failing(said)
    monkeypatch.setattr(image, "daemon", lambda: contextlib.nullcontext(client))
    file = tmp_path / "requirements.txt"
    file.write_text(f"x==1 --hash=sha256:{'1' * 64}\n")
    with pytest.raises(error, match=re.escape(said)):
        image.derive(NOBODY, file)


@pytest.mark.docker
@pytest.mark.slow
class TestDocker:
    def test_build_is_described_and_cached(self, worker_image: Built) -> None:
        said: list[str] = []
        again = image.build(BASE, say=said.append)
        assert again.id == worker_image.id and again.id.startswith("sha256:")
        assert sum("Using cache" in line for line in said) > 20
        assert (again.worker, again.base, again.requirements) == (worker_hash(), BASE, "")
        assert (
            again.base_id == image.get(BASE).id and again.size > 10**9 and again.tag in {i.tag for i in image.images()}
        )

    def test_check_finds_nothing_wrong(self, worker_image: Built) -> None:
        findings = image_check.check(worker_image.tag)
        assert [finding for finding in findings if not finding.ok] == []
        assert {"labels", "sources", "user", "imports", "labels of images", "network"} <= {f.what for f in findings}

    def test_a_unit_compiles_no_loops(self, worker_image: Built) -> None:
        """As a unit runs: another user, nothing to write but its scratch space."""
        code = "from benchmark.training.kernels import loops; print([sum(one.stats.cache_hits.values()) for one in loops()])"
        with image.daemon() as client:
            said = client.containers.run(
                worker_image.id, ["-P", "-c", code], entrypoint="python3", remove=True, read_only=True,
                network_mode="none", cap_drop=["ALL"], tmpfs={"/tmp": "size=64m"},
            )  # fmt: skip
        assert said == f"{[1] * len(Loops._fields)}\n".encode()

    def test_check_finds_what_is_wrong(self, variant: Variant) -> None:
        bad = variant(
            'USER root\nRUN touch /opt/manifest.csv /opt/train_labels.npy\nRUN rm -rf /opt/karyobench/benchmark/track.py\nENTRYPOINT ["sh"]\n'
            'LABEL org.karyobench.worker="0000" org.karyobench.base-id=""'
        )
        wrong = {finding.what: finding.found for finding in image_check.check(bad.id) if not finding.ok}
        assert set(wrong) == {"labels", "sources", "user", "entry point", "imports"}
        assert "base-id" in wrong["labels"] and wrong["user"] == "root" and "track" in wrong["imports"]

    def test_check_looks_for_labels_of_images(self, variant: Variant) -> None:
        bad = variant(
            "USER root\nRUN touch /opt/manifest.csv /opt/train_labels.npy /opt/karyobench/x.py\nUSER 10001:10001"
        )
        wrong = {finding.what: finding.found for finding in image_check.check(bad.id) if not finding.ok}
        assert wrong == {"labels of images": "/opt/manifest.csv, /opt/train_labels.npy", "files of the harness": "x.py"}

    def test_find(self, worker_image: Built, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
        assert image.find().worker == image.find(worker_image.tag).worker == worker_hash()
        step, derived = variant("USER root"), variant("LABEL org.karyobench.requirements=abc")
        with image.daemon() as client:
            client.images.get(derived.id).tag(f"karyobench-test:{derived.id[-12:]}")
        listed = {one.id for one in image.images()}
        assert derived.id in listed and step.id not in listed, "a step of a build inherits labels, but is no image"
        assert image.find().requirements == "", "one with extra packages is nobody else's"
        stale = variant("LABEL org.karyobench.worker=0000")
        with pytest.raises(InputError, match=r"built from other sources; found '0000'; .* Run: karyobench image build"):
            image.find(stale.id)
        monkeypatch.setattr(image, "worker_hash", lambda: "f" * 64)
        with pytest.raises(InputError, match=r"every image of the worker is stale; .* Run: karyobench image build"):
            image.find()
        monkeypatch.setattr(image, "images", list)
        with pytest.raises(InputError, match=r"there is no image of the worker yet. Run: karyobench image build"):
            image.find()
        with pytest.raises(InputError, match="no image of this name; found 'nobody/nothing:here'"):
            image.find("nobody/nothing:here")

    def test_a_base_without_torch_cannot_be_built_on(self, worker_image: Built, variant: Variant) -> None:
        bare = variant("USER root\nRUN rm -rf /usr/local/lib/python3*/dist-packages/torch*")
        with pytest.raises(InfrastructureError, match=f"no image can be built on {bare.id}: .*PackageNotFoundError"):
            image.build(bare.id, tag="karyobench-test:never")

    def test_a_base_that_is_nowhere(self, worker_image: Built) -> None:
        with pytest.raises(
            InputError, match=r"--base: the base image is not here and cannot be pulled; found 'nobody.invalid/x:1'"
        ):
            image.build("nobody.invalid/x:1")

    def test_pip_settings_leave_no_trace(self, worker_image: Built) -> None:
        with image.daemon() as client:
            told = str(
                [client.images.get(worker_image.id).attrs["Config"], client.images.get(worker_image.id).history()]
            )
        assert "PIP_" not in told and "pip install" not in told


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """An index on this machine; the yielded function adds a wheel with one module and gives its requirement line."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
        monkeypatch.setenv(image.BUILD_NETWORK, "host")
        yield functools.partial(add_wheel, tmp_path / "simple")
        server.shutdown()


def add_wheel(folder: Path, module: str) -> str:
    name = f"kb_{module}_test"
    file = folder / name.replace("_", "-") / f"{name}-1.0-py3-none-any.whl"
    file.parent.mkdir(parents=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{module}.py", "VALUE = 7\n")
        info = f"{name}-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}==1.0 --hash=sha256:{sha256_file(file)}\n"


@pytest.mark.docker
@pytest.mark.slow
class TestDerive:
    def test_a_package_is_added_once_and_for_this_image(
        self, worker_image: Built, index: Callable[[str], str], tmp_path: Path
    ) -> None:
        file = tmp_path / "requirements.txt"
        file.write_text(index(f"extra{os.getpid()}"))
        made = image.derive(worker_image, file)
        assert made.base_id == worker_image.id and made.worker == worker_image.worker and made.requirements
        file.write_text(f"# the same package\n{file.read_text()}")
        said: list[str] = []
        assert image.derive(worker_image, file, say=said.append) == made and said == []
        assert [finding for finding in image_check.check(made.tag) if not finding.ok] == []
        run = ["python3", "-P", "-c", f"import extra{os.getpid()} as e, os; print(e.VALUE, e.__file__, os.getuid())"]
        with image.daemon() as client:
            told = client.containers.run(made.id, entrypoint=run, command=[], network_mode="none", remove=True)
            history = str(client.images.get(made.id).history())
            client.images.remove(made.tag, force=True)
        assert told.decode() == f"7 /opt/submission/extra{os.getpid()}.py 10001\n"
        assert "127.0.0.1" not in history, "the index's address is not kept"

    @pytest.mark.parametrize("module", ["timm", "json", "sitecustomize"])
    def test_nothing_of_the_image_is_replaced_under_another_name(
        self, worker_image: Built, index: Callable[[str], str], tmp_path: Path, module: str
    ) -> None:
        file = tmp_path / "requirements.txt"
        file.write_text(index(module))
        with pytest.raises(InputError, match=f"cannot be added to the image: .*would replace {module}.py"):
            image.derive(worker_image, file)

    def test_another_hash_is_refused(self, worker_image: Built, index: Callable[[str], str], tmp_path: Path) -> None:
        file = tmp_path / "requirements.txt"
        index("other")
        file.write_text(f"kb_other_test==1.0 --hash=sha256:{'0' * 64}\n")
        with pytest.raises(InputError, match=r"cannot be added to the image: .*Expected sha256 0000"):
            image.derive(worker_image, file)
