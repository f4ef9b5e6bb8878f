"""Downloading one file: resumable, checksummed, whole or absent.

What is deliberate:

- bytes go to `<file>.part` (`benchmark.data.partial`) together with the validator of their version,
  so that a resumed file is never a mixture of two versions;
- the name `<file>` appears only after length, checksum and the archive itself have been checked;
- bytes are stored as sent: a server that labels a `.tar.gz` as gzip-encoded must not unpack it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import requests
import urllib3

from benchmark.data.importers.archive import check_whole, kind_of
from benchmark.data.partial import Partial, Version, partial
from benchmark.errors import InfrastructureError, InputError
from benchmark.files import sha256_file

MAX_BYTES = 8 * 1024**3
CHUNK = 64 * 1024
PROGRESS = 1024 * 1024
"""An attempt that gained this many bytes does not count as failed."""
LONGEST_WAIT = 30.0
USER_AGENT = "karyobench"

Progress = Callable[[int, int | None], None]


class UnreachableError(InfrastructureError):
    """The server or the network failed; another source or another day may do."""


class Patience(NamedTuple):
    """How long and how often to try.

    Attributes:
        attempts: failures in a row without progress, before giving up.
        connect: seconds to wait for a connection.
        read: seconds without a byte before an attempt counts as failed.
        pause: seconds before the second attempt; doubled for each further one.
        sleep: what waits (tests pass their own).
    """

    attempts: int = 4
    connect: float = 15.0
    read: float = 60.0
    pause: float = 1.0
    sleep: Callable[[float], None] = time.sleep


class _BrokenError(Exception):
    """One attempt failed and the next may not. `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def download(
    url: str,
    file: Path,
    *,
    progress: Progress,
    sha256: str | None = None,
    max_bytes: int = MAX_BYTES,
    patience: Patience | None = None,
) -> Path:
    """Fetch an archive, going on where an earlier call was interrupted.

    Args:
        url: http or https address.
        file: where to; an existing file that fits `sha256` is taken as it is.
        progress: called with bytes done and bytes in all (None: not announced).
        sha256: hash of the whole file, where known.
        max_bytes: no longer file is accepted.
        patience: retries and time-outs.

    Returns:
        `file`, a whole zip or tar.

    Raises:
        InputError: what the server has is not it: 403, 404, a web page, another hash, too large.
        UnreachableError: the network or server kept failing; what has arrived is kept for the next call.
        InfrastructureError: the disk is full or not writable.
    """
    if file.is_file():
        if sha256 is None or sha256_file(file) == sha256:
            progress(file.stat().st_size, file.stat().st_size)
            return file
        file.unlink()
    patience = patience or Patience()
    with partial(file) as part:
        _fill(_Job(url, part, progress, max_bytes, patience))
        try:
            _check(part.path, url, sha256)
        except InputError:
            part.discard()
            raise
        part.finish(file)
    return file


class _Job(NamedTuple):
    url: str
    part: Partial
    progress: Progress
    max_bytes: int
    patience: Patience


def _fill(job: _Job) -> None:
    """Try until the partial file is whole."""
    failures, furthest = 0, job.part.length
    with requests.Session() as session:
        while True:
            try:
                _attempt(job, session)
                return
            except _BrokenError as error:
                reached = job.part.length
                failures = 1 if reached >= furthest + PROGRESS else failures + 1
                furthest = max(furthest, reached)
                if failures >= job.patience.attempts:
                    resumable = reached and job.part.version(job.url) is not None
                    kept = f"; {reached:,} bytes are kept for the next try" if resumable else ""
                    raise UnreachableError(f"{job.url}: {error} ({failures} attempts){kept}") from error
                job.patience.sleep(max(error.wait, min(job.patience.pause * 2 ** (failures - 1), LONGEST_WAIT)))


def _attempt(job: _Job, session: requests.Session) -> None:
    """One request, from where the partial file ends.

    Raises:
        _BrokenError: when another attempt may succeed.
    """
    version = job.part.version(job.url)
    if version is None:
        job.part.restart()
    start = job.part.length
    if version is not None and version.total == start:
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT}
    if start and version is not None:
        headers |= {"Range": f"bytes={start}-", "If-Range": version.validator}
    try:
        with session.get(
            job.url, headers=headers, stream=True, timeout=(job.patience.connect, job.patience.read)
        ) as response:
            if response.status_code == 416:
                job.part.restart()
            _refuse(job.url, response)
            _receive(job, response, start, version)
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL, requests.TooManyRedirects) as error:
        raise InputError(f"no usable address: {error}", file=job.url, allowed="http or https") from error
    except requests.Timeout as error:
        raise _BrokenError("the server did not answer in time") from error
    except requests.ConnectionError as error:
        raise _BrokenError(f"no connection: {_root(error)}") from error
    except requests.RequestException as error:
        raise _BrokenError(f"the request failed: {_root(error)}") from error
    except (urllib3.exceptions.ReadTimeoutError, TimeoutError) as error:
        raise _BrokenError("the server stopped sending") from error
    except urllib3.exceptions.HTTPError as error:
        raise _BrokenError(f"the connection broke off: {_root(error)}") from error


def _receive(job: _Job, response: requests.Response, start: int, version: Version | None) -> None:
    """Append the body to the partial file, which is emptied first unless the body is its rest."""
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isascii() and length.isdigit() else None
    if response.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        same = version is not None and _same_version(response, version.validator)
        if not match or int(match[1]) != start or not same:
            job.part.restart()
            raise _BrokenError("the server sent another part of the file than asked for")
        total = None if match[3] == "*" else int(match[3])
        if version is not None and version.total is not None and total not in (None, version.total):
            job.part.restart()
            raise _BrokenError("the file's length changed on the server")
    else:
        start, validator = 0, _validator(response)
        job.part.restart(Version(url=job.url, validator=validator, total=total) if validator else None)
    if total is not None and total > job.max_bytes:
        _too_large(job, total)
    done = start
    job.progress(done, total)
    for chunk in response.raw.stream(CHUNK, decode_content=False):
        done += len(chunk)
        if done > job.max_bytes:
            _too_large(job, done)
        job.part.append(chunk)
        job.progress(done, total)
    if total is not None and done != total:
        if done > total:
            job.part.restart()
        raise _BrokenError(f"the server announced {total:,} bytes and sent {done:,}")


def _refuse(url: str, response: requests.Response) -> None:
    """Turn an error status into the right error; passes 200 and 206."""
    code = response.status_code
    if code in (200, 206):
        return
    shown = f"HTTP {code} {response.reason or ''}".strip()
    if code in (404, 410):
        raise InputError("no such file on the server", file=url, found=shown)
    if code in (401, 403, 407):
        raise InputError("the server refuses access", file=url, found=shown)
    if code in (408, 416, 425, 429) or code >= 500:
        wait = response.headers.get("Retry-After", "")
        seconds = min(float(wait), LONGEST_WAIT) if wait.isascii() and wait.isdigit() else 0.0
        raise _BrokenError(f"the server answered {shown}", seconds)
    raise InputError("the server refuses the request", file=url, found=shown)


def _validator(response: requests.Response) -> str | None:
    """What names this version of the file; a weak ETag does not promise the same bytes."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _same_version(response: requests.Response, validator: str) -> bool:
    """Whether a part belongs to the version asked for; some servers ignore `If-Range`."""
    header = "ETag" if validator.startswith('"') else "Last-Modified"
    return response.headers.get(header, validator) == validator


def _too_large(job: _Job, size: int) -> None:
    job.part.discard()
    allowed = f"at most {job.max_bytes:,} bytes"
    raise InputError("the file is too large", file=job.url, found=f"{size:,} bytes", allowed=allowed)


def _check(part: Path, url: str, sha256: str | None) -> None:
    """Raise unless a complete download is the archive that was meant."""
    if kind_of(part) is None:
        with part.open("rb") as file:
            head = file.read(64)
        page = head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))
        problem = "a web page instead of an archive (a login or an error page?)" if page else "not an archive"
        raise InputError(problem, file=url, found=head, allowed="zip, tar, tar.gz, tar.bz2, tar.xz")
    if sha256 is None:
        check_whole(part, url)
    elif (found := sha256_file(part)) != sha256:
        raise InputError("not the file that the card names: another SHA-256", file=url, found=found, allowed=sha256)


def _root(error: BaseException) -> str:
    """The innermost reason, without the object addresses that wrap it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
