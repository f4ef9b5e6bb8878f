"""What the documents tell the reader to type works."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.docs import documents as docs
from tests.docs.documents import ROOT, calls, code, documents, parse, parsed, scene, why_not

RUN = [name for name in documents() if docs.has_block_to_run(ROOT / name)]
CODE_SPAN = re.compile(r"`(karyobench [a-z][^`]*)`")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder: that of a reader who has cloned the repository."""
    scene(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KARYOBENCH_WORKSPACE", raising=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_the_blocks_of_a_document_run(here: Path, name: str) -> None:
    for example in parsed(ROOT / name).examples():
        example.evaluate()


@pytest.mark.parametrize("name", documents())
def test_every_call_in_a_block_is_one_that_the_command_line_takes(name: str) -> None:
    for _, content in code((ROOT / name).read_text()):
        for line in calls(content):
            parse(line)


@pytest.mark.parametrize("name", documents())
def test_blocks_with_calls_name_their_language_so_that_they_are_run_or_say_why_not(name: str) -> None:
    unnamed = [
        line for language, content in code((ROOT / name).read_text()) if language in ("bash", "shell", "console", "py")
        for line in content.splitlines()
    ] + [line for language, content in code((ROOT / name).read_text()) if not language for line in calls(content)]  # fmt: skip
    assert unnamed == [] or name == "submissions/README.md", "use `sh` or `python`"


@pytest.mark.parametrize("name", documents())
def test_commands_in_running_text_exist_with_their_options(name: str) -> None:
    for line in CODE_SPAN.findall((ROOT / name).read_text()):
        assert known(line), line


def known(line: str) -> bool:
    """Whether the command of a call and its options exist; its arguments may be left out in running text."""
    command = docs.root()
    words = re.sub(r"[\[\]]", "", line.split(" ...")[0].replace("…", "")).split()[1:]
    while words and hasattr(command, "commands"):
        name = words.pop(0)
        if any(one not in command.commands for one in name.split("|")):
            return False
        command = command.commands[name.split("|")[0]]
    options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return all(word.split("=")[0] in options | {"-h", "--help"} for word in words if word.startswith("-"))


def leaves(command: Any, path: str = "karyobench") -> list[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        return [(path, command)]
    return [leaf for name, one in command.commands.items() for leaf in leaves(one, f"{path} {name}")]


def test_the_examples_in_the_help_of_every_command_are_ones_that_it_takes() -> None:
    examples = [(path, line) for path, command in leaves(docs.root())
                for line in calls(command.help.partition("Example")[2].partition(":")[2])]  # fmt: skip
    assert len(examples) > 40
    for path, line in examples:
        assert line.startswith(path)
        parse(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("karyobench compare --secondry", "secondry"),
        ("karyobench comparison", "comparison"),
        ("karyobench run net --fold one", "int"),
        ("karyobench data import", "(?i)missing.*name"),
        ("karyobench data fetch cir-g bioimlab-q", "(?i)extra argument"),
        ("karyobench plan all --gpus 0", "greater|range"),
    ],
)
def test_a_wrong_call_is_found(line: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as error:
        parse(line)
    assert error.value.__notes__ == [f"in: {line}"]


def test_wrong_calls_in_running_text_are_found() -> None:
    assert known("karyobench ledger withdraw NAME --reason ...") and known("karyobench image build|check|list")
    assert (
        not known("karyobench ledgers list")
        and not known("karyobench run --foldd 0")
        and not known("karyobench image burn")
    )


def test_calls_are_found_between_comments_and_over_two_lines() -> None:
    text = "pip install x && karyobench demo   # then\n# karyobench no\nkaryobench run a \\\n    --fold 0 | tee log\n$ karyobench doctor\n"
    assert [line.split("#")[0].split() for line in calls(text)] == [
        ["karyobench", "demo"], ["karyobench", "run", "a", "--fold", "0"], ["karyobench", "doctor"],
    ]  # fmt: skip


WRONG = {
    "python": "```python\nx = 1\n```\n\n```python\nassert x == 2, 'no'\n```\n",
    "shell": "```sh\nkaryobench ledger verify -w nowhere/at/all && karyobench score nothing\n```\n",
    "other": "```sh\nkaryobench doctor\ntouch other\n```\n",
    "option": "<!-- not run: needs a GPU -->\n```sh\nkaryobench run net --gpu\n```\n",
    "syntax": "<!-- not run: needs a GPU -->\n```python\nx = = 1\n```\n",
}


PROBLEMS = {
    "python": "no", "shell": "exit [12]", "other": "only calls of karyobench are run, not 'touch other'",
    "option": "--gpu", "syntax": "invalid syntax",
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_block_that_fails_fails_the_document(here: Path, kind: str) -> None:
    (here / "wrong.md").write_text(f"# Wrong\n\n{WRONG[kind]}")
    *before, last = parsed(here / "wrong.md", here).examples()
    for example in before:
        example.evaluate()
    with pytest.raises(Exception, match=PROBLEMS[kind]):
        last.evaluate()


def test_a_block_with_a_reason_is_not_run(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "<!-- not run: needs a GPU -->\n```sh\ntouch ran\n```\n\n<!-- not run: -->\n```sh\nkaryobench data list -w other\n```\n"
    (here / "two.md").write_text(text)
    document = parsed(here / "two.md", here)
    assert [why_not(document.text, example.start) for example in document.examples()] == ["needs a GPU", None]
    with monkeypatch.context() as patch:
        ran: list[Any] = []
        patch.setattr(
            docs.subprocess, "run", lambda words, **options: ran.append(words[-1]) or SimpleNamespace(returncode=0)
        )
        for example in document.examples():
            example.evaluate()
    assert ran == ["karyobench data list -w other\n"], "no reason, no exception"


def test_some_blocks_of_both_kinds_are_run() -> None:
    assert {"README.md", "docs/library.md", "docs/scaling.md", "leaderboard/README.md"} <= set(RUN)
