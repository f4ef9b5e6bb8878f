"""A small repository with two submissions on `main`, and what a pull request changes in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.one = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.two = nn.Linear(width, classes)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)).mean((2, 3)))

def build(num_classes, in_chans, img_size, width=4):
    return Net(num_classes, width)
"""


def spec(name: str, title: str | None = None, more: str = "") -> str:
    return (
        f"name: {name}\ntitle: {title or 'Title of ' + name}\npaper: https://example.org/{name}\nlicense: MIT\n"
        f"model: {{factory: 'model.py:build'}}\n{more}"
    )


class Repo:
    """A repository, and `pull` to make a branch that changes files in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.write("README.md", "read me\n")
        self.write("benchmark/tracks/smoke.yaml", "name: smoke\n")
        for name, width in (("tiny-net", 4), ("other-net", 6)):
            self.write(f"submissions/{name}/submission.yaml", spec(name))
            self.write(f"submissions/{name}/model.py", NET.replace("width=4", f"width={width}"))
        self.commit("base")

    def git(self, *arguments: str) -> str:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        who = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=surroundings | who, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def pull(self, change: Callable[[Repo], object]) -> str:
        """A branch from main with one change; back on main afterwards."""
        self.git("checkout", "--quiet", "-B", "pull", "main")
        change(self)
        self.commit("change")
        self.git("checkout", "--quiet", "main")
        return "main..pull"

    def submit(self, name: str, code: str = NET, title: str | None = None, more: str = "") -> None:
        self.write(f"submissions/{name}/submission.yaml", spec(name, title, more))
        self.write(f"submissions/{name}/model.py", code)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")
