"""A folder on this machine, to be copied to any host.

The marker is written before the first file, as incomplete and with old and new names, and again when all is
there: whatever interrupts it, the next call knows which files are its own, and completes.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from benchmark.board.publishing.base import MARKERS, Place, Plan, Publication, What, content
from benchmark.errors import InputError
from benchmark.files import atomic, disk_errors, sha256_file


class Folder(Place):
    """A local folder."""

    kind: ClassVar[str] = "dir"
    form: ClassVar[str] = "<path>"

    def __init__(self, address: str, what: What) -> None:
        super().__init__(address, what)
        self.folder = Path(address).expanduser()
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("not a folder", file=self.folder)

    def listing(self) -> tuple[dict[str, str], str | None]:
        """Every file below the folder; links are not followed."""
        found = {}
        with disk_errors(self.folder):
            for path in sorted(self.folder.rglob("*")):
                if path.is_symlink():
                    raise InputError("holds a link; nothing is written through one", file=path)
                if path.is_file() and not _left_over(path):
                    found[path.relative_to(self.folder).as_posix()] = f"sha256:{sha256_file(path)}"
        return found, None

    def read(self, path: str) -> bytes | None:
        """A file of the folder."""
        file = self.folder / path
        return file.read_bytes() if file.is_file() else None

    def write(self, publication: Publication, plan: Plan) -> str:
        """Write what differs, each file whole or not at all; then remove what is stale."""
        marker = MARKERS[self.what]
        wanted = set(plan.of("added", "changed"))
        if wanted:
            self._put(marker, publication.marker(plan.owned, complete=False))
            for path, source in publication.everything().items():
                if path in wanted and path != marker:
                    self._put(path, content(source))
        with disk_errors(self.folder):
            for name in plan.of("removed"):
                self._remove(name)
        if plan.changes:
            self._put(marker, publication.marker())
        return f"wrote {self.folder}"

    def _put(self, path: str, data: bytes) -> None:
        with atomic(self.folder / path) as file:
            file.write(data)

    def _remove(self, name: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        for parent in path.relative_to(self.folder).parents:
            if parent == Path() or any((self.folder / parent).iterdir()):
                break
            (self.folder / parent).rmdir()


def _left_over(path: Path) -> bool:
    """Whether it is half a file of a call that was killed."""
    return path.name.startswith(".") and path.name.endswith(".part")
