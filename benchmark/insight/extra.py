"""The packages of the extra `insight`, asked for before any work is begun."""

from __future__ import annotations

from importlib.util import find_spec

from benchmark.errors import InputError

DISTRIBUTIONS = {"captum": "captum", "skimage": "scikit-image", "statsmodels": "statsmodels"}


def require(*modules: str) -> None:
    """Refuse to begin without some packages.

    Args:
        modules: keys of `DISTRIBUTIONS`.

    Raises:
        InputError: for the first that is not installed.
    """
    for module in modules:
        if find_spec(module) is None:
            raise InputError(
                "this takes a package that is not installed", field="package", found=DISTRIBUTIONS[module],
                allowed="the extra `insight`", hint="Run: pip install 'karyobench[insight]'",
            )  # fmt: skip
