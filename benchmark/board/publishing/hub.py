"""A repository on the Hugging Face hub: a static Space for the board, a dataset for the results.

Everything is one commit on top of the one that was compared with, so that nothing half-published can be
seen. Large files go first; one that arrived is not sent again. When the connection is lost, what is there is
compared anew before anything is sent again: the commit may have been made and only its answer lost.
"""

from __future__ import annotations

import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from benchmark.board.publishing.base import Place, Plan, Publication, What
from benchmark.errors import InfrastructureError, InputError, KaryoError
from benchmark.files import disk_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi

README = "README.md"
_FRONT = re.compile(r"\A---\r?\n(.*?)^---\r?\n?", re.DOTALL | re.MULTILINE)
_TYPES: dict[What, str] = {"board": "space", "results": "dataset"}
LOGIN = "Set HF_TOKEN to a token that may write, or run: hf auth login"
PAUSES = (1.0, 3.0, 9.0)
"""Seconds before each new attempt when the hub or the way to it fails; its client retries much by itself."""

SPACE = b"""---
title: KaryoBench
sdk: static
pinned: false
---

The board of [KaryoBench](index.html): does pre-training on a related stain help a chromosome classifier?
Every figure on it is computed from published predictions.
"""


class Hub(Place):
    """One repository of the hub; its address is read from `HF_ENDPOINT` at the call."""

    kind: ClassVar[str] = "hf"
    form: ClassVar[str] = "<owner>/<name>"
    tolerated: ClassVar[frozenset[str]] = frozenset({README, ".gitattributes", "LICENSE"})
    replaceable: ClassVar[frozenset[str]] = frozenset({"index.html", "style.css"})
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(self, address: str, what: What) -> None:
        super().__init__(address, what)
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", address):
            raise InputError("not a repository", field="hf", found=address, allowed="owner/name")
        self.type = _TYPES[what]
        self.state: str | None = None

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        from benchmark.pretrained import endpoint

        return HfApi(endpoint=endpoint())

    def _asked(self, action: Callable[[], Any]) -> Any:
        """Do what may be done twice, again after failures that may pass."""
        pauses = list(PAUSES)
        while True:
            try:
                with _errors(self):
                    return action()
            except InfrastructureError as error:
                if not error.transient or not pauses:
                    raise
                self.sleep(pauses.pop(0))

    def listing(self) -> tuple[dict[str, str], str | None]:
        """Files of the main branch: SHA-256 of large ones, else what git names them."""
        return self._asked(self._listing)  # type: ignore[no-any-return]

    def _listing(self) -> tuple[dict[str, str], str | None]:
        from huggingface_hub.errors import RepositoryNotFoundError
        from huggingface_hub.hf_api import RepoFile

        api = self._api()
        try:
            self.state = api.repo_info(self.address, repo_type=self.type).sha
        except RepositoryNotFoundError:
            self.state = None
            return {}, None
        tree = api.list_repo_tree(self.address, repo_type=self.type, revision=self.state, recursive=True)
        files = [item for item in tree if isinstance(item, RepoFile)]
        return {f.path: f"sha256:{f.lfs.sha256}" if f.lfs else f"blob-sha1:{f.blob_id}" for f in files}, self.state

    def read(self, path: str) -> bytes | None:
        """A file as it was when the repository was last listed."""
        if self.state is None and self.listing()[1] is None:
            return None
        return self._asked(lambda: self._read(path))  # type: ignore[no-any-return]

    def _read(self, path: str) -> bytes | None:
        from huggingface_hub.errors import EntryNotFoundError

        with tempfile.TemporaryDirectory(prefix="karyobench-") as folder, disk_errors(Path(folder)):
            try:
                found = self._api().hf_hub_download(
                    self.address, path, repo_type=self.type, revision=self.state, local_dir=folder
                )
            except EntryNotFoundError:
                return None
            return Path(found).read_bytes()

    def prepared(self, publication: Publication) -> Publication:
        """With a README.md that says what kind of Space this is, where none does; the rest of it stays."""
        if self.what != "board":
            return publication
        found = self.read(README)
        if found is None:
            return replace(publication, absent={**publication.absent, README: SPACE})
        text = found.decode("utf-8", errors="replace")
        front = _FRONT.match(text)
        said = self._front_matter(front[1] if front else "")
        if said.get("sdk") not in (None, "static"):
            raise InputError(
                "this Space runs a program", file=f"{self}/{README}", field="sdk", found=said["sdk"], allowed="static"
            )
        if "sdk" in said:
            return publication
        kept, body = (front[1], text[front.end() :]) if front else ("", text)
        return replace(publication, completed={README: f"---\n{kept}sdk: static\n---\n{body}".encode()})

    def _front_matter(self, text: str) -> dict[str, Any]:
        try:
            said = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise InputError("the front matter is not YAML", file=f"{self}/{README}") from error
        if not isinstance(said, dict):
            raise InputError("the front matter must be keys and values", file=f"{self}/{README}")
        return said

    def write(self, publication: Publication, plan: Plan) -> str:
        """One commit on what was compared with; the repository is made when there is none."""
        from huggingface_hub import get_token

        with _errors(self):
            if not get_token():
                raise InputError("no token of the hub", file=str(self), hint=LOGIN)
        if plan.state is None:
            self._asked(self._create)
            publication = self.prepared(publication)
            plan = self.compare(publication)  # a new repository is not empty
        start, pauses = plan.state, list(PAUSES)
        while plan.changes:
            try:
                with _errors(self), _quiet():
                    self._commit(publication, plan)
                break
            except InfrastructureError as error:
                if not error.transient or not pauses:
                    raise
                self.sleep(pauses.pop(0))
                plan = self.compare(publication)
                if plan.changes and plan.state != start:
                    raise _moved(self) from error
        return f"published: {self._api().endpoint}/{self.type}s/{self.address}"

    def _create(self) -> None:
        sdk = "static" if self.type == "space" else None
        self._api().create_repo(self.address, repo_type=self.type, space_sdk=sdk, exist_ok=True)

    def _commit(self, publication: Publication, plan: Plan) -> None:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        sources = publication.everything()
        changes: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(name, sources[name]) for name in plan.of("added", "changed")),
            *(CommitOperationDelete(name, is_folder=False) for name in plan.of("removed")),
        ]
        self.state = self._api().create_commit(
            self.address, changes, repo_type=self.type, commit_message=publication.message, parent_commit=plan.state
        ).oid  # fmt: skip


def _moved(where: Hub) -> InputError:
    problem = "somebody committed to the repository meanwhile; nothing was published"
    return InputError(problem, file=str(where), hint="Run the same command again to see what would change now")


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars, and no advice on what to keep in which kind of repository."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if shown:
            enable_progress_bars()


@contextmanager
def _errors(where: Hub) -> Iterator[None]:
    """Say in plain words what the hub or the way to it refused."""
    from huggingface_hub import errors

    try:
        yield
    except KaryoError:
        raise
    except Exception as error:  # the client also raises those of its HTTP library, which is another in each version
        cause = next((one for one in _chain(error) if isinstance(one, errors.HfHubHTTPError)), None)
        if cause is not None:
            raise _answer(where, cause) from error
        if isinstance(error, errors.OfflineModeIsEnabled):
            raise InputError("publishing needs the network, and HF_HUB_OFFLINE is set", file=str(where)) from error
        if isinstance(error, errors.HFValidationError | ValueError):
            raise InputError("the hub's client refuses it", file=str(where), found=_line(error)) from error
        text = f"{where}: the hub cannot be reached, or the connection was lost ({_line(_chain(error)[-1])})"
        raise InfrastructureError(f"{text}; the same command continues", transient=True) from error


def _answer(where: Hub, error: Any) -> KaryoError:
    """The error that an HTTP status means."""
    code, said = error.response.status_code, error.server_message or _line(error)
    if code in (409, 412):
        return _moved(where)
    problems = {
        401: "the hub does not accept the token, or there is no such repository",
        403: "the token may not write there",
        404: "no such repository, or it is private and the token may not see it",
        413: "too large for one commit",
    }
    if code in problems:
        return InputError(problems[code], file=str(where), found=said, hint=LOGIN if code != 413 else None)
    if code == 429 or code >= 500:
        return InfrastructureError(
            f"{where}: the hub fails ({code}: {said}); the same command continues", transient=True
        )
    return InputError(f"the hub refuses it ({code})", file=str(where), found=said)


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what it comes from, the origin last."""
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None and cause not in found:
        found.append(cause)
    return found


def _line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
