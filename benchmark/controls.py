"""Controls for longer training, found for every two-step arm whatever their records are called."""

from __future__ import annotations

from benchmark import protocol as protocols
from benchmark.arm import Arm
from benchmark.records import Record


def lend(arms: dict[str, Arm], known: dict[str, Record]) -> None:
    """Give each two-step arm its control where the ledger has that unit under the name of other sources.

    Controls of equal length are one unit, and its record has the name of whichever was asked for first.
    """
    if not any(protocols.get(name).sources for name in arms):
        return
    long = [arm for name, arm in arms.items() if protocols.base(name) == protocols.LONG]
    for name in [name for name in arms if protocols.base(name) == protocols.TWO_STEP]:
        control = protocols.control_of(name)
        for place, record in arms[name].records.items():
            epochs = _as_long(record, known)
            lent = [
                arm.records[place]
                for arm in long
                if place in arm.records and arm.records[place].get("epochs") == epochs
            ]
            if epochs and lent:
                arms.setdefault(control, Arm(control)).records.setdefault(place, lent[0])


def _as_long(record: Record, known: dict[str, Record]) -> int | None:
    """Epochs of a training on the target alone that sees as many images as a record's whole chain, as `plan` counts them."""
    before, parent = 0, record.get("parent")
    while parent in known:
        before += known[parent]["train_images"]
        parent = known[parent].get("parent")
    return None if parent or not before else round(record["epochs"] * (1 + before / record["train_images"]))
