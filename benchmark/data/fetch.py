"""Getting a dataset from where its card says it can be had.

Nothing is asked of the network before the terms are accepted. The authors' own address comes
first; a mirror is as good, since an import compares every image with the manifest.
"""

from __future__ import annotations

import os
import re
import shutil
import urllib.parse
from pathlib import Path, PurePosixPath

from benchmark.data.card import Card, Source
from benchmark.data.download import Patience, Progress, UnreachableError, download
from benchmark.data.hub import snapshot
from benchmark.errors import InputError
from benchmark.files import digest, disk_errors

GITHUB = "https://codeload.github.com"
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def fetch(
    card: Card,
    folder: Path,
    *,
    accept_terms: bool,
    source: int | None = None,
    progress: Progress,
    patience: Patience | None = None,
) -> Path:
    """Download a dataset, ready for import.

    Args:
        card: which dataset.
        folder: where downloads are kept; an interrupted one continues there.
        accept_terms: whether the user has accepted the card's terms of use.
        source: position in `card.sources`, from 0; None tries all in turn, official ones first.
        progress: called with bytes done and bytes in all (None: not known).
        patience: retries and time-outs.

    Returns:
        An archive, or for a Hugging Face dataset a folder. `source_of` tells which source it is
        from, and with it which folder of it holds the images.

    Raises:
        InputError: for terms not accepted, an unknown or manual source, or when what the sources
            have is not it; names every source with its reason.
        UnreachableError: when no source gave it and at least one may on another try.
        InfrastructureError: when the disk is full or not writable.
    """
    if not accept_terms:
        cite = "".join(f"\n  {line}" for line in card.citation)
        raise InputError(
            "the terms of use have not been accepted",
            file=card.name,
            hint=f"Terms: {card.terms.strip()}\nTo be cited:{cite}\nAccept them (--accept-terms) to download",
        )
    failures: list[tuple[Source, Exception]] = []
    for chosen in _order(card, source):
        try:
            return _get(card, chosen, folder, progress, patience or Patience())
        except (InputError, UnreachableError) as error:
            failures.append((chosen, error))
    if len(failures) == 1 and source is not None:
        raise failures[0][1]
    reasons = "".join(f"\n  {describe(tried)}: {error}" for tried, error in failures)
    text = f"none of the sources gave the images:{reasons}{_by_hand(card)}"
    if any(isinstance(error, UnreachableError) for _, error in failures):
        raise UnreachableError(f"{card.name}: {text}")
    raise InputError(text, file=card.name)


def describe(source: Source) -> str:
    """One source in a few words, for lists and errors."""
    where = source.url or f"{source.repository}@{source.revision}" + (f", {source.folder}" if source.folder else "")
    return f"{source.kind} {where}{' (official)' if source.official else ''}"


def source_of(card: Card, path: Path) -> Source:
    """The source that a path returned by `fetch` came from.

    Raises:
        InputError: when it is from none of the card's sources.
    """
    for source in card.sources:
        if source.kind != "manual" and _name(card, source) == path.name:
            return source
    raise InputError("not a download of this dataset", file=path, field=card.name)


def _order(card: Card, source: int | None) -> list[Source]:
    """What to try, in order."""
    if source is not None:
        if not 0 <= source < len(card.sources):
            allowed = [f"{number} ({describe(known)})" for number, known in enumerate(card.sources)] or "(none)"
            raise InputError("no such source", file=card.name, field="source", found=source, allowed=allowed)
        if card.sources[source].kind == "manual":
            raise InputError("this source is for download by hand", file=card.name, field="source", hint=_by_hand(card))
        return [card.sources[source]]
    usable = [known for known in card.sources if known.kind != "manual"]
    if not usable:
        reason = "simulated: it is rendered here" if card.simulated else "no source that can be downloaded"
        raise InputError(f"there is nothing to download ({reason})", file=card.name, hint=_by_hand(card) or None)
    return sorted(usable, key=lambda known: not known.official)


def _by_hand(card: Card) -> str:
    pages = [known.url for known in card.sources if known.kind == "manual" and known.url]
    if not pages:
        return ""
    where = " or ".join(pages)
    return f"\n  By hand: download it from {where} and import the file: karyobench data import {card.name} PATH"


def _get(card: Card, source: Source, folder: Path, progress: Progress, patience: Patience) -> Path:
    target = folder / _name(card, source)
    if source.kind == "huggingface":
        return _snapshot(card, source, target, progress, patience)
    return download(_address(card, source), target, sha256=source.sha256, progress=progress, patience=patience)


def _address(card: Card, source: Source) -> str:
    if source.kind == "archive":
        return _required(card, source, "url")
    base = os.environ.get("KARYOBENCH_GITHUB", GITHUB).rstrip("/")
    return f"{base}/{_required(card, source, 'repository')}/tar.gz/{urllib.parse.quote(source.revision)}"


def _required(card: Card, source: Source, field: str) -> str:
    value = getattr(source, field)
    file = f"card of {card.name}"
    if not value:
        raise InputError(f"a source of kind {source.kind} needs it", file=file, field=f"sources.{field}")
    if field == "repository" and not re.fullmatch(r"\w[\w.-]*/(?!\.{1,2}$)[\w.-]+", value):
        raise InputError("not a repository", file=file, field="sources.repository", found=value, allowed="owner/name")
    return str(value)


def _name(card: Card, source: Source) -> str:
    """File or folder name of one source: another address is another name, never a stale file."""
    identity = digest([source.kind, source.url, source.repository, source.revision, source.sha256])[:8]
    if source.kind == "huggingface":
        return f"{card.name}-{identity}"
    if source.kind == "github":
        return f"{card.name}-{identity}.tar.gz"
    base = PurePosixPath(urllib.parse.urlsplit(source.url or "").path).name.lower()
    ending = max((end for end in ENDINGS if base.endswith(end)), key=len, default=".archive")
    return f"{card.name}-{identity}{ending}"


def _snapshot(card: Card, source: Source, target: Path, progress: Progress, patience: Patience) -> Path:
    """Copy one folder of a Hugging Face dataset; `target` appears when every file is there."""
    repository = _required(card, source, "repository")
    if target.is_dir():
        return target
    part = target.with_name(target.name + ".part")
    for attempt in range(1, patience.attempts + 1):
        try:
            with disk_errors(part):
                part.mkdir(parents=True, exist_ok=True)
                snapshot(repository, source.revision, source.folder.strip("/"), part, progress)
                shutil.rmtree(part / ".cache", ignore_errors=True)
                os.replace(part, target)
            return target
        except UnreachableError:
            if attempt == patience.attempts:
                raise
            patience.sleep(patience.pause * 2 ** (attempt - 1))
    raise AssertionError("a Patience has at least one attempt")
