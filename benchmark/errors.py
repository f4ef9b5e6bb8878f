"""The errors a user sees, and what tells a model's failure from the machine's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class KaryoError(Exception):
    """Something that ends a command with one clear line and a non-zero exit."""

    exit_code = 1


class InputError(KaryoError):
    """What a user can mend. Names the file, the field, what was found and what is allowed.

    Args:
        problem: what is wrong, in a few words.
        file: the file or folder it was found in.
        field: the field, column or option.
        found: the offending value.
        allowed: what would have been right: one text, or the allowed values.
        hint: what to do next.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: Path | str | None = None,
        field: str | None = None,
        found: object = None,
        allowed: str | Sequence[str] | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem, self.file, self.field, self.found, self.hint = problem, file, field, found, hint
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else ", ".join(allowed)
        super().__init__(self._text())

    def _text(self) -> str:
        where = ": ".join(str(part) for part in (self.file, self.field) if part is not None)
        text = f"{where}: {self.problem}" if where else self.problem
        if self.found is not None:
            shown = repr(self.found)
            text += f"; found {shown if len(shown) <= 120 else shown[:117] + '...'}"
        if self.allowed is not None:
            text += f"; allowed: {self.allowed}"
        if self.hint is not None:
            text += f". {self.hint}"
        return text


class IntegrityError(InputError):
    """Stored data is not what its hash says."""

    exit_code = 3


class InfrastructureError(KaryoError):
    """The machine failed (disk, memory of the host, a lost daemon): retry, never score.

    Args:
        message: for people.
        transient: whether trying again at once may help (a full disk does not empty itself).
        beside: whether other units were in the process that went, so that nobody knows which of them it was.
    """

    exit_code = 4

    def __init__(self, message: str, *, transient: bool = False, beside: bool = False) -> None:
        self.transient, self.beside = transient, beside
        super().__init__(message)


class LostError(InfrastructureError):
    """The checkpoint that a unit starts from is gone: the unit before it must be trained again.

    Args:
        parent: key of that unit.
    """

    def __init__(self, parent: str) -> None:
        self.parent = parent
        super().__init__(f"the checkpoint of the stage before, {parent[:12]}, is gone")

    def __reduce__(self) -> tuple[type[LostError], tuple[str]]:
        return LostError, (self.parent,)


class TakenError(InfrastructureError):
    """Another worker is training this unit now: look again later."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=True)
