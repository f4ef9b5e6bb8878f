"""How a report writes an estimate with its interval."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.insight.compare import number
from benchmark.insight.schema import Estimate
from benchmark.wording import points


def percent(one: Estimate | None, signed: bool = False) -> str:
    """`4.8 [4.1, 5.6]`, in percent or points."""
    return _span(one, lambda value: points(value, signed))


def plain(one: Estimate | None) -> str:
    """`2.31 [1.90, 2.80]`."""
    return _span(one, number)


def _span(one: Estimate | None, form: Callable[[float], str]) -> str:
    if one is None:
        return "–"
    bounds = "" if one.low is None or one.high is None else f" [{form(one.low)}, {form(one.high)}]"
    return form(one.value) + bounds
