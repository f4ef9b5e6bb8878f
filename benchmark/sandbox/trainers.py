"""A process in which units of one device take turns, as the harness sees it; see `benchmark.training.shared`."""

from __future__ import annotations

from benchmark.sandbox.hosts import Server


class Trainer(Server):
    """One such process."""

    def cancel(self, number: int) -> None:
        """End one unit; the others go on.

        Raises:
            HostDiedError: when the process is no longer there.
        """
        self.forget(number)
        self._send({"cancel": number})
