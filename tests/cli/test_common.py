import json

import pytest

from benchmark.cli import common


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.2, "3 s"), (89, "89 s"), (91, "1 min 31 s"), (599.6, "10 min"), (7080, "118 min"), (12000, "3 h 20 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert common.duration(seconds) == text


def test_interval_without_bounds_shows_the_value_alone() -> None:
    assert common.interval({"value": 0.5, "low": float("nan"), "high": float("nan")}) == "50.0"
    assert common.interval({"value": 0.012, "low": -0.003, "high": 0.03}, signed=True) == "+1.2 [-0.3, +3.0]"


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    common.emit({"a": [float("nan"), (1.5, float("inf"))], "b": {"c": "é"}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, [1.5, None]], "b": {"c": "é"}}


def test_a_bar_stays_out_of_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    with common.bar("rendering") as progress:
        progress(1, 2)
        progress(2, 2)
    out, err = capsys.readouterr()
    assert out == "" and "rendering" in err
