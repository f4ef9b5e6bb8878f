"""KaryoBench: does pre-training on a related stain help this architecture on these chromosomes?

The package is the harness; submissions and dataset cards are folders beside it. Nothing here may
import torch at import time except `benchmark.training`. What a notebook needs is loaded when it is
first asked for (PEP 562), so that `import benchmark` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.errors import InfrastructureError, InputError, IntegrityError, KaryoError
    from benchmark.library.datasets import Data, dataset
    from benchmark.library.gains import Comparison, Gain, Score, columns, compare, gain
    from benchmark.library.pairing import gain_of
    from benchmark.library.predictions import Predictions, predictions
    from benchmark.library.units import UnitResult, run, units

__version__ = "0.1.0"

__all__ = [
    "Comparison", "Data", "Gain", "InfrastructureError", "InputError", "IntegrityError", "KaryoError", "Predictions",
    "Score", "UnitResult", "__version__", "columns", "compare", "dataset", "gain", "gain_of", "predictions", "run",
    "units",
]  # fmt: skip

_HOME = {
    "library.datasets": ("Data", "dataset"),
    "library.units": ("UnitResult", "run", "units"),
    "library.predictions": ("Predictions", "predictions"),
    "library.gains": ("Comparison", "Score", "Gain", "compare", "gain", "columns"),
    "library.pairing": ("gain_of",),
    "errors": ("KaryoError", "InputError", "IntegrityError", "InfrastructureError"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
