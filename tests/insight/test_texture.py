import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from benchmark.insight.texture import Intensity, Slope, Spectrum, greys, plain, radii, slope, spectra, texture


def noise(power: float, seed: int, count: int = 40, size: int = 64) -> np.ndarray:
    """Images whose power falls with a given power of the radius."""
    random = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    radius[0, 0] = 1
    images = np.fft.irfft2(
        np.fft.rfft2(random.normal(size=(count, size, size))) * radius ** (power / 2), s=(size, size)
    )
    images -= images.mean(axis=(1, 2), keepdims=True)
    return np.clip(128 + 40 * images / images.std(axis=(1, 2), keepdims=True), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("power", [0.0, -1.0, -2.0])
def test_the_slope_of_made_noise_is_found(power: float) -> None:
    assert slope(spectra(noise(power, 0)).mean(axis=0)) == pytest.approx(power, abs=0.2)


def test_a_wave_has_its_power_at_its_radius_and_contrast_does_not_count() -> None:
    wave = np.sin(2 * np.pi * 12 * np.arange(64) / 64)
    images = np.stack([128 + 100 * np.tile(wave, (64, 1)), 128 + 50 * np.tile(wave, (64, 1)).T]).astype(np.uint8)
    found = spectra(images)
    assert found.shape == (2, len(radii(64))) and (found.argmax(axis=1) == 11).all()
    assert found[0, 10:13] == pytest.approx(found[1, 10:13], abs=0.01), "the rings that hold power"


def test_an_image_of_one_grey_has_a_spectrum_too() -> None:
    assert np.isfinite(spectra(np.full((1, 32, 32), 7, dtype=np.uint8))).all()


def test_histograms_and_what_follows_from_them() -> None:
    images = np.zeros((2, 8, 8), dtype=np.uint8)
    images[1, :4] = 200
    shares = greys(images)
    assert shares[0, 0] == 1 and shares[1, 200] == 0.5
    assert plain(shares) == pytest.approx(np.array([[0, 0, 0], [100, 100, 1]]))


def test_distances_are_those_of_the_means() -> None:
    a, b = noise(-2.0, 0), noise(-1.0, 1) // 2
    groups = np.repeat(np.arange(8), 5)
    both = [texture(images, groups) for images in (a, b)]
    ones = np.ones((1, 8), dtype=np.int64)
    assert Slope(both).between(0, 1, ones, ones)[0] == pytest.approx(1, abs=0.3)
    wanted = wasserstein_distance(a.ravel(), b.ravel()) / 255
    assert Intensity(both).between(0, 1, ones, ones)[0] == pytest.approx(wanted)
    apart = spectra(a).mean(axis=0) - spectra(b).mean(axis=0)
    assert Spectrum(both).between(0, 1, ones, ones)[0] == pytest.approx(np.sqrt((apart**2).mean()))
    only = np.eye(8, dtype=np.int64)[:1]
    assert Intensity(both).between(0, 1, only, only)[0] == pytest.approx(
        wasserstein_distance(a[:5].ravel(), b[:5].ravel()) / 255
    )
