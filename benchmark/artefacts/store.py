"""An artefact store.

Layout below its address::

    blobs/ab/<sha256>               checkpoints, logits, results, kits: bytes by their hash
    kits/<sha256>                   a kit that a run uses: with all that it names it is kept by `benchmark.artefacts.clean`
    units/<key>.json                a unit that has ended: see `Document`; written last and once
    claims/<key>/<generation>.json  who trains a unit now: see `benchmark.artefacts.lease`
    runs/<run>.json                 how a run is getting on: see `benchmark.status`

Every call waits for a store that does not answer, for minutes (see `Patience`). Bytes are checked against
their hash when they are read, so that what is cut off or altered is never taken for whole.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmark.artefacts.documents import Document
from benchmark.artefacts.patience import Patience
from benchmark.artefacts.places import Place, place
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from benchmark.files import canonical, disk_errors, sha256_file

T = TypeVar("T")

PROBE = "karyobench-store"
REREADS = 3

DAY = 86400.0

FRESH = DAY
"""Seconds, by this machine's clock, after which a blob that is stored again is sent again: it is not to look old."""


class MissingError(IntegrityError):
    """A blob that a document names is not in the store, or is not whole.

    Args:
        sha256: its name.
        address: of the store.
    """

    def __init__(self, sha256: str, address: str = "") -> None:
        self.sha256 = sha256
        super().__init__("a blob is missing or damaged", file=address or None, found=sha256[:12])


class Artefacts:
    """One store.

    Args:
        address: see `benchmark.artefacts.places.place`.
        patience: with a store that does not answer.
        where: its place, when it is not to be found by the address.
    """

    def __init__(self, address: str, patience: Patience | None = None, where: Place | None = None) -> None:
        self.address = address
        self.patience = patience or Patience()
        self.place = where or place(address)

    def ask(self, call: Callable[[], T], name: str = "") -> T:
        """Ask the store, patiently.

        Raises:
            FileNotFoundError: when there is no such name, or, when it is written, no such bucket.
            InputError: when the address cannot be a store, or is not open to this user.
            InfrastructureError: when it does not answer.
        """
        try:
            return self.patience(call, f"{self.address}/{name}".rstrip("/"))
        except (NotADirectoryError, IsADirectoryError) as error:
            raise InputError(f"cannot be a store: {error}", field="store", found=self.address) from error
        except PermissionError as error:
            raise InputError(f"is not open to this user: {error}", field="store", found=self.address) from error

    def check(self) -> None:
        """Ask for a read and a write, so that what is wrong with an address is said before anything is trained.

        Raises:
            InputError: when there is no such bucket or folder, or it may not be written to.
            InfrastructureError: when it does not answer.
        """

        def probe() -> None:
            self.place.write(PROBE, b"1\n")
            self.place.read(PROBE)

        try:
            self.ask(probe)
        except FileNotFoundError as error:
            raise InputError(f"there is no such store: {error}", field="store", found=self.address) from error

    @staticmethod
    def _blob(sha256: str) -> str:
        return f"blobs/{sha256[:2]}/{sha256}"

    def put(self, data: bytes | Path) -> str:
        """Store bytes or a file; returns their hash. What is there already, in its full size and new, is not sent again."""
        if isinstance(data, Path):
            sha256, size = sha256_file(data), data.stat().st_size
        else:
            sha256, size = hashlib.sha256(data).hexdigest(), len(data)
        name = self._blob(sha256)

        def store() -> None:
            found = self.place.state(name)
            if found is None or found.size != size or time.time() - found.modified > FRESH:
                self.place.write(name, data)

        self.ask(store, name)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Bytes of a blob.

        Raises:
            MissingError: when there is none, or it is damaged.
        """
        for _ in range(REREADS):
            try:
                data = self.ask(lambda: self.place.read(self._blob(sha256)))
            except FileNotFoundError:
                break
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        raise MissingError(sha256, self.address)

    def fetch(self, sha256: str, target: Path) -> None:
        """Copy a blob into a local file, which appears whole or not at all.

        Raises:
            MissingError: when there is none, or it is damaged.
            InfrastructureError: when the local disk is full.
        """
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
            os.close(handle)
            temporary = Path(name)
            try:
                for _ in range(REREADS):
                    try:
                        self.ask(lambda: self.place.fetch(self._blob(sha256), temporary))
                    except FileNotFoundError:
                        break
                    if sha256_file(temporary) == sha256:
                        os.replace(temporary, target)
                        return
                raise MissingError(sha256, self.address)
            finally:
                temporary.unlink(missing_ok=True)

    def keep(self, kit: str) -> None:
        """Say that a run uses a kit, so that it and all that it names is kept."""
        self.ask(lambda: self.place.write(f"kits/{kit}", b"1\n"))

    def discard(self, sha256: str) -> None:
        """Remove a blob that was found damaged, so that it is stored again."""
        self.ask(lambda: self.place.delete(self._blob(sha256)))

    def document(self, key: str) -> Document | None:
        """How a unit ended; None when it has not.

        Raises:
            IntegrityError: for a document that is whole and yet none.
        """
        try:
            data = self.ask(lambda: self.place.read(f"units/{key}.json"))
        except FileNotFoundError:
            return None
        try:
            return Document.model_validate_json(data)
        except ValidationError as error:
            hint = "Delete it, and the unit is trained again"
            where = f"{self.address}/units/{key}.json"
            raise IntegrityError("not a unit's document", file=where, hint=hint) from error

    def publish(self, document: Document) -> Document:
        """Say how a unit ended; returns what is believed: this document, or the one that was there first."""
        data = canonical(document.model_dump(mode="json")).encode() + b"\n"
        name = f"units/{document.key}.json"
        if self.ask(lambda: self.place.create(name, data), name):
            return document
        first = self.document(document.key)
        if first is None:
            raise InfrastructureError(f"{self.address}/{name}: was there and is gone", transient=True)
        return first

    def finished(self) -> set[str]:
        """Keys of all units that have ended."""
        names = self.ask(lambda: self.place.names("units"))
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}

    def forget(self, key: str) -> None:
        """Remove a unit's document, so that it is trained again."""
        self.ask(lambda: self.place.delete(f"units/{key}.json"))
