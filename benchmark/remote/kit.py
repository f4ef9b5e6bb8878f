"""A kit: all that a node needs to run the units of a run, as one document of hashes in the artefact store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from benchmark.artefacts.documents import Sha256
from benchmark.artefacts.store import Artefacts
from benchmark.data.card import Card
from benchmark.data.store import Store
from benchmark.errors import InputError
from benchmark.files import Strict, canonical, digest
from benchmark.plan import Unit
from benchmark.pretrained import Located
from benchmark.provenance import harness
from benchmark.submission import Spec, Submission
from benchmark.track import Track


class Code(Strict):
    """A submission as a node gets it."""

    spec: dict[str, Any] = Field(description="what was written in its submission.yaml")
    files: dict[str, Sha256] = Field(description="its code: name and blob")


class Images(Strict):
    """A dataset at the track's size. The manifest has labels, which stay outside of the sandbox."""

    card: Card
    manifest: Sha256
    group: str
    images: Sha256


class Start(Strict):
    """ImageNet weights."""

    sha256: Sha256
    suffix: str = Field(pattern=r"^\.[a-z0-9]+$")
    reference: str
    layout: str | None
    classifier: str | None = None


class Kit(Strict):
    """What units of one run have in common."""

    format: Literal[1] = 1
    harness: str = Field(description="hash of the harness that packed it; nodes must have the same")
    track: Track
    submissions: dict[str, Code]
    datasets: dict[str, Images]
    weights: dict[str, Start]
    sandbox: str
    device: str
    threads: int = Field(ge=1)
    share: float = Field(1.0, gt=0, description="GPUs a unit or pack, also a part of one; of no use on processors")
    jobs: int | None = Field(None, ge=1, description="units at once on one node; default: as many as fit")
    pack: int = Field(1, ge=1, description="units that take turns in one process, if they can")
    beat: float = Field(10.0, gt=0, description="seconds between two signs of life of a unit")


def pack(
    artefacts: Artefacts,
    units: Iterable[Unit],
    *,
    track: Track,
    submissions: Mapping[str, Submission],
    weights: Mapping[str, Located],
    store: Store,
    sandbox: str,
    device: str,
    threads: int,
    share: float = 1.0,
    jobs: int | None = None,
    pack: int = 1,
    beat: float = 10.0,
) -> str:
    """Store all that some units need, and the kit that names it.

    Args:
        artefacts: where to.
        units: of the run.
        track: the track.
        submissions: by name.
        weights: located ImageNet weights, by submission.
        store: the workspace's datasets.
        sandbox: name of the backend.
        device: `cpu` or `cuda`; which GPU is for the node to say.
        threads: processor threads a unit.
        share: GPUs a unit, or a pack of them.
        jobs: units at once on one node.
        pack: units that take turns in one process.
        beat: seconds between two signs of life.

    Returns:
        The kit's hash.
    """
    units = list(units)
    names = sorted({unit.submission for unit in units})
    started = {unit.submission for unit in units if unit.start == "imagenet"}
    kit = Kit(
        harness=harness()["code"],
        track=track,
        submissions={name: _code(artefacts, submissions[name]) for name in names},
        datasets={name: _images(artefacts, store, name, track) for name in sorted({unit.dataset for unit in units})},
        weights={name: _start(artefacts, weights[name]) for name in names if name in started},
        sandbox=sandbox,
        device=device,
        threads=threads,
        share=share,
        jobs=jobs,
        pack=pack,
        beat=beat,
    )
    sha256 = artefacts.put(canonical(kit.model_dump(mode="json")).encode())
    artefacts.keep(sha256)
    return sha256


def _code(artefacts: Artefacts, submission: Submission) -> Code:
    files = {path.name: artefacts.put(path) for path in submission.code}
    return Code(spec=submission.spec.model_dump(mode="json", exclude_unset=True), files=files)


def _images(artefacts: Artefacts, store: Store, name: str, track: Track) -> Images:
    _, manifest, card = store.prepared(name, track.preprocess)
    path = store.prepared_path(name, track.preprocess)
    listed = artefacts.put(store.folder(name) / "manifest.csv")
    return Images(card=card, manifest=listed, group=manifest.group_by, images=artefacts.put(path))


def _start(artefacts: Artefacts, located: Located) -> Start:
    return Start(
        sha256=artefacts.put(located.path), suffix=located.path.suffix, reference=located.reference,
        layout=located.layout, classifier=located.classifier,
    )  # fmt: skip


def read(artefacts: Artefacts, sha256: str) -> Kit:
    """A kit that fits this machine's harness.

    Raises:
        InputError: when it is none, or this machine has another version of this program.
    """
    try:
        kit = Kit.model_validate_json(artefacts.get(sha256))
    except ValidationError as error:
        raise InputError("not a kit that this version can read", file=artefacts.address, found=sha256[:12]) from error
    own = harness()
    if kit.harness != own["code"]:
        raise InputError(
            "this node has another revision of karyobench than the head", field="harness",
            found=f"{own['code']} (version {own['version']})", allowed=kit.harness,
            hint="Install the same one on every node",
        )  # fmt: skip
    return kit


def code_hash(code: Code) -> str:
    """What tells two versions of a submission's files apart."""
    return digest(code.files)


def submission(code: Code, folder: Path) -> Submission:
    """A submission whose files are in a folder."""
    return Submission(Spec.model_validate(code.spec), folder, tuple(folder / name for name in sorted(code.files)))
