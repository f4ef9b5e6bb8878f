"""`karyobench calibrate`: do the statistics keep their error rate?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.common import bar, note, say


def calibrate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for rates.jsonl, table and figure.")] = Path(
        "calibration"
    ),
    replicates: Annotated[
        int, typer.Option(help="Experiments for every condition and scenario; a third for power.")
    ] = 1500,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes. Default: one a processor.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything.")] = 0,
    ledger: Annotated[
        Path | None,
        typer.Option(help="A workspace: also swap the arms of its two-step and imagenet predictions by lot."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the designs of 16 groups.")] = False,
) -> None:
    """Measure type I error and power of the verdicts, and of the procedures they replace.

    Simulates experiments with known truth over designs with 16, 65 and 119 groups. Stop it at any
    time; the same command continues. Exits 3 when a design that carries verdicts is outside 3 to 7 %.

    Example: karyobench calibrate --ledger karyobench-workspace
    """
    from benchmark import calibrate as campaign
    from benchmark.crew import processors
    from benchmark.errors import IntegrityError
    from benchmark.stats.calibration import CONDITIONS

    conditions = [one for one in CONDITIONS if one.groups == 16 or not quick]
    work: list[campaign.Task | campaign.Real] = [*campaign.tasks(conditions, replicates, seed)]
    if ledger:
        real = campaign.from_ledger(ledger / "ledger", replicates, seed)
        note(f"{len(real)} sets of real predictions: {', '.join(one.label for one in real) or 'none with a verdict'}")
        work = [*real, *work]
    with bar("calibrating", "conditions") as progress:
        lines = campaign.run(work, output, jobs or processors(), progress)
    text = campaign.report(lines, output)
    say(text)
    wrong = campaign.outside(lines)
    if wrong:
        raise IntegrityError("error rates outside 3 to 7 %", file=output / "calibration.md", found=wrong)
