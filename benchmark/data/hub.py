"""One folder of a Hugging Face dataset, through the hub's own client.

The files are listed first and checked afterwards: when the hub cannot be reached the client returns
what an earlier call left behind, whole or not.
"""

from __future__ import annotations

import glob
import os
import threading
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark.data.download import MAX_BYTES, Progress, UnreachableError
from benchmark.errors import InputError, KaryoError
from benchmark.files import disk_errors

ENDPOINT = "https://huggingface.co"


def snapshot(repository: str, revision: str, folder: str, target: Path, progress: Progress) -> None:
    """Copy the files below `folder` into `target`, keeping their paths.

    The hub's address is read from `HF_ENDPOINT` at the call. Files that an earlier call finished
    are not sent again.

    Args:
        repository: owner/name of the dataset.
        revision: branch, tag or commit; HEAD is the main branch.
        folder: which folder; empty for all.
        target: where to.
        progress: called with bytes done and bytes in all.

    Raises:
        InputError: when there is no such dataset, revision or folder, or access is refused.
        UnreachableError: when the hub or the network failed.
        InfrastructureError: when the disk is full or not writable.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    where = f"huggingface dataset {repository}"
    try:
        with disk_errors(target):
            _copy(repository, revision, folder, target, progress)
    except KaryoError:
        raise
    except HFValidationError as error:
        raise InputError("not a repository", file=where, found=_first_line(error), allowed="owner/name") from error
    except HfHubHTTPError as error:
        code = error.response.status_code
        if code in (401, 403, 404):
            problem = "no such dataset, revision or file" if code == 404 else "no such dataset, or access is refused"
            raise InputError(problem, file=where, field=f"revision {revision}", found=_first_line(error)) from error
        raise UnreachableError(f"{where}: {_first_line(error)}") from error
    except Exception as error:  # the client also raises those of its HTTP library, which is another in each version
        raise UnreachableError(f"{where}: {_first_line(error)}") from error


def _copy(repository: str, revision: str, folder: str, target: Path, progress: Progress) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.hf_api import RepoFile

    where = f"huggingface dataset {repository}"
    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    api = HfApi(endpoint=endpoint)
    commit = api.dataset_info(repository, revision=None if revision == "HEAD" else revision).sha
    if commit is None:
        raise UnreachableError(f"{where}: the hub does not name the commit of {revision}")
    listed = api.list_repo_tree(repository, recursive=True, revision=commit, repo_type="dataset")
    inside = f"{folder}/" if folder else ""
    sizes = {item.path: item.size for item in listed if isinstance(item, RepoFile) and item.path.startswith(inside)}
    if not sizes:
        raise InputError("holds no such folder", file=where, field=f"revision {revision}", found=folder)
    for name in sizes:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError("a file name that leads outside", file=where, found=name)
    total = sum(sizes.values())
    if total > MAX_BYTES:
        found, allowed = f"{total:,} bytes", f"at most {MAX_BYTES:,} bytes"
        raise InputError("the dataset is too large", file=where, found=found, allowed=allowed)
    progress(0, total)
    snapshot_download(
        repository,
        repo_type="dataset",
        revision=commit,
        endpoint=endpoint,
        local_dir=target,
        cache_dir=target / ".cache" / "hub",
        allow_patterns=f"{glob.escape(folder)}/**" if folder else None,
        tqdm_class=_reporter(progress, total),
    )
    arrived = {name: (target / name).stat().st_size for name in sizes if (target / name).is_file()}
    missing = sorted(name for name, size in sizes.items() if arrived.get(name) != size)
    if missing:
        raise UnreachableError(
            f"{where}: {len(missing)} of {len(sizes)} files did not arrive whole, first {missing[0]}"
        )
    progress(total, total)


def _reporter(progress: Progress, total: int) -> Any:
    """A progress bar for the client that shows nothing and passes bytes on.

    The client opens several bars; the one of bytes written is told by its name.
    """
    from huggingface_hub.utils.tqdm import tqdm

    lock = threading.Lock()
    done = 0

    class Reporter(tqdm):  # type: ignore[misc, type-arg, unused-ignore]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts = kwargs.get("name") == "huggingface_hub.snapshot_download" and kwargs.get("unit") == "B"
            kwargs["disable"] = True
            super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call, unused-ignore]

        def update(self, n: float | None = 1) -> None:
            nonlocal done
            if self.counts and n:
                with lock:
                    done = min(total, done + int(n))
                    progress(done, total)
            super().update(n)

    return Reporter


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
