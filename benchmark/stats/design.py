"""Which training tested which group: the design of an experiment, and what its variances are made of.

A table of values has one row a repeat and one column a group. The columns stand in blocks (folds);
a *training* is one row of one block. One split is one block: trainings and groups are then fully
crossed. Inside a block trainings and groups are crossed, and blocks share neither.

The model is y[r, g] = mean + training[r, block(g)] + group[g] + rest[r, g], with three variances.
They are estimated from the sums of squares of trainings, groups and cells by the method of moments
(Henderson's method I, Biometrics 9:226, 1953; Searle, Casella & McCulloch, *Variance Components*,
1992, ch. 5), without a normality assumption. Every matrix below acts on four small subspaces, so
that no matrix of the size of the table is ever built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Variances(NamedTuple):
    """Variance components, in squared units of the values; never below zero.

    `group` is NaN where there is one repeat: it cannot then be told from `rest`, which holds both.
    """

    training: float
    group: float
    rest: float


class Design:
    """Rows are repeats, columns are groups, in blocks.

    Args:
        repeats: number of rows.
        blocks: number of groups of each block, in the order of the columns.

    Raises:
        ValueError: when there are fewer than two trainings or two groups, or a block is empty.
    """

    def __init__(self, repeats: int, blocks: Sequence[int]) -> None:
        if repeats < 1 or not blocks or min(blocks) < 1:
            raise ValueError(f"no such design: {repeats} repeats of blocks {tuple(blocks)}")
        if repeats * len(blocks) < 2:
            raise ValueError("one training: nothing can be said of another one (allowed: 2 or more)")
        if sum(blocks) < 2:
            raise ValueError("one group: nothing can be said of another one (allowed: 2 or more)")
        self.repeats = repeats
        self.blocks = tuple(int(size) for size in blocks)
        self.block_of = np.repeat(np.arange(len(blocks)), blocks)

    @property
    def groups(self) -> int:
        """Number of columns."""
        return sum(self.blocks)

    @property
    def trainings(self) -> int:
        """Number of trainings: rows × blocks."""
        return self.repeats * len(self.blocks)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """First column of every block."""
        return np.concatenate(([0], np.cumsum(self.blocks)[:-1])).astype(np.int64)

    def at(self, repeats: int) -> Design:
        """The same blocks with another number of repeats."""
        return Design(repeats, self.blocks)

    def sums_of_squares(self, values: Floats) -> Floats:
        """Sums of squares by training, group and cell, of values about their mean.

        Args:
            values: shape (..., repeats, groups).

        Returns:
            Shape (..., 3).

        Raises:
            ValueError: when the shape is not the design's or a value is not finite.
        """
        table = np.asarray(values, dtype=np.float64)
        if table.shape[-2:] != (self.repeats, self.groups):
            raise ValueError(f"values of shape {table.shape[-2:]}, the design is {(self.repeats, self.groups)}")
        if not np.isfinite(table).all():
            raise ValueError("values hold NaN or infinity")
        table = table - table.mean((-2, -1), keepdims=True)
        by_training = np.add.reduceat(table, self.starts, axis=-1)
        return np.stack(
            [(by_training**2).sum((-2, -1)), (table.sum(-2) ** 2).sum(-1), (table**2).sum((-2, -1))], axis=-1
        )

    def _spaces(self) -> tuple[list[tuple[float, Floats]], tuple[Floats, Floats, Floats], Floats]:
        """Plain subspaces as (dimension, eigenvalues of the three forms), the block means' forms, and its centring."""
        size, rows = np.array(self.blocks, dtype=np.float64), float(self.repeats)
        plain = [((rows - 1), np.array([one, 0.0, 1.0])) for one in size]
        plain.append((float((size - 1).sum()), np.array([0.0, rows, 1.0])))
        plain.append(((rows - 1) * float((size - 1).sum()), np.array([0.0, 0.0, 1.0])))
        unit = np.sqrt(size / size.sum())
        identity = np.eye(len(size))
        return plain, (np.diag(size), rows * identity, identity), identity - np.outer(unit, unit)

    def expectations(self) -> Floats:
        """Expected sums of squares: row k holds the coefficients of the three variances, shape (3, 3)."""
        plain, forms, centring = self._spaces()
        total = np.zeros((3, 3))
        for dimension, eigen in plain:
            total += dimension * np.outer(eigen, eigen)
        for k, first in enumerate(forms):
            for j, second in enumerate(forms):
                total[k, j] += np.trace(centring @ first @ centring @ second)
        return total

    def of_mean(self) -> Floats:
        """Coefficients of the three variances in the variance of the overall mean, shape (3,)."""
        size = np.array(self.blocks, dtype=np.float64)
        cells = self.repeats * size.sum()
        return np.asarray(np.array([self.repeats * (size**2).sum(), cells * self.repeats, cells]) / cells**2)

    def solve(self) -> tuple[Floats, Floats]:
        """From sums of squares to what is wanted.

        Returns:
            Weights that turn the sums of squares into the variance of the mean, shape (3,), and the
            matrix that turns them into the three variances, shape (3, 3). A variance that cannot
            be told from `rest` is left out, its row and weight zero: the groups' with one repeat,
            the trainings' where every training tests one group.
        """
        keep = [0] * (max(self.blocks) > 1) + [1] * (self.repeats > 1) + [2]
        inverse = np.zeros((3, 3))
        inverse[np.ix_(keep, keep)] = np.linalg.inv(self.expectations()[np.ix_(keep, keep)])
        return np.asarray(self.of_mean() @ inverse), inverse

    def degrees(self, variances: Floats) -> float:
        """Satterthwaite degrees of freedom of the estimated variance of the mean.

        Args:
            variances: training, group, rest.

        Returns:
            2 E² / Var of the quadratic form under normal effects (Satterthwaite, Biometrics 2:110, 1946).
        """
        weights, _ = self.solve()
        plain, forms, centring = self._spaces()
        expected = spread = 0.0
        for dimension, eigen in plain:
            product = float(weights @ eigen) * float(variances @ eigen)
            expected += dimension * product
            spread += dimension * product**2
        form = centring @ sum(w * f for w, f in zip(weights, forms, strict=True)) @ centring
        product_matrix = form @ sum(v * f for v, f in zip(variances, forms, strict=True))
        expected += float(np.trace(product_matrix))
        spread += float(np.trace(product_matrix @ product_matrix))
        return expected**2 / spread if spread > 0 else float("nan")
