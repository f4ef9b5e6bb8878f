import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmark.board.picture import Kind, save, settings


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_the_same_figure_gives_the_same_bytes(kind: Kind, start: bytes) -> None:
    found = []
    for _ in range(2):
        with rc_context(settings(9)):
            figure = Figure(figsize=(2, 1))
            figure.subplots().plot([0, 1], [0, 1], label="a word")
            figure.text(0.5, 0.5, "a word")
            found.append(save(figure, kind))
    assert found[0] == found[1] and found[0].startswith(start)
    assert kind == "png" or b"a word" in found[0], "text stays text"
