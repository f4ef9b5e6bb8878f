import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.insight.axis import positions, trace

CENTRE = 31.5


def bar(length: float = 40, width: float = 8, angle: float = 0) -> np.ndarray:
    rows, columns = np.mgrid[:64, :64] - CENTRE
    turn = np.radians(angle)
    along, across = rows * np.cos(turn) + columns * np.sin(turn), -rows * np.sin(turn) + columns * np.cos(turn)
    return np.where((abs(along) <= length / 2) & (abs(across) <= width / 2), 200, 0).astype(np.uint8)


def arc(radius: float = 20, degrees: float = 180, width: float = 8) -> np.ndarray:
    rows, columns = np.mgrid[:64, :64] - CENTRE
    angle = np.degrees(np.arctan2(columns, rows))
    inside = (abs(np.hypot(rows, columns) - radius) <= width / 2) & (abs(angle) <= degrees / 2)
    return np.where(inside, 200, 0).astype(np.uint8)


def splayed() -> np.ndarray:
    """Two chromatids that part towards both ends, as in a G-banded chromosome that was spread hard."""
    rows, columns = np.mgrid[:64, :64] - CENTRE
    legs = abs(abs(columns) - 3 - 0.2 * abs(rows)) <= 3.5
    return np.where(legs & (abs(rows) <= 18), 200, 0).astype(np.uint8)


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90, 135])
def test_a_straight_bar_has_its_length_width_and_no_bend(angle: int) -> None:
    axis = trace(bar(angle=angle))
    assert axis.length == pytest.approx(40, abs=0.8)
    assert np.median(axis.width) == pytest.approx(8, abs=0.6)
    assert axis.bend < 0.005 and axis.turn < 12 and axis.spur < 1.5 and not axis.rest.any()


@pytest.mark.parametrize(("radius", "degrees"), [(20, 90), (20, 180), (16, 240), (26, 120)])
def test_an_arc_has_its_length_bend_and_turn(radius: float, degrees: float) -> None:
    axis = trace(arc(radius, degrees))
    length, angle = radius * np.radians(degrees), np.radians(degrees)
    assert axis.length == pytest.approx(length, rel=0.04)
    assert axis.bend == pytest.approx(1 - 2 * np.sin(angle / 2) / angle, abs=0.04)
    assert 0.65 * degrees < axis.turn < 1.05 * degrees


@pytest.mark.parametrize(("degrees", "width"), [(140, 4), (180, 3), (220, 6), (300, 2)])
def test_an_arc_whose_centre_lies_outside_it_has_an_axis(degrees: float, width: float) -> None:
    axis = trace(arc(24, degrees, width))
    assert axis.length == pytest.approx(24 * np.radians(degrees), rel=0.05)


def test_a_stubby_body_has_its_principal_axis() -> None:
    axis = trace(bar(14, 11, 90))
    assert axis.length == pytest.approx(14, abs=0.5) and np.ptp(axis.points[:, 0]) < 0.5


def test_splayed_chromatids_do_not_draw_the_axis_into_a_leg() -> None:
    axis = trace(splayed())
    assert abs(axis.points[:, 1] - CENTRE).max() < 1.5 and axis.bend < 0.01
    assert axis.spur > 2, "the other legs are branches"


def test_points_are_even_and_run_down_whatever_way_the_image_is_turned() -> None:
    image = arc(20, 120)
    lengths = []
    for turned in (image, np.rot90(image), image[::-1], image[:, ::-1], image.T):
        axis = trace(np.ascontiguousarray(turned))
        steps = np.hypot(*np.diff(axis.points, axis=0).T)
        assert steps.max() < 1.2 * steps.min() and tuple(axis.points[0]) <= tuple(axis.points[-1])
        lengths.append((axis.length, axis.bend))
    assert np.ptp(lengths, axis=0) == pytest.approx([0, 0], abs=0.4)


def test_every_pixel_of_the_body_has_its_place() -> None:
    image = bar(40, 8)
    axis = trace(image)
    along, across = positions(axis)
    rows, columns = np.nonzero(image)
    assert np.isnan(along[image == 0]).all() and np.isnan(across[image == 0]).all()
    assert along[rows, columns] == pytest.approx((rows - CENTRE + 20) / 40, abs=0.02)
    assert across[rows, columns] == pytest.approx(CENTRE - columns, abs=0.3)


def test_along_an_arc_places_go_by_the_angle() -> None:
    image = arc(20, 180)
    along, across = positions(trace(image))
    rows, columns = np.nonzero(image)
    down, right = rows - CENTRE, columns - CENTRE
    right_to_left = 0.5 - np.degrees(np.arctan2(right, down)) / 180
    middle = abs(right_to_left - 0.5) < 0.4
    found = along[rows, columns]
    mirrored = found if np.corrcoef(found, right_to_left)[0, 1] > 0 else 1 - found
    assert mirrored[middle] == pytest.approx(right_to_left[middle], abs=0.06)
    assert abs(across[rows, columns])[middle] == pytest.approx(abs(np.hypot(down, right) - 20)[middle], abs=0.8)


def test_a_body_that_touches_the_frame_reaches_to_it() -> None:
    image = np.zeros((64, 64), dtype=np.uint8)
    image[:, 20:29] = 200
    axis = trace(image)
    assert axis.length == pytest.approx(64, abs=0.5) and axis.bend < 0.001


def test_the_largest_body_is_traced_and_the_rest_is_kept_apart() -> None:
    image = bar(30, 8)
    image[5:13, 50:60] = 150
    axis = trace(image)
    assert axis.length == pytest.approx(30, abs=0.6)
    assert axis.rest.sum() == 80 and axis.rest[5:13, 50:60].all()


def test_a_piece_across_is_a_spur() -> None:
    image = bar(44, 8)
    image[28:35, 36:52] = 200
    axis = trace(image)
    assert axis.spur > 6 and axis.length == pytest.approx(44, abs=1.5)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((64, 64)), r"lightest pixel: no chromosome in the image; found 0; allowed: 8 or more"),
        (np.full((64, 64), 7), r"no chromosome in the image; found 7"),
        (np.zeros((0, 0)), r"no chromosome in the image"),
        (np.zeros((3, 64, 64)), r"not a grey image; found \(3, 64, 64\); allowed: \(height, width\)"),
        (np.pad(np.full((3, 3), 90), 30), r"pixels of the largest body: too small for an axis; found 9; allowed: 16"),
    ],
)
def test_what_has_no_axis_is_named(image: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trace(image.astype(np.uint8))


@pytest.mark.parametrize("shape", [(20, 1), (1, 20), (16, 2), (5, 5), (4, 4), (64, 64)])
def test_odd_bodies_have_a_finite_axis(shape: tuple[int, int]) -> None:
    image = np.zeros((64, 64), dtype=np.uint8)
    image[: shape[0], : shape[1]] = 200
    axis = trace(image)
    assert np.isfinite(axis.points).all() and 0.5 * max(shape) < axis.length < 1.5 * max(shape)
    assert np.nanmin(positions(axis).along) >= 0 and np.nanmax(positions(axis).along) <= 1
