"""Prints of networks, taken in a process or a container of their own: no submitted code runs in this one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, RootModel, ValidationError

from benchmark.checking.place import choose
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import Strict
from benchmark.sandbox.base import GIB, Limits
from benchmark.submission import ImageSizes, Submission

SECONDS = 300
MOST = 1 << 20
"""Bytes of an answer that are read."""

ANY_SIZE = ImageSizes(min=1)


class Print(Strict):
    """What one network is known by, as the sandbox tells it; see `benchmark.training.structure.Prints`."""

    graph: str = Field("", max_length=64)
    training: str = Field("", max_length=64)
    answer: tuple[float, ...] | None = Field(None, max_length=10_000)
    parameters: int = 0
    error: str | None = Field(None, max_length=5000)


_Told = RootModel[dict[str, Print]]


def resolve(sandbox: str) -> tuple[str, str | None]:
    """The way that a name of a sandbox stands for, and what must be said of it; see `benchmark.checking.place.choose`.

    Raises:
        InputError: for an unknown name, or a sandbox that networks are not compared in.
        InfrastructureError: when a sandbox that was asked for does not answer.
    """
    if sandbox not in ("auto", *WAYS):
        raise InputError("no such sandbox", field="sandbox", found=sandbox, allowed=("auto", *WAYS))
    place = choose(sandbox)
    place.sandbox.close()
    return place.sandbox.name, place.warning


def take(
    submissions: Sequence[Submission], image_size: int, sandbox: str = "process", seconds: float = SECONDS
) -> dict[str, Print]:
    """Prints of some networks by name, all at one image size, whatever sizes they are declared for.

    Args:
        submissions: whose networks; they share a process, so that code of strangers comes alone, and so does what
            brings packages of its own.
        image_size: side of the images, in pixels.
        sandbox: `process` or `docker`.
        seconds: for all of them.

    Raises:
        InputError: when the code does not end in time, ends its process, or answers nonsense.
        InfrastructureError: when the machine fails.
    """
    names = ", ".join(one.name for one in submissions)
    with _asked(submissions, image_size) as folder:
        said = WAYS[sandbox](folder, Limits(seconds, 1, memory=8 * GIB), names)
    try:
        found = _Told.model_validate_json(said.strip().splitlines()[-1] if said.strip() else b"").root
    except (ValidationError, ValueError) as error:
        raise InputError("says nothing about the network that can be read", field="model", found=names) from error
    return {one.name: found.get(one.name, Print(error="nothing was said of it")) for one in submissions}


@contextmanager
def _asked(submissions: Sequence[Submission], image_size: int) -> Iterator[Path]:
    """The folder that the sandbox reads."""
    from benchmark.resources import PACKAGE

    with tempfile.TemporaryDirectory(prefix="karyobench-") as name:
        folder = Path(name)
        models: Mapping[str, Any] = {
            one.name: one.spec.model.model_copy(update={"image_size": ANY_SIZE}).model_dump(mode="json")
            for one in submissions
        }
        (folder / "ask.json").write_text(json.dumps({"image_size": image_size, "models": models}), encoding="utf-8")
        shutil.copyfile(PACKAGE / "training" / "structure.py", folder / "structure.py")
        for one in submissions:
            code = folder / "code" / one.name
            code.mkdir(parents=True)
            for file in one.code:
                shutil.copyfile(file, code / file.name)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def _process(folder: Path, limits: Limits, names: str) -> bytes:
    from benchmark.sandbox.process import environment
    from benchmark.start_worker import PARENT

    surroundings = environment(limits) | {PARENT: str(os.getpid())}
    command = [sys.executable, "-P", str(folder / "structure.py"), str(folder)]
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, env=surroundings,
            cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            code = child.wait(limits.seconds)
        except subprocess.TimeoutExpired as error:
            raise _slow(names, limits) from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if code:
            raise InputError(f"building the network ended its process (exit {code})", field="model", found=names)
        out.seek(0)
        return out.read(MOST)


def _docker(folder: Path, limits: Limits, names: str) -> bytes:
    from docker.errors import APIError, NotFound
    from docker.types import Mount
    from requests.exceptions import ConnectionError as NoAnswer
    from requests.exceptions import ReadTimeout

    from benchmark.sandbox.docker import options
    from benchmark.sandbox.image import daemon, derive, find
    from benchmark.sandbox.owner import reap

    built = find(os.environ.get("KARYOBENCH_IMAGE") or None)
    for needed in folder.glob("code/*/requirements.txt"):
        built = derive(built, needed)
    with daemon() as client:
        reap(client)
        container = client.containers.create(
            **options(built, limits), entrypoint=["python3", "-P", "/inputs/structure.py"], command=["/inputs"],
            mounts=[Mount("/inputs", str(folder), type="bind", read_only=True)],
        )  # fmt: skip
        try:
            container.start()
            code = int(container.wait(timeout=limits.seconds)["StatusCode"])
            said: bytes = container.logs(stdout=True, stderr=False, tail=1)[-MOST:]
        except (ReadTimeout, NoAnswer) as error:
            raise _slow(names, limits) from error
        except APIError as error:
            raise InfrastructureError(f"the container cannot run: {error.explanation}") from error
        finally:
            with contextlib.suppress(APIError, NotFound):
                container.remove(force=True, v=True)
    if code:
        raise InputError(f"building the network ended its container (exit {code})", field="model", found=names)
    return said


def _slow(names: str, limits: Limits) -> InputError:
    return InputError(f"the network was not built after {limits.seconds:.0f} s", field="model", found=names)


WAYS = {"process": _process, "docker": _docker}
