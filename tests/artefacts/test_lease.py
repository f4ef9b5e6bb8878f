import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark.artefacts import Artefacts, Claim, Leases
from benchmark.artefacts.lease import MISSED, gone, holder
from benchmark.errors import TakenError


def never() -> bool:
    return False


class Time:
    """A clock that only waiting moves; something may happen at every wait."""

    def __init__(self, happens: Callable[[], None] = lambda: None) -> None:
        self.now, self.happens = 1e9, happens

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens()

    def leases(self, store: Artefacts) -> Leases:
        return Leases(store, 10.0, clock=lambda: self.now, sleep=self.sleep)


def elsewhere(store: Artefacts, beat: int = 0, generation: int = 0) -> None:
    """A claim of another machine."""
    claim = Claim(holder="u|pid:[1]|other-boot 1 1", beat=beat)
    store.place.write(Leases.name("k", generation), claim.model_dump_json().encode())


def test_one_of_many_holds_a_unit(store: Artefacts) -> None:
    """Their clock stands still: a holder whose beats are late on a busy machine is not taken for dead."""
    together, refused = threading.Barrier(6), threading.Barrier(6)

    def take(_: int) -> bool:
        leases = Leases(store, 0.2, clock=lambda: 0.0)
        together.wait()
        try:
            with leases.hold("k", never):
                refused.wait(60)
                return True
        except TakenError:
            refused.wait(60)
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 1


def test_a_living_holder_is_left_alone(store: Artefacts) -> None:
    beats = iter(range(1, 100))
    time = Time(lambda: elsewhere(store, next(beats)))
    elsewhere(store)
    with pytest.raises(TakenError, match="another worker trains it"), time.leases(store).hold("k", never):
        pass


def test_a_dead_holders_claim_is_taken_over_when_its_number_stood_still(store: Artefacts) -> None:
    time = Time()
    elsewhere(store, beat=7)
    with time.leases(store).hold("k", never) as held:
        assert held is not None and held.generation == 1
        assert MISSED * 10.0 <= time.now - 1e9 <= (MISSED + 1) * 10.0
    assert store.place.names("claims/k") == []


def test_of_two_who_find_a_dead_holder_one_takes_over(store: Artefacts, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(store)
    time, create = Time(), store.place.create

    def late(name: str, data: bytes) -> bool:
        if name == Leases.name("k", 1):
            elsewhere(store, generation=1)
        return create(name, data)

    monkeypatch.setattr(store.place, "create", late)
    with time.leases(store).hold("k", never) as held:
        assert held is not None and held.generation == 2, "after the other's claim stood still as well"
        assert time.now - 1e9 >= 2 * MISSED * 10.0


def test_a_holder_of_this_machine_that_is_gone_is_not_waited_for(
    store: Artefacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = holder()
    unique, space, label = mine.split("|", 2)
    boot, pid, _ = label.split(" ")
    dead = f"{unique}|{space}|{boot} {pid} 1"
    assert gone(dead) and not gone(mine) and not gone(f"{unique}|pid:[1]|{boot} {pid} 1") and not gone("nonsense")
    store.place.write(Leases.name("k", 0), Claim(holder=dead, beat=3).model_dump_json().encode())
    time = Time()
    with time.leases(store).hold("k", never) as held:
        assert held is not None and time.now == 1e9


def test_a_released_claim_is_free_at_once(store: Artefacts) -> None:
    time = Time()
    with pytest.raises(KeyError), time.leases(store).hold("k", never):
        raise KeyError
    with time.leases(store).hold("k", never) as held:
        assert held is not None and held.generation == 1 and time.now == 1e9


def test_who_waits_sees_that_the_unit_has_ended(store: Artefacts) -> None:
    elsewhere(store)
    ended = threading.Event()
    with Time(ended.set).leases(store).hold("k", ended.is_set) as held:
        assert held is None


def test_a_unit_that_ended_before_it_was_held_is_not_run(store: Artefacts) -> None:
    with Leases(store, 10.0).hold("k", lambda: True) as held:
        assert held is None
    assert store.place.names("claims/k") == []


def test_a_holder_counts_up_and_shows_its_progress(store: Artefacts) -> None:
    leases = Leases(store, 0.02)
    with leases.hold("k", never) as held:
        assert held is not None
        held.report({"epoch": 3, "epochs": 9, "nested": {}})
        for _ in range(500):
            claim = leases.read("k", 0)
            if claim and claim.progress and claim.beat > 2:
                break
            threading.Event().wait(0.02)
    assert claim is not None and claim.progress == {"epoch": 3, "epochs": 9} and claim.beat > 2
