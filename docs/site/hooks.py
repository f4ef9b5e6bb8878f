"""What the documentation is made of beside docs/: pages from other folders, from docstrings and from the commands.

Nothing is written twice: README.md is the landing page, the reference of functions comes from `benchmark.__all__`
and that of commands from Typer, and all of it is made when the site is built. Links between files are those
of the repository, so that they work where the files are read; they are turned to the site's pages here.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "submissions/README.md": "submissions.md",
    "bench/README.md": "bench.md",
    "leaderboard/README.md": "leaderboard.md",
}
"""Files outside docs/ that are pages, and what they are called on the site."""

FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
EXAMPLES = re.compile(r"^Examples?: (karyobench .*(?:\n +karyobench .*)*)", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages of docs/ that the navigation does not name under "More"."""
    docs = Path(config.docs_dir)
    named = set(_leaves(config.nav))
    others = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    more = [name for name in others if name not in named]
    if more:
        config.nav = [*(config.nav or []), {"More": more}]
    return config


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    items = nav.values() if isinstance(nav, dict) else nav or []
    return [leaf for item in items for leaf in _leaves(item)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    made = {page: (ROOT / path).read_text(encoding="utf-8") for path, page in PAGES.items()}
    for name, text in (made | {"api.md": api(), "commands.md": commands()}).items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository to links between pages."""
    here = page.file.src_uri
    source = next((path for path, name in PAGES.items() if name == here), f"docs/{here}")
    return outside_fences(markdown, lambda text: LINK.sub(lambda found: _link(found, source, here, config), text))


def outside_fences(markdown: str, change: Any) -> str:
    """Change what stands outside fenced blocks."""
    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def _link(found: re.Match[str], source: str, here: str, config: MkDocsConfig) -> str:
    picture, text, target = found.groups()
    path, _, anchor = target.partition("#")
    if not path or re.match(r"[a-z+]+:", target):
        return found.group()
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    page = PAGES.get(wanted) or (wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
    if page is None and (ROOT / wanted).is_dir() and f"{wanted}/README.md" in PAGES:
        page = PAGES[f"{wanted}/README.md"]
    if page is None and (ROOT / wanted).exists():
        address = str(config.repo_url or "").rstrip("/")
        return f"[{text}]({address}/blob/HEAD/{wanted})" if address else text
    if page is None:
        return found.group()  # no such file: the build says so
    relative = posixpath.relpath(page, posixpath.dirname(here) or ".")
    return f"{picture}[{text}]({relative}{'#' + anchor if anchor else ''})"


def api() -> str:
    """The reference of what `from benchmark import ...` gives: functions, what they return, errors."""
    sys.path.insert(0, str(ROOT))
    import benchmark  # which imports nothing else: the docstrings are read, not run

    homes = {name: f"benchmark.{module}.{name}" for name, module in benchmark._MODULE.items()}
    errors = [name for name in homes if name.endswith("Error")]
    functions = [name for name in homes if name.islower()]
    results = [name for name in homes if name not in (*errors, *functions)]
    parts = ["# Python\n\nWhat `from benchmark import ...` gives. A walk through it: [in a notebook](library.md).\n"]
    for title, chosen in (("Functions", functions), ("Results", results), ("Errors", errors)):
        parts += [f"## {title}\n", *(f"::: {homes[name]}\n" for name in chosen)]
    return "\n".join(parts)


def commands() -> str:
    """The reference of all commands, as Typer writes it, with examples as blocks."""
    command = [sys.executable, "-m", "typer", "benchmark.cli.main", "utils", "docs", "--name", "karyobench"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    text = outside_fences(done.stdout, lambda part: EXAMPLES.sub(_block, part))
    return text.replace("# `karyobench`", "# Commands", 1)


def _block(found: re.Match[str]) -> str:
    lines = "\n".join(line.strip() for line in found.group(1).splitlines())
    return f"**Examples**:\n\n```sh\n{lines.replace('&#x27;', chr(39)).replace('&quot;', chr(34))}\n```"
