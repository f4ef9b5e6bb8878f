"""Waiting for a store that does not answer."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from benchmark.errors import InfrastructureError, InputError

T = TypeVar("T")

PATIENCE = "KARYOBENCH_STORE_PATIENCE"
"""Variable: seconds that a call to the store is tried again before it counts as failed."""

LASTING = (
    FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError,
    TypeError, AttributeError, NotImplementedError, ImportError, InputError,
)  # fmt: skip
"""What another attempt does not mend; everything else may be the network."""

CA = "AWS_CA_BUNDLE"
"""Variable by which S3's clients find the certificate of whoever signed the server's."""

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What OpenSSL says of a server whose certificate nobody known has signed, or that is another's, or out of date."""

UNSIGNED = ("NoCredentialsError", "PartialCredentialsError", "NoSuchBucket")


def _default() -> float:
    given = os.environ.get(PATIENCE, "600")
    try:
        return float(given)
    except ValueError:
        raise InputError("must be a number of seconds", field=PATIENCE, found=given) from None


@dataclass(frozen=True)
class Patience:
    """Tries a call again with growing pauses.

    Args:
        seconds: in all.
        pause: before the second attempt; doubles up to `longest`, and varies by half so that nodes do not come together.
        longest: seconds.
        clock: seconds from any start.
        sleep: waits.
    """

    seconds: float = field(default_factory=_default)
    pause: float = 0.5
    longest: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, call: Callable[[], T], what: str) -> T:
        """The result of a call.

        Args:
            call: may be made several times.
            what: for the error.

        Raises:
            InfrastructureError: when patience is at its end.
            OSError: of the kinds in `LASTING`, at once; so too `InputError`.
        """
        started, pause = self.clock(), self.pause
        while True:
            try:
                return call()
            except LASTING:
                raise
            except Exception as error:
                if UNTRUSTED in str(error):
                    hint = f"The certificates that are trusted are those of the system, or of {CA} on this machine"
                    raise InfrastructureError(f"{what}: the store's certificate is refused: {error}. {hint}") from error
                if type(error).__name__ in UNSIGNED:
                    raise InfrastructureError(f"{what}: {error}") from error
                waited = self.clock() - started
                if waited + pause > self.seconds:
                    text = f"{what}: the artefact store does not answer, for {waited:.0f} s now: {error or type(error).__name__}"
                    raise InfrastructureError(text, transient=True) from error
            self.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (spreads load, no secret)
            pause = min(self.longest, pause * 2)
