import pytest

from benchmark import protocol
from benchmark.errors import InputError


def test_every_chain_ends_on_the_target() -> None:
    for found in protocol.PROTOCOLS.values():
        assert found.stages[-1].data == "target" and not found.stages[-1].shuffled


def test_controls_are_marked_and_the_rest_are_the_studys_three() -> None:
    assert protocol.MAIN == ("scratch", "imagenet", "two-step")
    assert {name for name, p in protocol.PROTOCOLS.items() if p.control} == {"imagenet-long", "two-step-shuffled"}


def test_an_unknown_protocol_lists_those_there_are() -> None:
    with pytest.raises(InputError, match="allowed: scratch, imagenet, two-step, imagenet-long, two-step-shuffled"):
        protocol.get("three-step")
