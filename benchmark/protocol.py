"""The protocols: how a model comes to the target. Each is an ordered chain of stages.

`two-step` takes the source that the track pairs with the target. Over other sources, one or several in
order, it and its controls are named with them: `two-step[cir-g]`, `two-step[sim-q+sim-g]`,
`imagenet-long[sim-q+sim-g]`. Such a protocol is never part of a track's family of tests: it is exploratory.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmark.errors import InputError


@dataclass(frozen=True)
class Stage:
    """One training of a chain.

    Args:
        data: on the target, or on the source; of several sources each is a training of its own, in their order.
        shuffled: whether the labels of the training part are permuted.
        budget: `own`: the recipe's epochs over this dataset; `both`: as many images as two-step
            sees on sources and target together.
    """

    data: Literal["source", "target"]
    shuffled: bool = False
    budget: Literal["own", "both"] = "own"


@dataclass(frozen=True)
class Protocol:
    """A named chain.

    Args:
        name: as used in commands and records.
        start: the weights it starts from.
        stages: in order; the last is on the target and is scored.
        control: whether it exists only to explain another protocol's gain.
        meaning: one sentence for people.
        sources: the sources that its name names; empty: those that the track pairs with the target.
    """

    name: str
    start: Literal["random", "imagenet"]
    stages: tuple[Stage, ...]
    control: bool
    meaning: str
    sources: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The name without sources."""
        return self.name.partition("[")[0]

    @property
    def sourced(self) -> bool:
        """Whether what it trains hangs on the sources."""
        return any(stage.data == "source" or stage.budget == "both" for stage in self.stages)


TARGET, SOURCE = Stage("target"), Stage("source")

PROTOCOLS: dict[str, Protocol] = {
    p.name: p
    for p in (
        Protocol("scratch", "random", (TARGET,), False, "random weights, trained on the target"),
        Protocol("imagenet", "imagenet", (TARGET,), False, "ImageNet weights, fine-tuned on the target"),
        Protocol("two-step", "imagenet", (SOURCE, TARGET), False, "ImageNet weights, the other stain, then the target"),
        Protocol(
            "imagenet-long", "imagenet", (Stage("target", budget="both"),), True,
            "like imagenet, with the compute of both stages of two-step spent on the target",
        ),
        Protocol(
            "two-step-shuffled", "imagenet", (Stage("source", shuffled=True), TARGET), True,
            "like two-step, with the labels of the other stain shuffled",
        ),
    )
}  # fmt: skip
"""Every protocol. A new one is one more chain."""

MAIN = tuple(name for name, protocol in PROTOCOLS.items() if not protocol.control)
"""The three protocols of the study that this suite follows."""

BASELINE, TWO_STEP = "imagenet", "two-step"
"""What every gain is measured against unless another is asked for, and the protocol in question."""

LONG, SHUFFLED = "imagenet-long", "two-step-shuffled"
"""The controls: more training on the target alone; a source stage that teaches nothing of the labels."""


NAMED = re.compile(r"(?P<base>[a-z-]+)\[(?P<sources>[^\[\]]+)\]")


def get(name: str) -> Protocol:
    """A protocol by name, with sources or without.

    Raises:
        InputError: when there is none of that name, or its sources are no chain.
    """
    match = NAMED.fullmatch(name)
    found = PROTOCOLS.get(match["base"] if match else name)
    if found is None:
        raise InputError("no such protocol", field="protocol", found=name, allowed=tuple(PROTOCOLS))
    if match is None:
        return found
    if not found.sourced:
        allowed = [one for one, protocol in PROTOCOLS.items() if protocol.sourced]
        raise InputError("this protocol takes no source", field="protocol", found=name, allowed=allowed)
    sources = chain(match["sources"])
    text = f"{found.meaning}; {'sources' if len(sources) > 1 else 'source'}: {', then '.join(sources)}"
    return replace(found, name=over(found.base, sources), meaning=text, sources=sources)


def chain(text: str) -> tuple[str, ...]:
    """Sources in their order from `a+b`.

    Raises:
        InputError: for an empty name, or one that stands twice.
    """
    names = tuple(part.strip() for part in text.split("+"))
    if not all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names):
        raise InputError("not a chain of sources", field="source", found=text, allowed="names of datasets joined by +")
    if len(set(names)) != len(names):
        raise InputError("a source stands twice in one chain", field="source", found=text, allowed="each once")
    return names


def over(base: str, sources: Sequence[str]) -> str:
    """Name of a protocol over some sources."""
    return f"{base}[{'+'.join(sources)}]"


def known(name: str) -> bool:
    """Whether a text is the name of a protocol, with sources or without."""
    match = NAMED.fullmatch(name)
    return (match["base"] if match else name) in PROTOCOLS


def base(name: str) -> str:
    """A protocol's name without its sources."""
    return name.partition("[")[0]


def control_of(name: str) -> str:
    """The control for longer training of a two-step protocol, over the same sources."""
    return LONG + name.removeprefix(TWO_STEP)


def ordered(names: Collection[str]) -> list[str]:
    """Protocols among some names, in the order of the suite; those with sources follow the one without, by name."""
    return list(_ordered(frozenset(names)))


@functools.lru_cache(maxsize=1024)
def _ordered(names: frozenset[str]) -> tuple[str, ...]:
    order = list(PROTOCOLS)
    return tuple(sorted(filter(known, names), key=lambda name: (order.index(base(name)), name.removesuffix("]"))))


def expand(names: Iterable[str], sources: Sequence[str] | None) -> list[str]:
    """Names of protocols, those that hang on a source once for each chain of sources.

    Args:
        names: protocols.
        sources: chains as `a+b`; none: the protocols as they are.

    Raises:
        InputError: for an unknown protocol, a wrong chain, or chains without a protocol that takes them.
    """
    chosen = [get(name) for name in names]
    if not sources:
        return [protocol.name for protocol in chosen]
    chains = [chain(text) for text in sources]
    if not any(protocol.sourced and not protocol.sources for protocol in chosen):
        allowed = [name for name, protocol in PROTOCOLS.items() if protocol.sourced]
        found = [protocol.name for protocol in chosen]
        raise InputError("no protocol that takes a source is asked for", field="protocol", found=found, allowed=allowed)
    return list(
        dict.fromkeys(
            name
            for protocol in chosen
            for name in (
                [over(protocol.name, one) for one in chains]
                if protocol.sourced and not protocol.sources
                else [protocol.name]
            )
        )
    )
