"""Sources of a target: what a chain over them is called, and that none holds the target's images or people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from benchmark import protocol as protocols
from benchmark.data.manifest import Manifest
from benchmark.errors import InputError
from benchmark.protocol import Protocol, Stage
from benchmark.track import Track

Overlaps = Mapping[str, Collection[str]]
"""Dataset name → names of those that its card declares to show the same people."""


def name_for(track: Track, protocol: Protocol, dataset: str) -> str:
    """The protocol's name towards a dataset: without its sources where they are those of the track."""
    own = next((pair.sources for pair in track.pairs if pair.target == dataset), ())
    return protocol.base if protocol.sources == own else protocol.name


def arm_of(track: Track, protocol: Protocol, stage: Stage, before: Sequence[str], dataset: str) -> str:
    """What a stage before the last is by itself: the protocol that ends there, with that source as its target.

    Args:
        track: the track.
        protocol: the whole chain.
        stage: one on a source.
        before: sources trained on before it.
        dataset: its own.
    """
    if stage.shuffled:
        return "source-shuffled"
    if not before:
        return protocol.start
    return name_for(track, protocols.get(protocols.over(protocols.TWO_STEP, before)), dataset)


def check(target: str, sources: Sequence[str], manifests: Mapping[str, Manifest | None], overlaps: Overlaps) -> None:
    """Whether a target may be scored after training on some sources.

    What a source shares with the target would be tested after it was trained on. Cards declare shared people;
    equal pixels are found by the manifests' hashes. Altered copies are found by `karyobench data audit` alone.

    Args:
        target: what is scored.
        sources: in their order.
        manifests: of all of them, as far as they are known.
        overlaps: as declared, by either side.

    Raises:
        InputError: for the target among its sources, or a source that overlaps with it.
    """
    shown = "+".join(sources)
    if target in sources:
        raise InputError(
            "the target is among its sources", field="source", found=shown, allowed=f"datasets other than {target}",
            hint="Choose the target with --target",
        )  # fmt: skip
    for source in sources:
        if source in overlaps.get(target, ()) or target in overlaps.get(source, ()):
            raise InputError(
                f"this source shows people of the target {target}, as a card declares (overlaps)",
                field="source", found=source, allowed="datasets of other people",
            )  # fmt: skip
        shared = _shared(manifests.get(source), manifests.get(target))
        if shared:
            first, second, count = shared
            raise InputError(
                f"{count:,} images of this source have the pixels of images of the target {target}, the first "
                f"{first} = {second}",
                field="source", found=source, allowed="datasets of other people",
            )  # fmt: skip


def _shared(source: Manifest | None, target: Manifest | None) -> tuple[str, str, int] | None:
    """The first image of the source that the target holds too, the target's image, and how many there are."""
    if source is None or target is None:
        return None
    known = {entry.sha256: entry.image for entry in target.entries}
    found = [(entry.image, known[entry.sha256]) for entry in source.entries if entry.sha256 in known]
    return (*found[0], len(found)) if found else None
