"""Submissions that are another's: the same network, with the same weights or with none of its own.

- Same network, same weights (or without weights): an error, a copy.
- Same network, but trained otherwise (another dropout) or from other weights: a warning. One architecture may come
  with two sets of ImageNet weights, but its author has to say why.

Two networks are the same when they compute the same graph, or answer the same with as many parameters
(`benchmark.training.structure`). An exact rewriting that also changes how many parameters it reads is not found, nor is
code that lies about itself; the second has to be read by somebody anyhow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.errors import InputError
from benchmark.origin import Weights
from benchmark.proposal.prints import Print, take
from benchmark.submission import Submission

CLOSE = 1e-6
"""Largest difference of two answers, relative to the largest number in them; double precision rounds at 1e-16."""

SIZE = 64
"""Smallest side of the images, in pixels, that networks are compared at."""


class Copy(NamedTuple):
    """A submission that another resembles.

    Attributes:
        other: whose network it is.
        level: `error` or `warning`.
        text: a sentence.
    """

    other: str
    level: str
    text: str


class Compared(NamedTuple):
    """What a comparison found.

    Attributes:
        copies: submissions that are resembled.
        unknown: names of those that could not be built here.
    """

    copies: list[Copy]
    unknown: list[str]


def copies(own: Submission, others: Sequence[Submission], sandbox: str = "process") -> Compared:
    """Whose network a submission brings again.

    Args:
        own: of the pull request; built alone in a sandbox.
        others: of the repository; built in another one, together.
        sandbox: `process` or `docker`.

    Raises:
        InputError: when the submission's own network cannot be built.
        InfrastructureError: when the machine fails.
    """
    if not others:
        return Compared([], [])
    size = common_size(own)
    mine = take([own], size, sandbox)[own.name]
    if mine.error is not None:
        raise InputError(mine.error, file=own.folder / "submission.yaml", field="model")
    known = _known(others, size, sandbox)
    found = [_judged(own, other, mine, known[other.name]) for other in others if same(mine, known[other.name])]
    return Compared(found, [name for name, one in known.items() if one.error is not None])


def common_size(own: Submission) -> int:
    """The side of the images that networks are compared at: what the submission takes from 64 pixels on, or at least."""
    sizes = own.spec.model.image_size
    size = -(-max(SIZE, sizes.min) // sizes.multiple_of) * sizes.multiple_of
    return size if own.takes(size) is None else sizes.min


def _known(others: Sequence[Submission], size: int, sandbox: str) -> Mapping[str, Print]:
    """Prints of those that are there already; one that cannot be built here is like no other."""
    alone = [other for other in others if any(file.name == "requirements.txt" for file in other.code)]
    found: dict[str, Print] = {}
    groups = [[other for other in others if other not in alone], *([one] for one in alone)]
    while groups:
        group = groups.pop()
        try:
            found |= take(group, size, sandbox) if group else {}
        except InputError as error:
            if len(group) > 1:
                groups += [[one] for one in group]
            else:
                found[group[0].name] = Print(error=str(error)[:1000])
    return found


def same(first: Print, second: Print) -> bool:
    """Whether two prints are of one network."""
    if first.error is not None or second.error is not None:
        return False
    if first.graph == second.graph:
        return True
    if first.answer is None or second.answer is None or first.parameters != second.parameters:
        return False
    pairs = list(zip(first.answer, second.answer, strict=False))
    most = max((abs(number) for pair in pairs for number in pair), default=0.0)
    return len(first.answer) == len(second.answer) and all(abs(a - b) <= CLOSE * most for a, b in pairs)


def same_weights(first: Weights | None, second: Weights | None) -> bool:
    """Whether two submissions start from one file: the same hash, or the same place where one has no hash yet."""
    if first is None or second is None:
        return first is second
    if first.sha256 is not None and second.sha256 is not None:
        return first.sha256 == second.sha256
    return (first.hub, first.filename, first.wheel) == (second.hub, second.filename, second.wheel)


def _judged(own: Submission, other: Submission, mine: Print, known: Print) -> Copy:
    ours, theirs = own.spec.weights, other.spec.weights
    network = f"this is the network of {other.name} ({mine.parameters:,} parameters)"
    if not (ours is None or same_weights(ours, theirs)):
        return Copy(other.name, "warning", f"{network} from other weights; say in `note` why it is an entry of its own")
    if mine.graph == known.graph and mine.training != known.training:
        text = f"{network}, trained otherwise (such as another dropout); say in `note` why it is an entry of its own"
        return Copy(other.name, "warning", text)
    weights = "the same weights" if ours is not None else "no weights of its own"
    return Copy(other.name, "error", f"a copy: {network} with {weights}")
