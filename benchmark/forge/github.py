"""The few questions that are asked of GitHub, with a token that is held here alone."""

from __future__ import annotations

import os
import re
from typing import Any

import requests

from benchmark.errors import InfrastructureError, InputError

API = "https://api.github.com"
TIMEOUT = 30.0
PAGE = 100
PAGES = 20


class GitHub:
    """One repository on GitHub.

    Args:
        repository: `owner/name`.
        token: that may write comments or issues.
        api: address of the API.

    Raises:
        InputError: for a name that is none, or without a token.
    """

    def __init__(self, repository: str, token: str, api: str = API) -> None:
        if not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", repository):
            raise InputError("not a repository", field="--repo", found=repository, allowed="owner/name")
        if not token:
            raise InputError("no token", field="GITHUB_TOKEN", hint="Set it to one that may write here")
        self.repository, self.api = repository, api.rstrip("/")
        self._session = requests.Session()
        self._session.headers.update({
            "Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "karyobench",
        })  # fmt: skip

    @classmethod
    def here(cls, repository: str | None) -> GitHub:
        """The repository that is named, or `GITHUB_REPOSITORY`, with `GITHUB_TOKEN`."""
        name = repository or os.environ.get("GITHUB_REPOSITORY") or ""
        return cls(name, os.environ.get("GITHUB_TOKEN", ""), os.environ.get("GITHUB_API_URL") or API)

    def pull_of(self, head: str, commit: str) -> int | None:
        """Number of the open pull request of a branch whose last commit is this one.

        Asked of GitHub, and not of what a job of the pull request left: that could name another's.

        Args:
            head: `owner:branch`.
            commit: its last commit.
        """
        found = self._ask("GET", "pulls", params={"state": "open", "head": head, "per_page": PAGE})
        return next((int(pull["number"]) for pull in found if pull["head"]["sha"] == commit), None)

    def comment(self, number: int, marker: str, text: str) -> str:
        """Write a comment, or replace the one of ours that begins with the marker; returns its address."""
        for page in range(1, PAGES + 1):
            found = self._ask("GET", f"issues/{number}/comments", params={"per_page": PAGE, "page": page})
            for one in found:
                if str(one["body"]).startswith(marker) and one["user"]["type"] == "Bot":
                    return str(self._ask("PATCH", f"issues/comments/{one['id']}", json={"body": text})["html_url"])
            if len(found) < PAGE:
                break
        return str(self._ask("POST", f"issues/{number}/comments", json={"body": text})["html_url"])

    def issue(self, title: str, text: str) -> str:
        """Open an issue, or add to the open one of this title; returns the address."""
        for page in range(1, PAGES + 1):
            found = self._ask("GET", "issues", params={"state": "open", "per_page": PAGE, "page": page})
            for one in found:
                if one["title"] == title and "pull_request" not in one:
                    place = f"issues/{one['number']}/comments"
                    return str(self._ask("POST", place, json={"body": text})["html_url"])
            if len(found) < PAGE:
                break
        return str(self._ask("POST", "issues", json={"title": title, "body": text})["html_url"])

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        address = f"{self.api}/repos/{self.repository}/{path}"
        try:
            answer = self._session.request(method, address, timeout=TIMEOUT, allow_redirects=False, **rest)
        except requests.RequestException as error:
            raise InfrastructureError(f"{self.api} does not answer: {type(error).__name__}", transient=True) from error
        if answer.status_code >= 300:
            said = " ".join(answer.text.split())[:200]
            raise InfrastructureError(f"{method} {path}: {answer.status_code} {answer.reason}: {said}")
        return answer.json()
