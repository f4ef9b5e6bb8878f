import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.engine import Options, load
from benchmark.engine import ray as module
from benchmark.engine.ray import RayEngine, _host, _Room
from benchmark.errors import InputError


def test_an_address_where_nobody_answers_is_one_error_at_once() -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    engine = load("ray")(1, options=Options(address="127.0.0.1:1"))
    with pytest.raises(InputError, match=r"address: no Ray cluster answers: .*'127.0.0.1:1'"):
        next(iter(engine.run([], lambda unit: {})))


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("10.0.0.5:6379", "10.0.0.5", "6379"), ("ray://head:10001", "head", "10001"), ("[::1]:6379", "::1", "6379"), ("auto", "", "auto")],
)  # fmt: skip
def test_an_address_is_a_host_and_a_port(address: str, host: str, port: str) -> None:
    assert _host(address) == (host, port)


def test_what_a_unit_reserves() -> None:
    wanted = RayEngine(1, options=Options(threads=2, gpus=0.25, memory=3 << 30))._wanted()
    assert wanted == {"num_cpus": 2, "num_gpus": 0.25, "memory": 3 << 30}
    with pytest.raises(InputError, match="more than one GPU must be whole ones"):
        RayEngine(1, options=Options(gpus=1.5))._wanted()


def test_as_many_units_are_handed_out_as_fit_and_some_more_and_the_autoscaler_is_asked_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sdk = pytest.importorskip("ray.autoscaler.sdk", reason="the extra ray is not installed")
    asked: list[list[dict[str, float]]] = []
    monkeypatch.setattr(sdk, "request_resources", lambda bundles: asked.append(bundles))
    cluster: Any = SimpleNamespace(cluster_resources=lambda: {"CPU": 64.0, "GPU": 8.0})
    room = _Room(cluster, {"num_cpus": 1, "num_gpus": 0.5})
    assert room.window() == 16 + 4
    for units in (100, 95, 50, 0, 0, 10**6):
        room.ask(units)
    assert [len(bundles) for bundles in asked] == [100, 50, 0, module.MOST_ASKED]
    assert asked[0][0] == {"CPU": 1, "GPU": 0.5}


def test_what_a_lost_worker_and_a_failing_one_mean() -> None:
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from benchmark.errors import InfrastructureError, TakenError

    def raised(error: Exception) -> Any:
        return ray.exceptions.RayTaskError("f", "trace", error)

    cases = [
        (ray.exceptions.WorkerCrashedError(), "lost"),
        (ray.exceptions.NodeDiedError("gone"), "lost"),
        (ray.exceptions.OutOfMemoryError("too much"), "lost"),
        (raised(InfrastructureError("disk", transient=True)), "passing"),
        (raised(TakenError("held")), "taken"),
        (raised(InputError("wrong")), "lasting"),
        (raised(ValueError("a bug")), "lasting"),
        (ray.exceptions.RuntimeEnvSetupError("no such package"), "lasting"),
    ]
    assert [module.fault(ray, error).kind for error, _ in cases] == [kind for _, kind in cases]


def test_what_a_task_is_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(module.execute_unit)) is module.execute_unit
