"""Whether an image is what units may run in: looked at from outside, and from inside without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmark.errors import InfrastructureError
from benchmark.sandbox.context import worker_files, worker_hash
from benchmark.sandbox.image import BASE, BASE_ID, BUILD_AGAIN, ENTRYPOINT, OCI, USER, WORKER, daemon, get

LABELS = (OCI + "title", OCI + "version", OCI + "revision", WORKER, BASE, BASE_ID)

PROBE = """
import fnmatch, importlib.metadata, json, os, socket
import numpy, timm, torch, torchvision
import benchmark.training.worker
secret = ("manifest.csv", "*_labels.*")
code = (".py", ".pyc", ".pyi")
skipped = {"/proc", "/sys", "/dev", os.path.dirname(timm.__file__)}
found, ours = [], []
for top, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(top, name) not in skipped]
    found += [os.path.join(top, name) for name in files
              if any(fnmatch.fnmatch(name, p) for p in secret) and not name.endswith(code)]
for top, _, files in os.walk("/opt/karyobench"):
    ours += [os.path.relpath(os.path.join(top, name), "/opt/karyobench") for name in files if name.endswith(".py")]
versions = {n: importlib.metadata.version(n) for n in ("torch", "torchvision", "timm", "numpy")}
print(json.dumps({"user": os.getuid(), "secret": found, "ours": ours, "versions": versions,
                  "network": [name for _, name in socket.if_nameindex() if name != "lo"]}))
"""


class Finding(NamedTuple):
    """One thing that was checked."""

    ok: bool
    what: str
    found: str
    advice: str = ""


def check(reference: str) -> list[Finding]:
    """Check labels, sources, user, entry point and contents of an image, and that torch works in it.

    Args:
        reference: a tag or id.

    Raises:
        InputError: when the daemon has none of this name.
        InfrastructureError: when the daemon fails.
    """
    image = get(reference)
    with daemon() as client:
        found = client.images.get(image.id)
        return [*_outside(found.labels, found.attrs["Config"]), *_inside(client, image.id)]


def _outside(labels: dict[str, str], config: dict[str, Any]) -> Iterator[Finding]:
    absent = [name for name in LABELS if labels.get(name, "unknown") in ("", "unknown")]
    yield Finding(not absent, "labels", f"without {', '.join(absent)}" if absent else f"all {len(LABELS)}", BUILD_AGAIN)
    wanted, has = worker_hash(), labels.get(WORKER, "")
    yield Finding(has == wanted, "sources", f"{has[:12] or 'none'}, these are {wanted[:12]}", BUILD_AGAIN)
    user = config.get("User") or "root"
    yield Finding(user == USER, "user", user, f"the image must run as {USER}")
    entry = config.get("Entrypoint") or []
    yield Finding(entry == ENTRYPOINT, "entry point", " ".join(entry) or "none", f"must be {' '.join(ENTRYPOINT)}")


def _inside(client: Any, image: str) -> Iterator[Finding]:
    try:
        inside = probe(client, image)
    except InfrastructureError as error:
        yield Finding(False, "imports", str(error), "the base must have torch and torchvision for python3")
        return
    yield Finding(True, "imports", ", ".join(f"{name} {version}" for name, version in inside["versions"].items()))
    yield Finding(inside["user"] != 0, "uid", str(inside["user"]), "the image must not run as root")
    yield Finding(
        not inside["network"], "network", ", ".join(inside["network"]) or "none", "--network none is not kept"
    )
    secret = inside["secret"]
    yield Finding(not secret, "labels of images", ", ".join(secret[:5]) or "none", "take these files out of the base")
    strange = sorted(set(inside["ours"]) ^ set(worker_files()))
    yield Finding(not strange, "files of the harness", ", ".join(strange[:5]) or f"{len(inside['ours'])}", BUILD_AGAIN)


def probe(client: Any, image: str) -> dict[str, Any]:
    """What an image's own python3 finds in it, in a container that is closed like a unit's.

    Raises:
        InfrastructureError: when it fails; with the last line that it said.
    """
    import docker

    try:
        output = client.containers.run(
            image,
            entrypoint=["python3", "-P", "-c", PROBE],
            command=[],
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": "size=64m"},  # noqa: S108
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            remove=True,
            stderr=False,
        )
        return dict(json.loads(output.decode().splitlines()[-1]))
    except docker.errors.ContainerError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines() or ["nothing"]
        raise InfrastructureError(f"exit {error.exit_status}: {said[-1]}") from error
    except (ValueError, IndexError) as error:
        raise InfrastructureError("the container printed no findings") from error
