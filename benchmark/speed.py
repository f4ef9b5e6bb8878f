"""How fast this machine trains a submission: measured once, kept in the workspace, for estimates only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmark.errors import InputError
from benchmark.files import write_json
from benchmark.sandbox.base import Limits
from benchmark.sandbox.process import environment
from benchmark.submission import Submission
from benchmark.track import Track

TIMEOUT = 600


class Speeds:
    """Measured seconds for a training image, in `speed.json` of a workspace.

    Args:
        workspace: its folder.
        track: whose image size, batch size and recipe.
    """

    def __init__(self, workspace: Path, track: Track) -> None:
        self.path, self.track = workspace / "speed.json", track

    def _key(self, submission: Submission) -> str:
        return f"{submission.digest[:16]}-{self.track.digest[:16]}"

    def known(self) -> dict[str, float]:
        """Everything measured so far; a file that cannot be read counts as empty."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(k): float(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def get(self, submission: Submission) -> float | None:
        """Seconds for a training image on one processor thread; None where it was not measured."""
        return self.known().get(self._key(submission))

    def measure(self, submission: Submission, track_name: str) -> float:
        """Train two batches in a process of their own, and keep the time.

        Args:
            submission: what to train; its code is run.
            track_name: as `benchmark.track.load` takes it.

        Raises:
            InputError: when the model cannot be trained; with the last line it printed.
        """
        command = [sys.executable, "-P", "-m", "benchmark.training.measure", str(submission.folder), track_name]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
                env=environment(Limits(TIMEOUT, 1)),
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(f"two batches take longer than {TIMEOUT} s", file=submission.folder) from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise InputError(f"its speed cannot be measured: {last}", file=submission.folder)
        seconds = float(done.stdout.split()[-1])
        write_json(self.path, {**self.known(), self._key(submission): seconds})
        return seconds
