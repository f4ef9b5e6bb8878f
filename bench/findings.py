"""The figures of docs/findings.md and of the README, from the published ledger.

Usage: python -m bench.findings [LEADERBOARD] [--page docs/findings.md] [--page README.md] [--check]

A page's text is written by people; what stands between `<!-- figures: NAME -->` and `<!-- end -->` is computed here, from stored
predictions and kept reports alone. `--check` changes nothing and fails when a page says something else.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmark.board.reading import cost_seconds
from benchmark.cli.common import interval
from benchmark.data import card
from benchmark.elsewhere import store
from benchmark.elsewhere.against import compare
from benchmark.errors import InputError, KaryoError
from benchmark.findings import summary
from benchmark.insight import kept
from benchmark.insight.leakage import render as leaking
from benchmark.insight.render import table
from benchmark.insight.sweep import render as sweeping
from benchmark.ledger import Ledger
from benchmark.memo import Memo
from benchmark.memo import default as memory
from benchmark.protocol import BASELINE, LONG, SHUFFLED, TWO_STEP, base
from benchmark.results import Results
from benchmark.wording import p_value, points

PAGES = Path("docs/findings.md"), Path("README.md")
STUDY = {"Q": (0.008, 0.033), "G": (0.001, 0.007)}
"""Gains of two-step over ImageNet fine-tuning for modern networks by stain, in parts of 1: abstract of Chen et al. 2026."""

TRANSFER = {"yes": "shown", "no": "not shown", "not tested": "not tested", "": ""}
"""Whether a gain stands over equally long training on the target alone, too; empty where there is none."""

NONE = "Nothing of it is in the ledger yet."
BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str]) -> str:
    found = list(rows)
    return table(found, heads) if found else NONE


def _span(one: dict[str, float], signed: bool = False) -> str:
    return interval(one, signed).replace("-", "−")


class Findings:
    """What a ledger says.

    Args:
        folder: with `ledger/`.
        memo: remembers figures.
    """

    def __init__(self, folder: Path, memo: Memo) -> None:
        self.ledger = Ledger(folder / "ledger")
        self.results = Results(self.ledger, memo=memo)
        self.rows = self._rows(BASELINE)
        self.reports = kept.reports(self.ledger)

    def _rows(self, baseline: str) -> list[dict[str, Any]]:
        return [row for row in summary(self.results, baseline) if not row["withdrawn"] and not row["replaced"]]

    def _gains(self, over: str) -> Iterable[tuple[dict[str, Any], str, dict[str, Any], dict[str, Any] | None]]:
        """Row, protocol, its entry and its gain over a protocol."""
        for row in self.rows:
            for name, entry in row["protocols"].items():
                gain = entry.get("gain")
                if over == LONG:
                    gain = (gain or {}).get("over_long")
                if "macro_f1" in entry:
                    yield row, name, entry, gain

    def scores(self) -> str:
        """Macro-F1 by submission, target and protocol, and gains over ImageNet fine-tuning."""
        return _table(
            (
                (
                    row["track"], row["submission"], row["target"], name, str(entry["trainings"]), _span(entry["macro_f1"]),
                    *(("", "", "") if gain is None else (_span(gain, True), gain["verdict"], _p(gain))),
                )
                for row, name, entry, gain in self._gains(BASELINE)
            ),
            ("track", "submission", "target", "protocol", "trainings", "macro-F1", "gain over imagenet", "verdict", "p"),
        )  # fmt: skip

    def gains(self) -> str:
        """Training from scratch, two-step, longer training on the target alone, and the one over the other, with verdicts."""
        rows = []
        for row, name, _, gain in self._gains(BASELINE):
            if name == TWO_STEP and gain:
                scratch, longer = (row["protocols"].get(other, {}).get("gain") for other in ("scratch", LONG))
                every = scratch, gain, longer, gain.get("over_long")
                cells = (f"{_span(one, True)} {one['verdict']}" if one else "" for one in every)
                rows.append((row["submission"], row["target"], *cells))
        return _table(rows, ("submission", "target", "scratch", TWO_STEP, LONG, f"{TWO_STEP} over {LONG}"))

    def sentences(self) -> str:
        """What the registered comparisons say, in words."""
        said = [gain["sentence"] for _, name, _, gain in self._gains(BASELINE) if gain and name == TWO_STEP]
        return "\n".join(f"- {one}" for one in said) or NONE

    def control(self) -> str:
        """Two-step over what explains it: more training on the target, labels that teach nothing, another source."""
        gains = [(row, LONG, gain) for row, name, _, gain in self._gains(LONG) if gain and name == TWO_STEP]
        arms = {name for row in self.rows for name in row["protocols"]}
        for over in sorted(one for one in arms if one == SHUFFLED or (base(one) == TWO_STEP != one)):
            every = [(row, row["protocols"].get(TWO_STEP, {}).get("gain")) for row in self._rows(over)]
            gains += [(row, over, gain) for row, gain in every if gain]
        return _table(
            (
                (row["track"], row["submission"], row["target"], over, str(gain["trainings"]), _span(gain, True), gain["verdict"], _p(gain))
                for row, over, gain in gains
            ),
            ("track", "submission", "target", "two-step over", "trainings", "gain", "verdict", "p"),
        )  # fmt: skip

    def study(self) -> str:
        """The registered gains beside those of the study."""
        rows = []
        for row, name, _, gain in self._gains(BASELINE):
            if name == TWO_STEP and gain:
                stain = card.load(row["target"]).stain
                low, high = STUDY[stain]
                claim = f"{points(low, True)} to {points(high, True)} on {stain}-band"
                said = _span(gain, True), gain["verdict"], reading(gain, low, high), TRANSFER[gain["transfer"]]
                rows.append((row["track"], row["submission"], claim, *said))
        return _table(
            rows, ("track", "submission", "the study, modern networks", "found here", "verdict", "reads", "transfer")
        )

    def leakage(self) -> str:
        """What a random split flatters."""
        return self._reported("leakage", leaking)

    def sweep(self) -> str:
        """What a setting does."""
        return self._reported("sweep", sweeping)

    def _reported(self, kind: str, words: Any) -> str:
        own = [one.report for one in self.reports if one.kind == kind]
        said = (f"{words.scores(one)}\n\n" + "\n".join(f"- {text}" for text in words.sentences(one)) for one in own)
        return "\n\n".join(said) or NONE

    def elsewhere(self) -> str:
        """Self-run scores, and what each protocol of a submission has more."""
        rows, kept_scores = [], store.Store(self.ledger)
        for entry in store.listed(kept_scores.entries()):
            score, figures = entry.score, kept_scores.figures(entry.score)
            own = (score.name, score.track.name, score.dataset.name, _span(figures.macro_f1._asdict()))
            held = []
            for name in sorted({row["submission"] for row in self.rows if row["target"] == score.dataset.name}):
                try:
                    found = compare(
                        self.ledger, name, score.track.name, score.dataset.name, kept_scores.manifest(score), score.folds,
                        kept_scores.predictions(score),
                    )  # fmt: skip
                except InputError:  # not tested on all of these folds
                    continue
                held += [(*own, f"{name}, {one.protocol}", _span(one.difference._asdict(), True)) for one in found]
            rows += held or [(*own, "", "")]
        return _table(rows, ("model", "track", "target", "macro-F1", "against", "difference"))

    def reproduced(self) -> str:
        """Grades of records that were trained again."""
        records = [record for record in self.ledger.records() if record["status"] == "scored"]
        again = self.ledger.reproductions()
        keys = {one["of"] for one in again}
        counts = Counter(str(one["grade"]) for one in again)
        return (
            f"{len(keys)} of {len(records)} records were trained again ({100 * len(keys) / len(records):.1f} %)"
            + (f", in {len(again)} trainings: " if len(again) > len(keys) else ": ")
            + ", ".join(f"{count} {grade}" for grade, count in counts.items())
            + "."
        )

    def alone(self) -> str:
        """Networks that were trained from scratch and in no other way."""
        scored = [record for record in self.ledger.records() if record["status"] == "scored"]
        rows = []
        for row in self.rows:
            entry = row["protocols"].get("scratch", {})
            if set(row["protocols"]) != {"scratch"} or "macro_f1" not in entry:
                continue
            asked = row["track"], row["submission"], row["target"]
            made = [r for r in scored if (r["track"]["name"], r["submission"]["name"], r["dataset"]["name"]) == asked]
            size = made[0]["environment"].get("parameters")
            minutes = sum(map(cost_seconds, made)) / len(made) / 60
            told = (
                f"{size / 1e6:.1f}" if size else "",
                str(entry["trainings"]),
                _span(entry["macro_f1"]),
                f"{minutes:.1f}",
            )
            rows.append((*asked, *told))
        heads = "track", "submission", "target", "million parameters", "trainings", "macro-F1", "minutes of one core"
        return _table(rows, heads)

    def work(self) -> str:
        """What was trained, and what it took."""
        records = [record for record in self.ledger.records() if record["status"] == "scored"]
        kinds, spent = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
        for r in records:
            kind = r["track"]["name"], r["submission"]["name"], r["arm"], r["dataset"]["name"]
            kinds[kind] += 1
            spent[kind] += round(cost_seconds(r))
        rows = [(*kind, str(count), f"{spent[kind] / 3600:.1f}") for kind, count in sorted(kinds.items())]
        rows.append(("all", "", "", "", str(len(records)), f"{sum(spent.values()) / 3600:.1f}"))
        return _table(rows, ("track", "submission", "protocol", "target", "trainings", "hours of one core"))


def _p(gain: dict[str, Any]) -> str:
    return "" if gain["verdict"] == "withheld" else p_value(gain["p_adjusted"]).removeprefix("p = ").removeprefix("p ")


def reading(gain: dict[str, Any], low: float, high: float) -> str:
    """Whether a gain agrees with a claimed range of gains; all in parts of 1."""
    verdict = gain["verdict"]
    if verdict == "withheld":
        return "undecided: too few trainings"
    less, more = gain["high"] < low, gain["low"] > high
    if verdict == "better":
        return "agreed, but by less" if less else "agreed, and by more" if more else "agreed"
    if verdict == "worse" or less:
        return "not agreed"
    return "undecided"


BLOCKS: dict[str, Callable[[Findings], str]] = {
    "gains": Findings.gains, "scores": Findings.scores, "sentences": Findings.sentences, "control": Findings.control, "study": Findings.study,
    "leakage": Findings.leakage, "sweep": Findings.sweep, "elsewhere": Findings.elsewhere, "reproduced": Findings.reproduced,
    "alone": Findings.alone, "work": Findings.work,
}  # fmt: skip


def fill(page: str, found: Findings) -> str:
    """A page with its figures.

    Raises:
        InputError: when it asks for a block that there is not.
    """

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise InputError("no such figures", field="figures", found=match[2], allowed=tuple(BLOCKS))
        return f"{match[1]}{BLOCKS[match[2]](found)}\n{match[3]}"

    return BLOCK.sub(block, page)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("leaderboard", type=Path, nargs="?", default=Path("leaderboard"))
    parser.add_argument("--page", type=Path, action="append", dest="pages")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(arguments)
    try:
        with Memo(memory()) as memo:
            before = {page: page.read_text(encoding="utf-8") for page in asked.pages or PAGES}
            found = Findings(asked.leaderboard, memo)
            after = {page: fill(text, found) for page, text in before.items()}
    except (KaryoError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if asked.check:
        return int(before != after)
    for page, text in after.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
