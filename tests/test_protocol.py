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


@pytest.mark.parametrize(("name", "sources", "base"), [
    ("two-step[cir-g]", ("cir-g",), "two-step"),
    ("two-step[sim-q+sim-g]", ("sim-q", "sim-g"), "two-step"),
    ("imagenet-long[sim-q + sim-g]", ("sim-q", "sim-g"), "imagenet-long"),
    ("two-step-shuffled[a+b+c]", ("a", "b", "c"), "two-step-shuffled"),
])  # fmt: skip
def test_a_protocol_may_name_its_sources(name: str, sources: tuple[str, ...], base: str) -> None:
    found = protocol.get(name)
    assert (found.sources, found.base, found.stages) == (sources, base, protocol.PROTOCOLS[base].stages)
    assert found.name == name.replace(" ", "") and protocol.known(name)
    assert ", then ".join(sources) in found.meaning


@pytest.mark.parametrize(("name", "message"), [
    ("two-step[]", "no such protocol"),
    ("three-step[a]", "no such protocol"),
    ("two-step[a", "no such protocol"),
    ("scratch[a]", "takes no source.*allowed: two-step, imagenet-long, two-step-shuffled"),
    ("imagenet[a+b]", "takes no source"),
    ("two-step[a+a]", "stands twice in one chain"),
    ("two-step[a+]", "not a chain of sources.*joined by [+]"),
    ("two-step[A]", "not a chain of sources"),
    ("two-step[../x]", "not a chain of sources"),
])  # fmt: skip
def test_wrong_chains_are_errors(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        protocol.get(name)


def test_sources_multiply_the_protocols_that_hang_on_them() -> None:
    assert protocol.expand(protocol.MAIN, None) == list(protocol.MAIN)
    assert protocol.expand(protocol.MAIN, ["a", "a+b"]) == ["scratch", "imagenet", "two-step[a]", "two-step[a+b]"]
    assert protocol.expand(["imagenet-long", "two-step[c]"], ["a"]) == ["imagenet-long[a]", "two-step[c]"]
    with pytest.raises(InputError, match=r"no protocol that takes a source.*scratch"):
        protocol.expand(["scratch", "imagenet"], ["a"])


def test_names_are_ordered_by_the_suite_and_what_is_no_protocol_is_left_out() -> None:
    held = ["two-step[b]", "source-shuffled", "imagenet-long", "two-step", "two-step[a+c]", "scratch"]
    assert protocol.ordered(held) == ["scratch", "two-step", "two-step[a+c]", "two-step[b]", "imagenet-long"]
    assert (
        protocol.control_of("two-step[a+c]") == "imagenet-long[a+c]"
        and protocol.control_of("two-step") == "imagenet-long"
    )
