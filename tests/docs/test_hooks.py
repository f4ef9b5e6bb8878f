"""What docs/site/hooks.py makes of links, navigation and the help of commands."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from tests.docs.documents import ROOT


@pytest.fixture(scope="module")
def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site" / "hooks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "link", "wanted"),
    [
        ("index.md", "[d](docs/data.md#folds)", "[d](data.md#folds)"),
        ("index.md", "![g](docs/images/gains.png)", "![g](images/gains.png)"),
        ("index.md", "[c](CONTRIBUTING.md), [s](submissions/README.md)", "[c](contributing.md), [s](submissions.md)"),
        ("statistics.md", "[l](../leaderboard/README.md)", "[l](leaderboard.md)"),
        ("calibration/calibration.md", "[s](../statistics.md), [r](../../README.md)", "[s](../statistics.md), [r](../index.md)"),
        ("submissions.md", "[t](../docs/tracks.md)", "[t](tracks.md)"),
        ("index.md", "[folder](submissions/)", "[folder](submissions.md)"),
        ("index.md", "[x](https://example.org/a.md) [y](#try-it)", "[x](https://example.org/a.md) [y](#try-it)"),
        ("index.md", "`[z](docs/data.md)`\n\n```\n[z](docs/data.md)\n```", None),
        ("index.md", "[gone](docs/gone.md)", "[gone](gone.md)"),
        ("index.md", "[gone](gone/file)", "[gone](gone/file)"),
    ],
)  # fmt: skip
def test_links_of_the_repository_become_links_of_the_site(hooks: Any, page: str, link: str, wanted: str | None) -> None:
    there = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    found = hooks.on_page_markdown(link, there, SimpleNamespace(repo_url=""), None)
    assert found == wanted if wanted is not None else found.endswith("```\n[z](docs/data.md)\n```")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("", "the file"), ("https://example.org/r/", "[the file](https://example.org/r/blob/HEAD/CITATION.cff)")],
)
def test_files_that_are_no_pages_are_linked_where_the_repository_is_known(
    hooks: Any, address: str, wanted: str
) -> None:
    there = SimpleNamespace(file=SimpleNamespace(src_uri="index.md"))
    assert hooks.on_page_markdown("[the file](CITATION.cff)", there, SimpleNamespace(repo_url=address), None) == wanted


def test_a_page_that_the_navigation_does_not_name_stands_under_more(hooks: Any, tmp_path: Any) -> None:
    for name in ("a.md", "sub/b.md", "c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# x\n")
    config = SimpleNamespace(docs_dir=str(tmp_path), nav=[{"Use": ["a.md", {"More of it": "c.md"}]}])
    assert hooks.on_config(config).nav == [{"Use": ["a.md", {"More of it": "c.md"}]}, {"More": ["sub/b.md"]}]
    config.nav = ["a.md", "c.md", "sub/b.md"]
    assert hooks.on_config(config).nav == ["a.md", "c.md", "sub/b.md"]


def test_examples_in_help_become_blocks(hooks: Any) -> None:
    text = "Say it.\n\nExamples: karyobench a\n          karyobench b --c &#x27;d e&#x27;\n\n**Usage**:\n"
    found = hooks.outside_fences(text, lambda part: hooks.EXAMPLES.sub(hooks._block, part))
    assert found == "Say it.\n\n**Examples**:\n\n```sh\nkaryobench a\nkaryobench b --c 'd e'\n```\n\n**Usage**:\n"
