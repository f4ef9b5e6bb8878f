from benchmark.forge.failed import MOST, TITLE, text


def made(key: str, grade: str, name: str = "my-net", again: float | None = 0.5) -> tuple[dict, dict]:
    record = {
        "key": key * 32,
        "submission": {"name": name},
        "arm": "two-step",
        "dataset": {"name": "sim-q"},
        "fold": 1,
        "repeat": 0,
    }
    return record, {"grade": grade, "reason": f"{grade} because", "macro_f1": {"original": 0.9, "reproduced": again}}


def told(*pairs: tuple[dict, dict]) -> str | None:
    return text([one for one, _ in pairs], [one for _, one in pairs])


def test_no_issue_where_none_failed() -> None:
    assert told(made("a", "bitwise"), made("b", "statistical")) is None
    assert told() is None


def test_failed_records_are_told_with_the_command_that_looks_again() -> None:
    shown = told(made("a", "bitwise"), made("b", "failed"), made("c", "failed", again=None)) or ""
    assert shown.startswith(f"# {TITLE}\n\n2 of 3 records")
    assert "| `bbbbbbbbbbbb` | `my-net` | `two-step` | `sim-q` | 1 | 0 | 90.0 | 50.0 | `failed because` |" in shown
    assert "| 90.0 | none | `failed because` |" in shown
    assert "karyobench reproduce bbbbbbbbbbbb\nkaryobench reproduce cccccccccccc\n" in shown
    assert "aaaaaaaaaaaa" not in shown and "*not reproduced*" in shown


def test_what_others_wrote_is_code_and_the_whole_has_a_limit() -> None:
    shown = told(made("b", "failed", name="@someone | <b>")) or ""
    assert "`@someone ¦ <b>`" in shown
    assert len(told(*[made("b", "failed")] * 2000) or "") == MOST
