"""Fixtures of a real Ray cluster, one for each file of tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmark.engine.ray import CLOSED, QUIET
from benchmark.submission import Submission
from benchmark.track import Track
from tests.artefacts import s3
from tests.engine.faults import BOOK
from tests.engine.ray_cluster import MARK, ROOT, Case, Ray


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ray]:
    if find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    book = tmp_path_factory.mktemp("book")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in {**CLOSED, **QUIET, BOOK: str(book), MARK: uuid.uuid4().hex}.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(ROOT))
        server = stack.enter_context(s3.running())
        made = Ray(book, server)
        import ray as module

        module.init(made.address, log_to_driver=False, logging_level="ERROR")
        yield made
        module.shutdown()
        made.cluster.shutdown()


@pytest.fixture
def case(ray: Ray, tmp_path: Path, workspace: Path, tiny_track: Track, tiny_submission: Submission) -> Case:
    return Case(ray, tmp_path, workspace, tiny_track, tiny_submission)
