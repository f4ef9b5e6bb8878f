"""Checking a submission: all that is asked of it before anybody else trains it.

`check` reads its folder here, and runs its code in a sandbox only, under a deadline. One module a group of steps;
`steps` puts them in order. It may import the harness, and no command.
"""

from benchmark.checking.report import Report, Result
from benchmark.checking.steps import check, steps

__all__ = ["Report", "Result", "check", "steps"]
