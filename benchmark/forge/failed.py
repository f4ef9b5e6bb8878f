"""The text of an issue about records that did not come out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.proposal.report import code

TITLE = "Records that did not come out again"
MOST = 60_000
"""Characters of an issue; GitHub takes 65,536."""


def text(records: Sequence[Mapping[str, Any]], reproductions: Sequence[Mapping[str, Any]]) -> str | None:
    """Title and text of an issue, as Markdown whose first line is the title.

    Args:
        records: of units that were trained again.
        reproductions: of each, in the same order; only the failed ones are told of.

    Returns:
        None where none failed.
    """
    failed = [pair for pair in zip(records, reproductions, strict=True) if pair[1]["grade"] == "failed"]
    if not failed:
        return None
    lines = [
        f"# {TITLE}", "",
        f"{len(failed)} of {len(records)} records that were trained again were graded *failed*. The board marks each row that holds "
        "one as *not reproduced*, until a later reproduction of the same record passes.", "",
        "A *failed* is a reason to look, not a verdict on its author: an honest new training fails now and then "
        "(docs/reproduction.md says how often).", "",
        "| record | submission | protocol | data set | fold | repeat | macro-F1 % | again | why |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(record, again) for record, again in failed), "",
        "To look again:", "", "```sh",
        *(f"karyobench reproduce {record['key'][:12]}" for record, _ in failed), "```",
    ]  # fmt: skip
    whole = "\n".join(lines) + "\n"
    return whole if len(whole) <= MOST else whole[: MOST - 1] + "…"


def _row(record: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    scores = again["macro_f1"]
    after = "none" if scores["reproduced"] is None else f"{100 * scores['reproduced']:.1f}"
    cells = (
        code(record["key"][:12]), code(record["submission"]["name"]), code(record["arm"]),
        code(record["dataset"]["name"]), record["fold"], record["repeat"], f"{100 * scores['original']:.1f}", after,
        code(again["reason"]),
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"
