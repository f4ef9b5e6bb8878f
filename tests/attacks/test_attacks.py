"""Every attack is a real submission in a real container: what it tried, what came of it, and what was recorded.

The table in docs/security.md says the same in words.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.plausibility import early_score
from benchmark.submission import MAX_FILE, load

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
def bait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A token in the harness's environment and one in docker's settings."""
    token = "bait-1c5e0b7a"
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, token)
    proxies = {"default": {"httpProxy": f"http://user:{token}@proxy.example.org"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return token


def test_labels_ledger_and_tokens_are_nowhere_to_be_found(arena: Any, bait: str) -> None:
    ended = arena.attack("reads-labels")
    found = ended.found
    assert found["files"] == ["/inputs/train_labels.npy", "/inputs/validation_labels.npy"] and found["kernel"] == []
    assert bait not in ended.printed and (arena.workspace / "secret").read_bytes().hex() not in ended.printed
    assert [one["cmdline"][0] for one in found["processes"].values()] == ["/sbin/docker-init", "python3"]
    opened = {path for one in found["processes"].values() for path in one.get("fd", ())}
    assert all(path.isdigit() or path.startswith(("/dev/null", "pipe:", "/proc/", "anon_inode:")) for path in opened)
    ours = [(source, place, how) for source, place, how in found["mounts"] if str(arena.workspace) in source]
    assert [place for _, place, _ in ours] in (["/inputs"], []) and all(how.startswith("ro") for _, _, how in ours)
    assert arena.like_honest(ended)


def test_the_search_finds_what_lies_open(arena: Any) -> None:
    found = {Path(path).name for path in arena.code("reads-labels").files(str(arena.workspace))}
    assert {"secret", "ledger", "predictions", "records.jsonl", "manifest.csv"} <= found


@pytest.fixture
def listening() -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """A port on every address of this host, and an abstract socket."""
    abstract = f"karyobench-bait-{os.getpid()}"
    with socket.create_server(("0.0.0.0", 0)) as port, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + abstract)
        unix.listen()
        port.setblocking(False)
        unix.setblocking(False)
        yield port, unix, abstract


def test_nothing_can_be_called(arena: Any, listening: tuple[socket.socket, socket.socket, str]) -> None:
    port, unix, abstract = listening
    ended = arena.attack("opens-sockets", port=port.getsockname()[1], abstract=abstract)
    attempts = ended.found["attempts"]
    attempts.pop("vsock")  # see docs/security.md: daemons before 23.0 let it be made
    assert len(attempts) >= 13 and not {"reached", "made"} & set(attempts.values())
    assert all("Error" in said or "gaierror" in said for said in attempts.values()) and ended.found["routes"] == []
    for one in (port, unix):
        with pytest.raises(BlockingIOError):
            one.accept()
    assert arena.like_honest(ended)


def test_nothing_can_be_written_but_output_and_scratch(arena: Any, tmp_path: Path) -> None:
    marker = f"karyobench-was-here-{os.getpid()}"
    ended = arena.attack("writes-outside", marker=marker)
    found = ended.found
    assert len(found["attempts"]) == 29 and "done" not in found["attempts"].values()
    places = {folder for folder in found["folders"] if not folder.startswith("/tmp/")}
    assert places == {"/dev/mqueue", "/dev/shm", "/output", "/tmp"}
    assert int(found["status"]["CapBnd"], 16) == int(found["status"]["CapEff"], 16) == 0
    assert found["status"]["NoNewPrivs"] == "1" and found["status"]["Seccomp"] == "2"
    assert not any(Path(place, marker).exists() for place in ("/", "/etc", "/opt", "/tmp", "/usr/local/bin", "/root"))
    assert arena.like_honest(ended)


def test_a_fork_bomb_and_a_loop_end_at_their_time_limit(arena: Any) -> None:
    bomb, loop = arena.beside(arena.one("fork-bomb"), arena.one("endless-loop"), seconds=45)
    for ended in (bomb, loop):
        assert ended.failure == "time-out" and "not done after 45 s" in ended.record["failure"]["message"]
    most = max(int(line.split()[0]) for line in bomb.printed.splitlines() if line.endswith(" processes"))
    assert 32 <= most <= 128 and "annot fork" in bomb.printed and "looping" in loop.record["failure"]["message"]
    assert arena.running("b() { b & b &") == []


def test_a_memory_bomb_ends_itself_only(arena: Any) -> None:
    bombs = arena.beside(arena.one("memory-bomb", 1), arena.one("memory-bomb", 2, child=True))
    for ended in bombs:
        assert ended.failure == "out-of-memory" and "1.5 GiB" in ended.record["failure"]["message"]
        assert ended.record["peak_bytes"] is None or ended.record["peak_bytes"] <= 1536 << 20
    assert "the child ended with -9" in bombs[1].record["failure"]["message"]


def test_a_disk_bomb_fills_its_own_memory_only(arena: Any) -> None:
    bombs = (
        arena.one("disk-bomb", 1, folders=["/tmp", "/dev/shm"]), arena.one("disk-bomb", 2, folders=["/output"]),
        arena.one("disk-bomb", 3, folders=["/tmp", "/output"], small=True),
    )  # fmt: skip
    scratch, output, small = arena.beside(*bombs)
    assert scratch.found == {name: [64 << 20, "No space left on device"] for name in ("/tmp", "/dev/shm")}
    assert arena.like_honest(scratch)
    assert output.found == {"/output": [64 << 20, "No space left on device"]}
    assert small.found["/output"][0] <= 4096
    assert output.failure == small.failure == "output", "a full output folder is the submission's doing"


def test_what_leaves_its_session_ends_with_the_container(arena: Any) -> None:
    marker = f"karyobench-zombie-{os.getpid()}"
    ended = arena.attack("zombie", marker=marker)
    assert "running as" in ended.printed and arena.running(marker) == []
    assert arena.like_honest(ended)


def test_what_is_no_file_is_not_opened(arena: Any) -> None:
    odd, linked = arena.run(
        arena.one("bad-files", 1, variant="everything"), arena.one("bad-files", 2, variant="link-and-large")
    )
    assert odd.failure == linked.failure == "bad-output"
    said = odd.record["failure"]["message"]
    for part in (
        "logits.npy: a link", "model.safetensors: a folder", "log.jsonl: a pipe", "environment.json: a socket",
        "failure.json: a sparse file",
    ):  # fmt: skip
        assert part in said
    assert "logits.npy: a link" in linked.record["failure"]["message"]
    assert "log.jsonl: 20,971,520 bytes" in linked.record["failure"]["message"]


def test_a_pickle_is_refused_and_never_loaded(arena: Any, tmp_path: Path) -> None:
    touched = tmp_path / "unpickled"
    checkpoint, logits = arena.run(
        *(arena.one("pickles", n, variant=one, path=str(touched)) for n, one in enumerate(("checkpoint", "logits"), 1))
    )
    assert checkpoint.failure == logits.failure == "bad-output"
    assert "not a safetensors file" in checkpoint.record["failure"]["message"]
    assert "object" in logits.record["failure"]["message"] and not touched.exists()


def test_text_that_breaks_its_readers_breaks_nothing_else(arena: Any) -> None:
    variants = ("deep-log", "infinite", "header", "deep-environment")
    deep, infinite, header, nested = arena.beside(
        *(arena.one("poisons-readers", n, variant=v) for n, v in enumerate(variants))
    )
    assert deep.failure == header.failure == nested.failure == "bad-output"
    assert infinite.failure == "" and infinite.record["environment"] == {"x": None}, "what cannot be kept is dropped"


def test_a_claimed_score_is_ignored(arena: Any) -> None:
    ended = arena.attack("claims-score")
    assert arena.like_honest(ended) and ended.record["scores"] == arena.honest.record["scores"]
    assert ended.record["scores"]["macro_f1"] < 1 and "macro_f1" in ended.printed
    kept = {path.name for path in (arena.workspace / "units" / ended.record["key"]).iterdir()}
    assert kept == {"environment.json", "log.jsonl", "logits.npy", "model.safetensors", "result.json", "worker.log"}


def test_training_longer_openly_is_refused(arena: Any) -> None:
    ended = arena.attack("trains-longer", variant="open")
    assert ended.failure == "bad-output" and "epochs" in ended.record["failure"]["message"]


def test_training_longer_in_secret_is_possible_and_shows_in_the_curve(arena: Any) -> None:
    """Not stopped: only the time limit bounds it. The plausibility gate looks at what the test looks at."""
    for ended in arena.run(*(arena.one("trains-longer", n, variant=v) for n, v in enumerate(("hidden", "before"), 1))):
        assert ended.failure == "" and len(ended.record["log"]) == arena.track.recipe.epochs
        assert ended.record["scores"]["macro_f1"] > arena.honest.record["scores"]["macro_f1"] + 0.2
        assert early_score(ended.record) > early_score(arena.honest.record) + 0.2


def test_a_recipe_changed_in_memory_is_possible_and_shows_in_the_log(arena: Any) -> None:
    """Not stopped: the process that trains holds its recipe. The one on disk stays."""
    ended = arena.attack("changes-recipe")
    assert "changed 1" in ended.printed and "job.json: " in ended.printed and not arena.like_honest(ended)
    rates = [[line["lr"] for line in one.record["log"]] for one in (ended, arena.honest)]
    assert np.allclose(rates[0], 3 * np.array(rates[1]))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_order_of_the_test_images_is_nowhere_in_the_process(arena: Any) -> None:
    ended = arena.attack("looks-for-order")
    assert ended.found["orders"] == [] and arena.like_honest(ended)
    assert "secret" not in ended.found["job"] and not any(extra for _, extra in ended.found["inputs"].values())
    planted = {"order": [2, 0, 1, 4, 3, 6, 5, 8, 7, 10, 9]}
    assert "list" in arena.code("looks-for-order").search(len(planted["order"])), "the search finds what is there"


def test_another_unit_at_the_same_time_is_not_to_be_seen(arena: Any) -> None:
    both = arena.run(*(arena.one("steals-next-unit", n, number=n) for n in (1, 2)))
    told = [ended.found for ended in both]
    assert max(one["from"] for one in told) < min(one["to"] for one in told), "they must have run at the same time"
    for one, ended in zip(told, both, strict=True):
        assert one["key"] == ended.record["key"] and one["files"] == [] and one["shared"] == []
        assert len(one["processes"]) == 2 and one["left"]["/output"] == one["left"]["/dev/shm"] == []
        assert all(one["key"] in name or name.startswith("torch") for name in one["left"]["/tmp"])
        assert arena.like_honest(ended)


def test_known_images_can_be_recognised(arena: Any, tmp_path: Path) -> None:
    """Not stopped: it answers all test images by heart while its log looks honest. What gives it away is its code."""
    prepared = arena.prepared("sim-q")
    folder = tmp_path / "memorises-images"
    shutil.copytree(arena.folder("memorises-images"), folder)
    test = prepared.manifest.part(0, "test")
    known = {hash_of(prepared.images[one]): int(prepared.manifest.labels[one]) for one in test}
    (folder / "table.py").write_text(f"TABLE = {known}\n")
    [ended] = arena.run(load(folder))
    assert ended.record["scores"]["macro_f1"] == 1.0
    assert max(line["validation_macro_f1"] for line in ended.record["log"]) < 0.7, "no flag from the curve"
    assert ended.record["submission"]["code"] == load(folder).code_hash
    line = len(str(known)) / len(known)
    assert 5_500 * line < MAX_FILE, "the limits of a folder do not prevent it: a table of every public image fits"


def hash_of(image: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:8]


ENDS = {"killed": "crash", "exit-0": "bad-output", "exit-11": "output", "exit-125": "crash"}


def test_whoever_ends_itself_has_failed_and_not_the_machine(arena: Any) -> None:
    for way, ended in zip(
        ENDS, arena.beside(*(arena.one("ends-itself", n, way=w) for n, w in enumerate(ENDS))), strict=True
    ):
        assert ended.failure == ENDS[way], way
        assert f"ends itself: {way}" in ended.printed


def test_a_pretended_full_disk_is_the_submissions_failure(arena: Any) -> None:
    ended = arena.attack("fakes-full-disk")
    assert ended.failure == "output" and "No space left on device" in ended.record["failure"]["message"]


def test_a_flood_of_words_is_cut(arena: Any) -> None:
    ended = arena.attack("floods-log")
    assert "flooded" in ended.printed and len(ended.printed) <= 1 << 20
    assert arena.like_honest(ended)
