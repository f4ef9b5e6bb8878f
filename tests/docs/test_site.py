"""The documentation site builds without a warning, holds everything, and asks nothing of another host."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import benchmark
from tests.docs import documents as docs
from tests.docs.documents import ROOT
from tests.docs.site import built, mkdocs
from tests.docs.test_blocks import leaves

pytestmark = pytest.mark.slow
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?([^\"' >]+)")
REFERRED = re.compile(r"<a\b[^>]*?href=[\"']?([^\"' >]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory)


def text(site: Path, name: str) -> str:
    return (site / name).read_text()


def test_every_document_is_a_page_that_the_navigation_reaches(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    made = {"index.html", "contributing.html", "changes.html", "api.html", "commands.html", "submissions.html"}
    navigation = text(site, "index.html").partition('data-md-component="content"')[0]
    assert len(pages) > 10
    for page in sorted(pages | made):
        assert (site / page).is_file() and f'href="{page}"' in navigation, page


def test_the_landing_page_is_the_readme_with_its_pictures(site: Path) -> None:
    page = text(site, "index.html")
    assert "Does pre-training a chromosome classifier on a related stain really help?" in page
    pictures = re.findall(r'<img[^>]*src="([^"]+)"', page)
    assert "images/gains.png" in pictures and all((site / one).is_file() for one in pictures)


def test_every_public_name_and_every_command_has_its_entry(site: Path) -> None:
    page = text(site, "api.html")
    for name in set(benchmark.__all__) - {"__version__"}:
        assert f'id="benchmark.{benchmark._MODULE[name]}.{name}"' in page, name
    page = text(site, "commands.html")
    for path, _ in leaves(docs.root()):
        assert f'id="{path.replace(" ", "-")}"' in page, path
    assert "karyobench compare tf-efficientnet-lite0" in re.sub(r"<[^>]+>", "", page), "examples stand as blocks"


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    styles = [path for path in site.rglob("*.css") if re.search(r"url\([\"']?(?:https?:)?//", path.read_text())]
    loaded = [
        target
        for page in site.rglob("*.html")
        for target in LOADED.findall(page.read_text())
        if urlsplit(target).netloc
    ]
    assert (styles, loaded) == ([], [])


def test_links_of_the_built_pages_lead_to_files_of_the_site(site: Path) -> None:
    broken = [
        (page.name, target)
        for page in site.rglob("*.html")
        if page.name != "404.html"
        for target, parts in ((one, urlsplit(one)) for one in REFERRED.findall(page.read_text()))
        if not parts.scheme and parts.path and not (page.parent / unquote(parts.path)).exists()
    ]
    assert broken == []


def test_every_table_and_list_is_drawn_as_one(site: Path) -> None:
    loose = re.compile(r"<p>(?:[^<]*\n)?(?:\||[-*] |\d+\. )[^\n]*")
    found = [(page.name, text) for page in site.rglob("*.html") for text in loose.findall(page.read_text())]
    assert found == [], "a row whose heading has other columns, or a list without an empty line before it"


def test_no_source_of_the_site_is_published(site: Path) -> None:
    assert not list(site.rglob("*.py")) and not list(site.rglob("*.md"))


PAGES = {
    "fine": ("# One\n\n[there](two.md#a-heading)\n", ""),
    "anchor": ("# One\n\n[there](two.md#no-heading)\n", "does not contain an anchor '#no-heading'"),
    "file": ("# One\n\n[there](three.md)\n", "link 'three.md'"),
    "picture": ("# One\n\n![there](three.png)\n", "link 'three.png'"),
}


@pytest.mark.parametrize("kind", PAGES)
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, kind: str) -> None:
    page, problem = PAGES[kind]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one.md").write_text(page)
    (tmp_path / "docs" / "two.md").write_text("# Two\n\n## A heading\n")
    small = {"INHERIT": str(ROOT / "mkdocs.yml"), "docs_dir": "docs", "hooks": [], "plugins": [], "extra_css": [],
             "nav": [{"One": "one.md"}, {"Two": "two.md"}]}  # fmt: skip
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(small))
    done = mkdocs("build", "-d", tmp_path / "site", cwd=tmp_path)
    assert (done.returncode == 0) == (not problem), done.stderr
    assert problem in done.stderr


def test_tox_builds_with_the_packages_of_the_extra() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    extra: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"]
    assert tox["testenv:docs"]["deps"].split() == extra
