"""Energy of the processor package, where the system lets it be read (Intel RAPL)."""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


def read_microjoules(root: Path = POWERCAP) -> dict[str, int]:
    """Counter of each package by name; empty where there is none or it may not be read."""
    counters = {}
    for package in sorted(root.glob("intel-rapl:[0-9]*")):
        if package.name.count(":") == 1:
            try:
                counters[package.name] = int((package / "energy_uj").read_text())
            except (OSError, ValueError):
                continue
    return counters


def joules_between(before: dict[str, int], after: dict[str, int], root: Path = POWERCAP) -> float | None:
    """Energy between two readings, with counters that ran over once mended; None without counters."""
    if not before or before.keys() != after.keys():
        return None
    total = 0
    for name, start in before.items():
        used = after[name] - start
        if used < 0:
            try:
                used += int((root / name / "max_energy_range_uj").read_text())
            except (OSError, ValueError):
                return None
        total += used
    return total / 1e6
