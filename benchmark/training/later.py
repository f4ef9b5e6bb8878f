"""Answers that are not computed before something reads them."""

from __future__ import annotations

from collections.abc import Callable


class Later:
    """What makes an answer, once.

    Attributes:
        make: writes the answer where it belongs; None where that was done, or another layer does it.
    """

    def __init__(self) -> None:
        self.make: Callable[[], object] | None = None

    def settle(self) -> None:
        """Make the answer, if it is not made yet."""
        make, self.make = self.make, None
        if make is not None:
            make()
