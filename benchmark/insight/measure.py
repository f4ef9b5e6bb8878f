"""What every distance between domains offers, so that all are resampled and tested alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from benchmark.insight.resample import Floats, Ints


class Measure(ABC):
    """A distance between domains, given by their numbers, under weights of their groups.

    Attributes:
        key: its name in files.
        title: its name for people.
        meaning: what it says, in one sentence.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    meaning: ClassVar[str]

    @abstractmethod
    def between(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """Estimates, corrected for bias where the measure has a correction.

        Args:
            a: number of a domain.
            b: of another; or the same where no group has weight in both.
            wa: weights of the groups of `a`, (draws, groups).
            wb: likewise of `b`.

        Returns:
            (draws,)
        """

    def plain(self, a: int, b: int, wa: Ints, wb: Ints) -> Floats:
        """The uncorrected value, which for the data at hand is exact; arguments as `between`."""
        return self.between(a, b, wa, wb)

    def within(self, a: int, first: npt.NDArray[np.bool_]) -> Floats:
        """Estimates between two parts of one domain: the floor that any two samples of one thing have.

        Args:
            a: number of the domain.
            first: which groups are in the first part, (draws, groups); the others are in the second.
        """
        return self.between(a, a, first.astype(np.int64), (~first).astype(np.int64))
