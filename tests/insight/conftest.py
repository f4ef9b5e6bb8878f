from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def clustered() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Features of images in groups that share a shift, and the groups' numbers."""

    def make(seed: int, groups: int = 12, each: int = 20, width: int = 4, shared: float = 1.0, mean: Any = 0.0) -> Any:
        random = np.random.default_rng(seed)
        centres = random.normal(0, shared, (groups, width))
        features = np.repeat(centres, each, axis=0) + random.normal(0, 1, (groups * each, width)) + mean
        return features, np.repeat(np.arange(groups), each)

    return make
