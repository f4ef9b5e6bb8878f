"""What tests of pictures share."""

import pytest

from benchmark.board.pictures import figure


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No PNG is written, which takes longer than the SVG: for tests that look at the SVG only."""
    monkeypatch.setattr(figure, "KINDS", ("svg",))
