"""Here hosts end with their sandbox, as they do in use."""

import pytest

from benchmark.sandbox import process
from benchmark.sandbox.hosts import Servers


@pytest.fixture(autouse=True)
def _own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "Servers", Servers)
