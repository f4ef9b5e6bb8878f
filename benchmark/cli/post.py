"""`karyobench post`: what was found, written where people read it on the host of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.common import say
from benchmark.errors import InputError

app = typer.Typer(help="On GitHub: comment on a pull request, open an issue.", no_args_is_help=True)

Repo = Annotated[
    str | None, typer.Option("--repo", metavar="OWNER/NAME", help="The repository. Default: GITHUB_REPOSITORY.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be written.")]
MOST_ISSUE = 64 * 1024


@app.command()
def comment(
    report: Annotated[Path, typer.Argument(help="What `submission check --pr ... --report FILE` wrote.")],
    head: Annotated[str, typer.Option(metavar="OWNER:BRANCH", help="The pull request's branch.")] = "",
    commit: Annotated[str, typer.Option(help="Its last commit, as the host names it.")] = "",
    repo: Repo = None,
    dry_run: DryRun = False,
) -> None:
    """Write a report under the pull request that it is of, or replace the one that is there.

    The report may come from a job that ran strangers' code: it is read strictly, with limits, and must be of the commit
    that the host names. Needs GITHUB_TOKEN.

    Example: karyobench post comment check.json --head someone:my-net --commit "$(git rev-parse HEAD)" --dry-run
    """
    from benchmark.forge.github import GitHub
    from benchmark.proposal.report import MARKER, markdown, read

    found = read(report)
    if commit and found.head != commit:
        raise InputError("a report of another commit", file=report, field="head", found=found.head, allowed=commit)
    text = markdown(found)
    if dry_run:
        say(text)
        return
    for option, value in (("--head", head), ("--commit", commit)):
        if not value:
            raise InputError("is needed to find the pull request", field=option)
    github = GitHub.here(repo)
    number = github.pull_of(head, commit)
    if number is None:
        say(f"no open pull request of {head} at {commit[:12]}: it was closed or went on; nothing is written")
        return
    say(github.comment(number, MARKER, text))


@app.command()
def issue(
    text: Annotated[Path, typer.Argument(help="Markdown; its first line is `# ` and the title.")],
    repo: Repo = None,
    dry_run: DryRun = False,
) -> None:
    """Open an issue, or add to the open one of the same title. Does nothing where there is no file. Needs GITHUB_TOKEN.

    Example: karyobench post issue failed.md --dry-run
    """
    from benchmark.files import read_text
    from benchmark.forge.github import GitHub

    if not text.exists():
        say(f"{text}: there is nothing to tell")
        return
    first, _, rest = read_text(text, MOST_ISSUE).partition("\n")
    if not first.startswith("# ") or not first[2:].strip():
        raise InputError("must begin with a title", file=text, found=first[:80], allowed="# TITLE")
    if dry_run:
        say(f"{first}\n{rest}")
        return
    say(GitHub.here(repo).issue(first[2:].strip()[:200], rest.strip()))
