"""The image in which units run: built from the worker's part of this package, found again by its labels.

A hash over all that decides the image's contents is one of its labels, so that an image of older sources is never taken
by mistake. Images are told apart by the content id that the daemon computes; no digest is written by hand anywhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import benchmark
from benchmark.errors import InfrastructureError, InputError
from benchmark.provenance import harness
from benchmark.sandbox import packages
from benchmark.sandbox.context import default_base, packed, requirements, shipped_file, worker_files, worker_hash

REPOSITORY = "karyobench-worker"

BUILD_NETWORK = "KARYOBENCH_BUILD_NETWORK"
"""Variable with docker's network mode while an image is built, for machines whose bridge leads nowhere."""

PIP_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_DEFAULT_TIMEOUT")
"""Handed from the environment to pip while an image is built; a path among them is one inside the base."""

NETWORK_SIGNS = ("Retrying (", "NameResolutionError", "NewConnectionError", "ConnectTimeout", "SSLError", "ReadTimeout")
"""Of pip's log: it failed because it could not reach its index, not because of what it was asked for."""

USER = "10001:10001"
ENTRYPOINT = ["python3", "-P", "-m", "benchmark.start_worker"]
OCI, OWN = "org.opencontainers.image.", "org.karyobench."
WORKER, BASE, BASE_ID, REQUIREMENTS = (OWN + name for name in ("worker", "base", "base-id", "requirements"))
BUILD_AGAIN = "Run: karyobench image build"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Say = Callable[[str], None]


def quiet(line: str) -> None:
    """What a build says goes nowhere; its errors carry the end of it."""


class Built(NamedTuple):
    """An image of the daemon.

    Args:
        tag: its first tag, or its id where it has none.
        id: the content id of its configuration, `sha256:...`.
        digests: those under which registries know it; none until it is pushed or pulled.
        version: of the harness in it.
        revision: hash over all of that harness's sources.
        worker: hash over what decides the image's contents, see `worker_hash`.
        base: name of the image it was built on; for a derived image, the harness's.
        base_id: content id of that one.
        requirements: hash of a submission's extra packages; empty for the harness's own image.
        size: bytes, with those of the base.
        created: when, as the daemon says (ISO 8601).
    """

    tag: str
    id: str
    digests: tuple[str, ...]
    version: str
    revision: str
    worker: str
    base: str
    base_id: str
    requirements: str
    size: int
    created: str


class BuildFailedError(Exception):
    """A step of a build failed; `log` is all that the build said."""

    def __init__(self, problem: str, log: str) -> None:
        self.log = log
        super().__init__(problem)


@contextmanager
def daemon() -> Iterator[Any]:
    """A client of the docker daemon, closed at the end.

    Raises:
        InfrastructureError: when none answers, it may not be used, or it is lost on the way.
    """
    import docker
    import requests

    try:
        client = docker.from_env(timeout=600)
    except docker.errors.DockerException as error:
        if "Permission" in str(error):
            raise InfrastructureError(
                "this user may not use the docker daemon. Join the group docker (and log in again), or use rootless docker"
            ) from error
        raise InfrastructureError(
            "no docker daemon answers. Install docker and start it (sudo systemctl start docker), or set DOCKER_HOST"
        ) from error
    try:
        yield client
    except docker.errors.DockerException as error:
        raise InfrastructureError(f"the docker daemon says: {getattr(error, 'explanation', None) or error}") from error
    except requests.exceptions.RequestException as error:
        raise InfrastructureError(f"the docker daemon was lost: {type(error).__name__}", transient=True) from error
    finally:
        client.close()


def build(base: str | None = None, *, tag: str | None = None, say: Say = quiet) -> Built:
    """Build the harness's image; the daemon's cache makes it quick where nothing changed.

    Args:
        base: an image with torch and torchvision; default: the Dockerfile's. Pulled where it is not here.
        tag: default: one made of version and worker hash.
        say: called with each line of the build.

    Raises:
        InputError: when the base cannot be had.
        InfrastructureError: when the daemon or a step fails.
    """
    base, worker = base or default_base(), worker_hash()
    tag = tag or f"{REPOSITORY}:{benchmark.__version__}-{worker[:12]}"
    files = {**worker_files(), "Dockerfile": shipped_file("Dockerfile").read_bytes()}
    with daemon() as client:
        arguments = {
            "BASE_IMAGE": base, "BASE_ID": _base_id(client, base, say), "REQUIREMENTS": " ".join(requirements()),
            "VERSION": benchmark.__version__, "REVISION": harness()["code"], "WORKER": worker,
        }  # fmt: skip
        try:
            return _build(client, files, tag, arguments, say)
        except BuildFailedError as error:
            unreachable = any(sign in error.log for sign in NETWORK_SIGNS)
            raise InfrastructureError(f"no image can be built on {base}: {error}", transient=unreachable) from error


def derive(base: Built, requirements: Path, *, say: Say = quiet) -> Built:
    """The harness's image with a submission's extra packages; built once for the same image and lines.

    Only this build has a network, and only pip uses it: wheels with known hashes, so nothing of a package runs yet.

    Args:
        base: from `find`.
        requirements: the submission's `requirements.txt`.
        say: called with each line of the build.

    Raises:
        InputError: for a line that is not allowed, a package that does not fit its hash or is not there, or one that
            would replace what the image has.
        InfrastructureError: when the daemon fails or the index cannot be reached.
    """
    text = packages.read_requirements(requirements)
    recipe = "\0".join((base.id, packages.DOCKERFILE, packages.GUARD, text))
    wanted = hashlib.sha256(recipe.encode()).hexdigest()
    tag = f"{REPOSITORY}:{base.version}-{base.worker[:12]}-{wanted[:12]}"
    files = {"Dockerfile": packages.DOCKERFILE, "guard.py": packages.GUARD, "requirements.txt": text}
    arguments = {"HARNESS": base.id, "BASE": base.tag, "BASE_ID": base.id, "HASH": wanted}
    with daemon() as client:
        for image in client.images.list(tag, filters={"label": f"{REQUIREMENTS}={wanted}", "dangling": False}):
            return _describe(image)
        try:
            return _build(client, {name: body.encode() for name, body in files.items()}, tag, arguments, say)
        except BuildFailedError as error:
            if any(sign in error.log for sign in NETWORK_SIGNS):
                raise InfrastructureError(f"packages cannot be fetched: {error}", transient=True) from error
            raise InputError(f"these packages cannot be added to the image: {error}", file=requirements) from error


def _base_id(client: Any, base: str, say: Say) -> str:
    import docker

    try:
        return str(client.images.get(base).id)
    except docker.errors.ImageNotFound:
        say(f"pulling {base}")
    try:
        return str(client.images.pull(base).id)
    except docker.errors.APIError as error:
        raise InputError("the base image is not here and cannot be pulled", field="--base", found=base,
                         hint=f"Docker says: {error.explanation or error}") from error  # fmt: skip


def _build(client: Any, files: Mapping[str, bytes], tag: str, arguments: Mapping[str, str], say: Say) -> Built:
    """Have the daemon build a context that holds a `Dockerfile`; pip's settings come from the environment."""
    settings = {name: os.environ[name] for name in PIP_SETTINGS if os.environ.get(name)}
    events = client.api.build(
        fileobj=packed(files), custom_context=True, tag=tag, buildargs={**settings, **arguments},
        network_mode=os.environ.get(BUILD_NETWORK), rm=True, forcerm=True, decode=True,
    )  # fmt: skip
    log: list[str] = []
    for event in events:
        for line in COLOUR.sub("", event.get("stream", "")).splitlines():
            if line.strip():
                log.append(line)
                say(line)
        if "error" in event:
            told = [line for line in log if not line.startswith((" --->", "Removing intermediate", "Step "))]
            log.append(str(event["error"]))
            problem = " | ".join(line.strip() for line in told[-3:])[-600:] or log[-1]
            if "no space left" in "\n".join(log).lower():
                raise InfrastructureError(f"the disk of docker is full; docker system prune frees some: {problem}")
            raise BuildFailedError(problem, "\n".join(log))
    return _describe(client.images.get(tag))


def _describe(image: Any) -> Built:
    labels = image.labels
    return Built(
        tag=(image.tags or [image.id])[0],
        id=image.id,
        digests=tuple(image.attrs.get("RepoDigests") or ()),
        version=labels.get(OCI + "version", ""),
        revision=labels.get(OCI + "revision", ""),
        worker=labels.get(WORKER, ""),
        base=labels.get(BASE, ""),
        base_id=labels.get(BASE_ID, ""),
        requirements=labels.get(REQUIREMENTS, ""),
        size=image.attrs["Size"],
        created=image.attrs["Created"],
    )


def images() -> list[Built]:
    """Every image of this harness that has a tag, newest first; derived ones too.

    Those without a tag are steps of a build: they inherit the labels, but not the user or the contents of its end.
    """
    with daemon() as client:
        found = [_describe(image) for image in client.images.list(filters={"label": WORKER, "dangling": False})]
    return sorted(found, key=lambda image: image.created, reverse=True)


def newest() -> Built:
    """The harness's own image that was built last, of whatever sources.

    Raises:
        InputError: when there is none.
    """
    known = [image for image in images() if not image.requirements]
    if not known:
        raise InputError("there is no image of the worker yet", field="image", hint=BUILD_AGAIN)
    return known[0]


def get(reference: str) -> Built:
    """One image by tag or id, of whatever sources.

    Raises:
        InputError: when the daemon has none of this name.
    """
    import docker

    with daemon() as client:
        try:
            return _describe(client.images.get(reference))
        except docker.errors.ImageNotFound as error:
            raise InputError("no image of this name", field="image", found=reference, hint=BUILD_AGAIN) from error


def find(reference: str | None = None) -> Built:
    """The image to run units in: that of the present sources.

    Args:
        reference: a tag or id; default: the newest image that fits.

    Raises:
        InputError: when there is none, or the one named was built from other sources.
    """
    wanted = worker_hash()
    if reference is not None:
        named = get(reference)
        if named.worker != wanted:
            raise InputError("this image was built from other sources", file=reference, field=WORKER,
                             found=named.worker[:12], allowed=wanted[:12], hint=BUILD_AGAIN)  # fmt: skip
        return named
    for image in images():
        if image.worker == wanted and not image.requirements:
            return image
    raise InputError("every image of the worker is stale", field="image", found=newest().tag, hint=BUILD_AGAIN)
