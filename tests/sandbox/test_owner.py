from benchmark.sandbox.owner import alive, owner


def test_an_owner_is_alive_while_its_process_is() -> None:
    assert alive(owner())
    boot, pid, start = owner().split(" ")
    assert not alive(f"{boot} {pid} {int(start) + 1}"), "another process took the number"
    assert not alive(f"{boot} 4194999 {start}") and not alive("")
    assert alive(f"other-boot {pid} {start}"), "what another machine or boot started is not ours to remove"
