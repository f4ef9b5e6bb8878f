"""Augmentation of whole batches, on the device that trains, in one resampling.

All random numbers are drawn on the CPU from one seeded generator, in a fixed order and number per
batch, so that a unit sees the same augmentations on every device and two arms of a comparison
see the same ones, whatever they compare.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from benchmark.track import Augment


class Drawn(NamedTuple):
    """Chance of one batch, float32.

    Attributes:
        matrices: inverse affine maps in normalised coordinates, (batch, 2, 3).
        bend: (batch,), as the four that follow.
        gain: factor on brightness.
        gamma: exponent.
        noise: standard deviation of the grain.
        grain: standard normal, (batch, 1, side, side); (batch, 0) where the track has no noise.
    """

    matrices: torch.Tensor
    bend: torch.Tensor
    gain: torch.Tensor
    gamma: torch.Tensor
    noise: torch.Tensor
    grain: torch.Tensor


class Augmenter:
    """Draws and applies one track's augmentation.

    Args:
        settings: the track's ranges.
        seed: seed of the private generator.
    """

    def __init__(self, settings: Augment, seed: int) -> None:
        self.settings = settings
        self.generator = torch.Generator().manual_seed(seed)

    def _uniform(self, count: int, half_range: float) -> torch.Tensor:
        return (torch.rand(count, generator=self.generator) * 2.0 - 1.0) * half_range

    def _matrices(self, count: int) -> torch.Tensor:
        """Inverse affine maps in normalised coordinates, shape (count, 2, 3)."""
        s = self.settings
        angle = self._uniform(count, math.radians(s.rotate))
        shear = self._uniform(count, math.radians(s.shear)).tan()
        scale_x = self._uniform(count, math.log1p(s.scale)).exp()
        scale_y = self._uniform(count, math.log1p(s.scale)).exp()
        shift_x, shift_y = self._uniform(count, 2 * s.translate), self._uniform(count, 2 * s.translate)
        mirror = torch.where(torch.rand(count, generator=self.generator) < s.flip_horizontal, -1.0, 1.0)
        upset = torch.where(torch.rand(count, generator=self.generator) < s.flip_vertical, -1.0, 1.0)
        cos, sin = angle.cos(), angle.sin()
        row_x = torch.stack([cos * scale_x * mirror, (-sin + shear * cos) * scale_x, shift_x], dim=1)
        row_y = torch.stack([sin * scale_y * mirror, (cos + shear * sin) * scale_y * upset, shift_y], dim=1)
        return torch.stack([row_x, row_y], dim=1)

    def draw(self, count: int, side: int) -> Drawn:
        """Chance for the next batch: always as many numbers in the same order, whatever the ranges are.

        Args:
            count: images.
            side: of the images, in pixels.

        Returns:
            Tensors on the CPU.
        """
        s = self.settings
        matrices = self._matrices(count)
        bend = self._uniform(count, s.bend)
        gain = self._uniform(count, s.gain).exp()
        gamma = self._uniform(count, s.gamma).exp()
        noise = torch.rand(count, generator=self.generator) * s.noise
        seed = int(torch.randint(2**62, (1,), generator=self.generator))
        shape = (count, 1, side, side) if s.noise > 0 else (count, 0)
        grain = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return Drawn(matrices, bend, gain, gamma, noise, grain)

    def apply(self, images: torch.Tensor, drawn: Drawn) -> torch.Tensor:
        """Augment one batch by what was drawn for it; waits for nothing and copies nothing between devices.

        Args:
            images: float tensor (batch, 1, side, side), values 0 to 1.
            drawn: on the same device.

        Returns:
            A new tensor of the same shape, device and range.
        """
        s = self.settings
        grid = F.affine_grid(drawn.matrices, list(images.shape), align_corners=False)
        if s.bend > 0:
            curve = drawn.bend[:, None, None] * (grid[..., 1].square() - 1.0 / 3.0)
            grid = torch.stack([grid[..., 0] + curve, grid[..., 1]], dim=-1)
        warped = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        shape = (len(images), 1, 1, 1)
        if s.gamma > 0:
            warped = warped.clamp_min(1e-6) ** drawn.gamma.view(shape)
        warped = warped * drawn.gain.view(shape)
        if s.noise > 0:
            warped = warped + drawn.grain * drawn.noise.view(shape)
        return warped.clamp_(0.0, 1.0)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Draw for one batch of (batch, 1, side, side) and augment it."""
        drawn = self.draw(len(images), images.shape[-1])
        return self.apply(images, Drawn(*(part.to(images.device) for part in drawn)))
