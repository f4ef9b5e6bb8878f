"""Who hands units out: named engines behind one small interface.

An engine knows units and their parents, and a function that runs one; nothing of training,
sandboxes or the ledger.
"""

from benchmark.engine.base import Engine, Execute
from benchmark.engine.local import LocalEngine

ENGINES: dict[str, type[Engine]] = {"local": LocalEngine}
"""Every engine by name."""

__all__ = ["ENGINES", "Engine", "Execute", "LocalEngine"]
