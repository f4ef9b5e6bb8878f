"""Faults on a real Ray cluster of three nodes on the loopback: the same ledger, nothing finished trained twice, nothing lost."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmark.artefacts import Artefacts
from benchmark.engine import Options, load
from benchmark.errors import InfrastructureError
from benchmark.ledger import Ledger
from benchmark.plan import Unit
from benchmark.submission import Submission
from tests.artefacts import s3
from tests.engine import faults
from tests.engine.faults import campaign_of
from tests.engine.ray_cluster import MARK, Case

pytestmark = pytest.mark.slow


def sockets(listening: str = "0A") -> dict[str, str]:
    """Inode → address of every listening TCP socket of this machine, as /proc has them."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == listening:
                found[fields[9]] = fields[1].split(":")[0]
    return found


def test_nothing_of_it_listens_beyond_the_loopback(case: Case) -> None:
    """Asks the kernel for every socket of every process of the cluster, once it has run units."""
    case.run()
    case.check()
    mark, listening, seen = f"{MARK}={os.environ[MARK]}".encode(), sockets(), set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark not in (process / "environ").read_bytes():
                continue
            inodes = {
                os.readlink(file)[8:-1]
                for file in (process / "fd").iterdir()
                if os.readlink(file).startswith("socket:")
            }
        except OSError:
            continue
        seen |= {listening[inode] for inode in inodes & listening.keys()}
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert seen and seen <= loopback, seen


def test_a_worker_that_is_killed_in_a_unit(case: Case) -> None:
    case.book.tell("kill", case.roots[0])
    case.book.tell("kill", case.child.key)
    case.run()
    case.check(extra=2)


def test_a_unit_that_kills_its_worker_each_time_is_quarantined_and_named_and_the_others_are_done(case: Case) -> None:
    killer = case.book.tell("killer", case.child.key)
    with pytest.raises(InfrastructureError, match=r"1 of 8 units could not be run; the others are done") as caught:
        case.run()
    assert f"{case.child.key[:12]} tiny-net" in str(caught.value) and "quarantined: " in str(caught.value)
    assert case.book.count("start", case.child.key) == 2 and len(case.campaign.ledger.records()) == 7
    killer.unlink()
    case.run()
    case.check(extra=2)


def test_a_node_that_is_removed_while_a_unit_runs_on_it(case: Case) -> None:
    hold = case.book.tell("hold", case.roots[1])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(case.run)
        case.book.wait("start", case.roots[1])
        pid, node = next(line[2:4] for line in case.book.lines() if line[:2] == ["start", case.roots[1]])
        case.ray.remove(node)
        until = time.monotonic() + faults.DEADLINE
        while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
            time.sleep(0.02)
        hold.unlink()
        running.result(faults.DEADLINE)
    assert case.book.count("start", case.roots[1]) == 2
    vain = case.book.count("start") - len(case.units)
    begun = [line[1] for line in case.book.lines() if line[0] == "start" and line[3] == node]
    assert 1 <= vain <= len(begun), "only what ran on that node was trained again"
    case.check(extra=vain)


def test_a_head_that_is_killed_and_started_again(case: Case) -> None:
    hold = case.book.tell("hold", case.roots[2])
    head = case.head()
    case.book.wait("start", case.roots[2])
    case.book.wait("end", count=3)
    until = time.monotonic() + faults.DEADLINE
    while not Artefacts(case.store).finished():  # what has ended must yet be stored
        assert time.monotonic() < until, "nothing was stored"
        time.sleep(0.02)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    hold.unlink()
    finished = Artefacts(case.store).finished()
    again = case.head()
    out, _ = again.communicate(timeout=faults.DEADLINE)
    assert again.returncode == 0, out.decode()
    vain = case.book.count("start") - len(case.units)
    assert all(case.book.count("start", key) == 1 for key in finished), "nothing finished is trained twice"
    case.check(extra=vain)
    other = case.other("lost-its-disk")
    case.run(other)
    case.check(other, extra=vain)


def test_two_heads_at_once_and_a_slow_node(case: Case) -> None:
    """Both ask for every unit; one of them is trained for longer than any claim without a sign of life would last."""
    hold = case.book.tell("hold", case.roots[0])
    second = case.other("second")
    head = case.head(second.workspace)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(case.run)
        held = sum(unit.parent == case.roots[0] for unit in case.units) + 1
        case.book.wait("end", count=len(case.units) - held)
        case.book.wait("start", case.roots[0])
        begun = time.monotonic()
        while time.monotonic() - begun < 10 * faults.BEAT:
            assert case.book.count("start", case.roots[0]) == 1, "trained twice at the same time"
            time.sleep(0.05)
        hold.unlink()
        running.result(faults.DEADLINE)
        out, _ = head.communicate(timeout=faults.DEADLINE)
    assert head.returncode == 0, out.decode()
    case.check()
    case.check(campaign_of(second.workspace, case.track, case.submission, case.store))


def test_two_heads_at_once_on_one_ledger(case: Case) -> None:
    heads = [case.head(), case.head()]
    for head in heads:
        out, _ = head.communicate(timeout=faults.DEADLINE)
        assert head.returncode == 0, out.decode()
    case.check()


def test_a_store_that_refuses_all_that_is_written_for_a_while(case: Case) -> None:
    """A real S3 server that answers 503 from the middle of a training until long after its end."""
    case.on(f"s3://{s3.BUCKET}/{uuid.uuid4().hex}")
    server, hold = case.ray.server, case.book.tell("hold", case.roots[0])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(case.run)
        case.book.wait("start", case.roots[0])
        server.refusing.set()
        hold.unlink()
        case.book.wait("end", case.roots[0])
        refused, until = server.refused, time.monotonic() + faults.DEADLINE
        while server.refused < refused + 20 and time.monotonic() < until:
            time.sleep(0.05)
        server.refusing.clear()
        running.result(faults.DEADLINE)
    assert server.refused >= refused + 20
    case.check()


def test_clocks_that_are_an_hour_ahead(case: Case) -> None:
    """The wall clock of the process that runs a unit is moved, and the files of its claim; of half of the units."""
    for key in [*case.roots[::2], case.child.key]:
        case.book.tell("skew", key)
    hold = case.book.tell("hold", case.roots[0])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(case.run)
        case.book.wait("start", case.roots[0])
        for claim in (Path(case.store) / "claims").rglob("*.json"):
            os.utime(claim, (time.time() + faults.SKEW,) * 2)
        hold.unlink()
        running.result(faults.DEADLINE)
    case.check()
    ended = sorted(record["ended"] for record in case.campaign.ledger.records())
    assert ended[-1][:13] != ended[0][:13], "the clocks were really apart"


def test_a_partly_written_checkpoint(case: Case) -> None:
    with faults.quick():
        options = Options(address=case.ray.address)
        case.campaign.run(case.alone, lambda unit, line: None, sandbox="simulated", engine="ray", options=options)
    document = case.campaign.artefacts.document(case.child.parent)
    assert document is not None and document.checkpoint is not None
    blob = Path(case.store) / "blobs" / document.checkpoint[:2] / document.checkpoint
    blob.write_bytes(blob.read_bytes()[:-1])
    shutil.rmtree(case.book.folder / "nodes")
    case.run()
    case.check(extra=1)


def probe(book: str, unit: Unit) -> dict[str, Any]:
    """Says which GPU it was given, once as many units as there is room for are there."""
    folder = Path(book)
    (folder / f"probe-{unit.key}").touch()
    until = time.monotonic() + 30
    while len(list(folder.glob("probe-*"))) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    import ray

    return {"gpu": os.environ["CUDA_VISIBLE_DEVICES"], "node": ray.get_runtime_context().get_node_id()}


def test_whole_gpus_are_leased_by_id_and_given_to_one_unit_at_a_time(case: Case) -> None:
    engine = load("ray")(1, options=Options(address=case.ray.address, gpus=1.0))
    found = [said for _, said in engine.run(case.alone, functools.partial(probe, str(case.book.folder)))]
    assert sorted((one["node"], one["gpu"]) for one in found) == sorted(
        (node.node_id, gpu) for node in case.ray.nodes for gpu in "01"
    )


def test_parts_of_a_gpu_share_it(case: Case) -> None:
    engine = load("ray")(1, options=Options(address=case.ray.address, gpus=0.5))
    found = [said for _, said in engine.run(case.alone, functools.partial(probe, str(case.book.folder)))]
    assert all(one["gpu"] in "01" for one in found) and len({(one["node"], one["gpu"]) for one in found}) < 4


def test_a_run_that_is_submitted_as_a_job(case: Case) -> None:
    """`ray job submit`, as docs/scaling.md says, with a real training in the process sandbox."""
    ledger = case.root / "job" / "ledger"
    shutil.copytree(case.workspace / "datasets", case.root / "job" / "datasets")
    command = [
        sys.executable, "-m", "benchmark", "run", str(case.submission.folder), "-t", str(case.root / "tiny.yaml"), "-p", "scratch",
        "--target", "sim-q", "-w", str(case.root / "job"), "--engine", "ray", "--address", "auto", "--store", case.store,
    ]  # fmt: skip
    ray = [str(Path(sys.executable).with_name("ray")), "job", "submit", "--address", case.ray.jobs, "--", *command]
    done = subprocess.run(ray, capture_output=True, text=True, timeout=faults.DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 trained now" in done.stdout
    [record] = Ledger(ledger).records()
    assert record["status"] == "scored" and record["sandbox"] == "process" and Ledger(ledger).verify() == []


@pytest.mark.docker
def test_the_containers_of_a_killed_worker_are_removed_by_the_next_unit(case: Case) -> None:
    """A model that never comes, in a real container; its worker is killed, and the unit starts again."""
    from benchmark.errors import KaryoError
    from benchmark.sandbox.image import daemon, find
    from benchmark.sandbox.owner import OWNER, reap

    try:
        find()
    except KaryoError as error:
        if os.environ.get("KARYOBENCH_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"no container can run here: {error}")
    (case.submission.folder / "model.py").write_text("import time\n\n\ndef build(**kwargs):\n    time.sleep(600)\n")
    submission = Submission(case.submission.spec, case.submission.folder, case.submission.code)
    campaign = campaign_of(case.workspace, case.track, submission, case.store)
    [unit] = campaign.todo(campaign.plan(["scratch"], ["sim-q"]))
    killed: list[int] = []

    def containers(count: int, next_unit: Callable[[Any], object] = lambda _: None) -> dict[str, int]:
        """Worker of every container of this cluster, once there are as many as that, by the container."""
        until, found = time.monotonic() + faults.DEADLINE, {}
        while time.monotonic() < until:
            with daemon() as client:
                next_unit(client)
                listed = client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER})
                found = {one.id: int(one.labels[OWNER].split(" ")[1]) for one in listed}
            found = {one: pid for one, pid in found.items() if pid in killed or of_cluster(pid)}
            if len(found) == count and not set(killed) & set(found.values()):
                return found
            time.sleep(0.1)
        raise AssertionError(f"not {count} containers, and none of {killed}: {found}")

    def kill(found: dict[str, int]) -> None:
        [pid] = set(found.values())
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    with ThreadPoolExecutor(1) as pool, faults.quick():
        options = Options(address=case.ray.address)
        running = pool.submit(campaign.run, [unit], lambda *_: None, sandbox="docker", engine="ray", options=options)
        first = containers(2)
        kill(first)
        second = containers(2)
        assert not first.keys() & second.keys(), "keeper and worker of the killed one are gone, and new ones are there"
        kill(second)
        with pytest.raises(InfrastructureError, match="quarantined"):
            running.result(faults.DEADLINE)
    # What any next unit on that machine does first. The cluster may know of the killed worker's end before the system
    # has ended it, so a single one could come too early.
    assert containers(0, reap) == {} and campaign.ledger.records() == []


def of_cluster(pid: int) -> bool:
    """Whether a process is one of this module's cluster."""
    try:
        return f"{MARK}={os.environ[MARK]}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
