"""Where another ledger is: a folder of this machine, or a dataset on the hub."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import InputError
from benchmark.files import digest
from benchmark.ledger import Ledger

HUB = "hf:"
Progress = Callable[[int, int | None], None]


class Source(NamedTuple):
    """Another ledger, and what to call it in the records that come from it."""

    ledger: Ledger
    name: str


@contextmanager
def opened(text: str, workspace: Path, progress: Progress) -> Iterator[Source]:
    """The ledger that a text names; a download is kept until all went well, so that the next call goes on.

    Args:
        text: `hf:<owner>/<name>`, or a folder that is, or holds, a ledger.
        workspace: below which is downloaded.
        progress: told of bytes done and bytes in all.

    Raises:
        InputError: when there is none.
        InfrastructureError: when the hub or the network failed.
    """
    if not text.startswith(HUB):
        yield _local(Path(text).expanduser())
        return
    from benchmark.data.hub import snapshot

    folder = workspace / f".pull-{digest(text)[:12]}"
    snapshot(text.removeprefix(HUB), "HEAD", "ledger", folder, progress)
    yield Source(Ledger(folder / "ledger"), text)
    shutil.rmtree(folder, ignore_errors=True)


def _local(path: Path) -> Source:
    """The name is the folder's own: a path of this machine says nothing to others."""
    for folder in (path, path / "ledger"):
        if (folder / "records.jsonl").is_file():
            holder = folder.resolve().parent if folder.name == "ledger" or folder.resolve().name == "ledger" else folder
            return Source(Ledger(folder), f"folder {holder.resolve().name}")
    raise InputError(
        "no ledger",
        field="FROM",
        found=str(path),
        allowed="hf:<owner>/<name>, or a folder with ledger/ or records.jsonl",
    )
