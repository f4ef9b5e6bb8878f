"""What is removed from a store, and what is not; with a folder and with a real S3 server."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.artefacts import Artefacts, Document, clean
from benchmark.artefacts import store as stores
from benchmark.artefacts.places import Place, State
from benchmark.artefacts.store import DAY
from benchmark.errors import InfrastructureError, InputError, IntegrityError

GRACE = 7 * DAY


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Aged:
    """Makes names of a store older than they are, as its place tells it."""

    def __init__(self, place: Place, patch: pytest.MonkeyPatch) -> None:
        self.ages: dict[str, float] = {}
        state, walk, write = place.state, place.walk, place.write

        def aged(name: str) -> State | None:
            found = state(name)
            return None if found is None else State(found.size, found.modified - self.ages.get(name, 0.0))

        def written(name: str, data: Any) -> None:
            self.ages.pop(name, None)
            write(name, data)

        patch.setattr(place, "state", aged)

        def walked(folder: str) -> Iterator[tuple[str, State]]:
            for name, _ in walk(folder):
                found = aged(name)
                if found is not None:
                    yield name, found

        patch.setattr(place, "walk", walked)
        patch.setattr(place, "write", written)

    def all(self, store: Artefacts, days: float) -> None:
        """Everything that is there now was written so many days ago."""
        for folder in ("blobs", "kits", "units", "runs", "claims"):
            self.ages |= {name: days * DAY for name, _ in store.place.walk(folder)}


@pytest.fixture
def aged(store: Artefacts, monkeypatch: pytest.MonkeyPatch) -> Aged:
    return Aged(store.place, monkeypatch)


def unit(store: Artefacts, key: str) -> list[str]:
    """A finished unit; returns its blobs."""
    blobs = [store.put(f"{what} of {key}".encode()) for what in ("result", "checkpoint", "logits")]
    store.publish(Document(key=key, status="finished", result=blobs[0], checkpoint=blobs[1], logits=blobs[2]))
    return blobs


def kit(store: Artefacts, *names: bytes) -> list[str]:
    """A kit that names some blobs; returns them and itself."""
    blobs = [store.put(name) for name in names]
    made = store.put(str(blobs).encode())
    store.keep(made)
    return [*blobs, made]


def there(store: Artefacts) -> set[str]:
    return {name.rpartition("/")[2] for name, _ in store.place.walk("blobs")}


def test_old_blobs_that_nothing_names_go_and_all_others_stay(store: Artefacts, aged: Aged) -> None:
    named, forgotten = unit(store, "named"), unit(store, "forgotten")
    store.forget("forgotten")
    aged.all(store, 8)
    young = store.put(b"on its way to a document")
    found = clean.survey(store, GRACE)
    assert {name.rpartition("/")[2] for name in found.old} == set(forgotten) and found.kept[0] == 4
    assert there(store) == {*named, *forgotten, young}, "a survey removes nothing"
    gone = clean.remove(store, found)
    assert gone == found.old and sum(gone.values()) == sum(
        len(f"{what} of forgotten") for what in ("result", "checkpoint", "logits")
    )
    assert there(store) == {*named, young} and store.get(named[1]) == b"checkpoint of named"
    assert clean.survey(store, GRACE).old == {}


def test_the_grace_time_counts(store: Artefacts, aged: Aged) -> None:
    unit(store, "k")
    old = store.put(b"x")
    aged.all(store, 6.9)
    assert clean.survey(store, GRACE).old == {}
    assert list(clean.survey(store, 6 * DAY).old) == [store._blob(old)]
    with pytest.raises(InputError, match=r"--days: too short; found 1\.0; allowed: 2 or more"):
        clean.survey(store, DAY)
    with pytest.raises(InputError, match="too short"):
        clean.survey(store, float("nan"))


def test_what_a_run_needs_stays_as_long_as_the_run_lives_or_is_young(store: Artefacts, aged: Aged) -> None:
    unit(store, "k")
    used = kit(store, b"images", b"weights")
    aged.all(store, 30)
    store.place.write("runs/r.json", b"{}")
    found = clean.survey(store, GRACE)
    assert found.living and found.old == {} and found.kits == (), "its head beats"
    aged.ages["runs/r.json"] = 8 * DAY
    store.place.write("claims/k2/000000.json", b"{}")
    assert clean.survey(store, GRACE).old == {}, "a node works, its head is dead"
    aged.ages["claims/k2/000000.json"] = 8 * DAY
    store.keep(used[-1])
    assert clean.survey(store, GRACE).old == {}, "a run has just begun, and says nothing yet"
    aged.ages[f"kits/{used[-1]}"] = 8 * DAY
    found = clean.survey(store, GRACE)
    assert not found.living and found.kits == (used[-1],) and len(found.old) == 3
    assert len(clean.remove(store, found)) == 3 and len(there(store)) == 3
    assert list(store.place.walk("kits")) == []


def test_a_run_that_begins_after_the_survey_loses_nothing(store: Artefacts, aged: Aged) -> None:
    """What it stores again was there, and old: it is sent again, and so it is young."""
    unit(store, "k")
    images, made = kit(store, b"images")
    aged.all(store, 30)
    found = clean.survey(store, GRACE)
    assert len(found.old) == 2
    assert kit(store, b"images") == [images, made]
    assert clean.remove(store, found) == {} and store.get(images) == b"images"
    assert [name for name, _ in store.place.walk("kits")] == [f"kits/{made}"]


def test_a_unit_that_ends_during_the_survey_keeps_its_blobs(
    store: Artefacts, aged: Aged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blobs were there, old and named by nobody, when they were listed."""
    unit(store, "k")
    late = [store.put(f"{what} of late".encode()) for what in ("result", "checkpoint", "logits")]
    aged.all(store, 30)
    check = store.check

    def now() -> None:
        assert unit(store, "late") == late
        check()

    monkeypatch.setattr(store, "check", now)
    assert clean.survey(store, GRACE).old == {}


def test_what_cannot_be_read_removes_nothing(store: Artefacts, aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    unit(store, "k")
    store.put(b"old")
    aged.all(store, 30)
    store.place.write("units/other.json", b"{")
    with pytest.raises(IntegrityError, match=r"units/other\.json: not a unit's document"):
        clean.survey(store, GRACE)
    store.place.delete("units/other.json")
    monkeypatch.setattr(store.place, "state", lambda name: State(1, float("inf")))
    with pytest.raises(InfrastructureError, match="does not tell how old things are"):
        clean.survey(store, GRACE)


def test_an_address_without_a_store_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no store"):
        clean.survey(Artefacts(str(tmp_path / "nothing")), GRACE)


def test_what_killed_writers_left_in_a_folder_goes_too(tmp_path: Path) -> None:
    """And ages are those of the files."""
    store = Artefacts(str(tmp_path))
    kept = unit(store, "k")
    part = tmp_path / "blobs" / "ab" / f".{'ab' * 32}.123-4.part"
    part.parent.mkdir(exist_ok=True)
    for path in (part, tmp_path / store._blob(store.put(b"old"))):
        path.write_bytes(b"old")
        os.utime(path, (time.time() - 8 * DAY,) * 2)
    assert len(clean.remove(store, clean.survey(store, GRACE))) == 2
    assert there(store) == set(kept) and not part.exists()


def test_the_clock_of_this_machine_does_not_matter(store: Artefacts, monkeypatch: pytest.MonkeyPatch) -> None:
    unit(store, "k")
    store.put(b"x")
    real = time.time
    monkeypatch.setattr(clean.time, "time", lambda: real() + 300 * DAY)
    assert clean.survey(store, GRACE).old == {}, "nothing is old by the store's clock"


def test_a_blob_is_sent_again_once_it_is_a_day_old(store: Artefacts, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(b"x")
    sent: list[str] = []
    write, real = store.place.write, time.time
    monkeypatch.setattr(store.place, "write", lambda name, data: (sent.append(name), write(name, data)))
    store.put(b"x")
    assert sent == []
    monkeypatch.setattr(stores.time, "time", lambda: real() + 1.1 * DAY)
    store.put(b"x")
    assert sent == [store._blob(sha(b"x"))]
