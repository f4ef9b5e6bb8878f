import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmark.artefacts import Artefacts, Document
from benchmark.artefacts.patience import Patience
from benchmark.artefacts.places import Folder
from benchmark.artefacts.store import MissingError
from benchmark.errors import InfrastructureError, InputError, IntegrityError
from tests.artefacts import s3

A, B = "a" * 64, "b" * 64


def document(key: str = "k", result: str = A) -> Document:
    return Document(key=key, status="failed", result=result)


def test_bytes_and_files_come_back_by_their_hash(store: Artefacts, tmp_path: Path) -> None:
    data = b"checkpoint" * 100_000
    (tmp_path / "file").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    assert store.put(data) == store.put(tmp_path / "file") == sha256
    assert store.get(sha256) == data
    store.fetch(sha256, tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == data
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy"]


def test_what_is_cut_off_or_altered_is_never_taken_for_whole(store: Artefacts, tmp_path: Path) -> None:
    sha256 = store.put(b"whole checkpoint")
    for damaged in (b"whole chec", b"whole checkpoinT"):
        store.place.write(store._blob(sha256), damaged)
        with pytest.raises(MissingError):
            store.get(sha256)
        with pytest.raises(MissingError):
            store.fetch(sha256, tmp_path / "target")
    assert list(tmp_path.glob("**/*target*")) == []


def test_a_blob_that_was_cut_off_is_stored_again(store: Artefacts) -> None:
    sha256 = store.put(b"whole checkpoint")
    store.place.write(store._blob(sha256), b"whole")
    assert store.put(b"whole checkpoint") == sha256 and store.get(sha256) == b"whole checkpoint"


def test_what_is_there_is_not_sent_again(store: Artefacts, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(b"once")
    monkeypatch.setattr(store.place, "write", lambda *_: pytest.fail("sent again"))
    store.put(b"once")


def test_the_first_document_of_a_unit_is_believed(store: Artefacts) -> None:
    assert store.document("k") is None and store.finished() == set()
    assert store.publish(document()) == document()
    assert store.publish(document(result=B)) == document(), "the loser adopts the winner's"
    assert store.document("k") == document() and store.finished() == {"k"}
    store.forget("k")
    assert store.publish(document(result=B)).result == B


def test_of_many_who_publish_at_once_one_wins_and_all_know_which(store: Artefacts) -> None:
    barrier = threading.Barrier(8)

    def publish(number: int) -> Document:
        barrier.wait()
        return store.publish(document(result=f"{number:064d}"))

    with ThreadPoolExecutor(8) as pool:
        believed = set(pool.map(publish, range(8)))
    assert len(believed) == 1 and store.document("k") in believed


def test_a_document_that_is_none_is_one_error_that_names_it(store: Artefacts) -> None:
    store.place.write("units/k.json", b'{"key": "k"}')
    with pytest.raises(IntegrityError, match=r"units/k.json: not a unit's document"):
        store.document("k")


def test_a_finished_document_names_all_that_a_unit_leaves() -> None:
    with pytest.raises(ValueError, match="checkpoint and logits"):
        Document(key="k", status="finished", result=A, checkpoint=A)
    assert Document(key="k", status="finished", result=A, checkpoint=A, logits=B)


class Refusing(Folder):
    """Answers every call with an error for a while."""

    def __init__(self, root: Path, refusals: int, error: Exception) -> None:
        super().__init__(root)
        self.left, self.error = refusals, error

    def _refuse(self) -> None:
        if self.left:
            self.left -= 1
            raise self.error

    def write(self, name: str, data: Any) -> None:
        self._refuse()
        super().write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        self._refuse()
        return super().create(name, data)

    def read(self, name: str) -> bytes:
        self._refuse()
        return super().read(name)


class Clock:
    """A clock that only waiting moves."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, clock=lambda: self.now, sleep=self.sleep)


ERRORS = [OSError(5, "Input/output error"), ConnectionResetError("reset"), RuntimeError("503 Slow Down")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_store_that_refuses_for_a_while_loses_nothing(tmp_path: Path, error: Exception) -> None:
    clock = Clock()
    place = Refusing(tmp_path, 12, error)
    store = Artefacts("x", clock.patience(600.0), place)
    sha256 = store.put(b"data")
    assert clock.now > 60, "twelve refusals with growing pauses take over a minute"
    place.left = 12
    assert store.publish(document(result=sha256)) == document(result=sha256)
    place.left = 12
    assert store.get(sha256) == b"data"


def test_an_s3_server_that_answers_503_for_a_while_loses_nothing(server: s3.Server, s3_server: str) -> None:
    store = Artefacts(f"{s3_server}/refused", Patience(seconds=60.0, pause=0.05, longest=0.2))
    server.refusing.set()
    threading.Timer(3.0, server.refusing.clear).start()
    before = server.refused
    sha256 = store.put(b"checkpoint")
    assert store.publish(document(result=sha256)) == document(result=sha256)
    assert server.refused > before and store.get(sha256) == b"checkpoint"


def test_patience_ends_and_says_how_long_it_lasted(tmp_path: Path) -> None:
    clock = Clock()
    store = Artefacts("x", clock.patience(60.0), Refusing(tmp_path, 10**9, OSError("503")))
    with pytest.raises(InfrastructureError, match=r"does not answer, for \d+ s now: 503") as caught:
        store.put(b"data")
    assert caught.value.transient and 30 < clock.now <= 70


def test_what_waiting_does_not_mend_is_not_waited_for(tmp_path: Path) -> None:
    clock = Clock()
    store = Artefacts("x", clock.patience(600.0), Refusing(tmp_path, 1, PermissionError("403 Forbidden")))
    with pytest.raises(InputError, match="is not open to this user: 403 Forbidden"):
        store.check()
    assert clock.now == 0


def test_an_address_is_asked_before_anything_is_trained(s3_server: str) -> None:
    with pytest.raises(InputError, match=r"there is no such store.*no-such-bucket"):
        Artefacts("s3://no-such-bucket/x").check()
    with pytest.raises(InputError, match="no such kind of address"):
        Artefacts("nowhere://x")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(InputError, match=r"pip install 'karyobench\[s3\]'"):
        Artefacts("s3://bucket/x")


def test_a_folder_without_hard_links_is_written_after_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    place = Folder(tmp_path)
    assert place.create("a/b", b"1") and not place.create("a/b", b"2")
    assert place.read("a/b") == b"1" and place.names("a") == ["b"]


def test_a_killed_writer_leaves_no_name(tmp_path: Path) -> None:
    """What is left of a write that was cut off is no file of the store."""
    place = Folder(tmp_path)
    place.write("units/k.json", b"{}")
    (tmp_path / "units" / ".k2.json.x.part").write_bytes(b"{")
    assert place.names("units") == ["k.json"] and place.size("units/k2.json") is None
