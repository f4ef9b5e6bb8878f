"""The job that comments installs seven packages and not the harness's; see .github/workflows/comment.yml."""

import subprocess
import sys
from pathlib import Path

from benchmark.proposal.report import Proposal, step

ABSENT = ("torch", "timm", "scipy", "sklearn", "pyarrow", "docker", "huggingface_hub", "safetensors", "jinja2", "matplotlib",
          "PIL", "threadpoolctl", "confusable_homoglyphs", "markdown_it")  # fmt: skip


def test_post_needs_nothing_of_what_is_not_installed_there(tmp_path: Path) -> None:
    found = Proposal(base="a" * 40, head="b" * 40, kind="new", submission="x", steps=(step("name", ["bad"], []),))
    (tmp_path / "check.json").write_text(found.model_dump_json())
    (tmp_path / "failed.md").write_text("# Some failed\nmore\n")
    code = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT!r}))
from benchmark.cli.main import app
for arguments in (["comment", "check.json"], ["issue", "failed.md"]):
    app(["post", *arguments, "--dry-run"], standalone_mode=False)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "`bad`" in done.stdout and "# Some failed" in done.stdout
