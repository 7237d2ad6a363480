"""Diameters, border contact and shells against shapes whose answer is known, and against brute force."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from tests.case_make import affine_of
from tools.shape import FACES, centroid, eroded, grown, in_plane_diameters, touched_faces, touches, voxel_pitch
from tools.volume import Grid, Region


def placed(mask: NDArray[Any], spacing: tuple[float, float, float] = (1, 1, 1), **more: Any) -> tuple[Region, Grid]:
    """A mask, cropped to its box, on a grid that reaches two voxels beyond it."""
    full = np.pad(np.asarray(mask, dtype=bool), 2)
    box = ndimage.find_objects(full.astype(np.uint8))[0]
    size = (full.shape[0], full.shape[1], full.shape[2])
    return Region(box, full[box]), Grid(size, affine_of(spacing, size, **more))


def flat(image: NDArray[Any], spacing: tuple[float, float, float] = (1, 1, 1), **more: Any) -> tuple[float, float]:
    """Long and short axis of a one-slice mask."""
    found = in_plane_diameters(*placed(np.asarray(image, dtype=bool)[:, :, None], spacing, **more))
    assert found is not None
    return found.long_axis, found.short_axis


def points_of(image: NDArray[Any], affine: NDArray[Any]) -> NDArray[np.float64]:
    """World points where the pixels' centre lines leave them: centre ± half a pixel along either axis."""
    centres = np.argwhere(image)
    moved = [centres + np.array(step) for step in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]
    return np.asarray(np.concatenate(moved) @ affine[:3, :2].T)


def brute_long(points: NDArray[np.float64]) -> float:
    return max((float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2)), default=0.0)


def brute_short(points: NDArray[np.float64], long_axis: float) -> set[float]:
    """For every pair as far apart as the long axis: the longest chord perpendicular to it.

    At each of the points' positions along the long axis, the hull's upper and lower limit is the extreme over all
    segments between two points that pass over this position.
    """
    chords = set()
    for a, b in itertools.combinations(range(len(points)), 2):
        line = points[b] - points[a]
        if np.linalg.norm(line) < long_axis - 1e-9:
            continue
        along = line / np.linalg.norm(line)
        others = points - points[a]
        t = others @ along
        rest = others - np.outer(t, along)
        widest = rest[np.argmax(np.linalg.norm(rest, axis=1))]
        across = widest / np.linalg.norm(widest)
        h = rest @ across
        best = 0.0
        for at in t:
            over = (t[:, None] < at - 1e-12) & (t[None, :] > at + 1e-12)
            p, q = np.nonzero(over)
            crossed = h[p] + (at - t[p]) / (t[q] - t[p]) * (h[q] - h[p])
            heights = np.concatenate([crossed, h[np.abs(t - at) <= 1e-12]])
            best = max(best, float(np.ptp(heights)))
        chords.add(round(best, 6))
    return chords


def test_one_pixel_is_one_pixel_long() -> None:
    assert flat(np.ones((1, 1))) == pytest.approx((1, 1))
    assert flat(np.ones((1, 1)), (0.7, 2.5, 1)) == pytest.approx((2.5, 0.7))


@pytest.mark.parametrize("n", [2, 3, 10, 41])
def test_a_line_is_as_long_as_its_pixels_and_one_wide(n: int) -> None:
    assert flat(np.ones((n, 1))) == pytest.approx((n, 1))
    assert flat(np.ones((1, n)), (3, 2, 1)) == pytest.approx((2 * n, 3) if 2 * n >= 3 else (3, 2 * n))


def test_a_diagonal_line() -> None:
    long_axis, short_axis = flat(np.eye(11))
    assert long_axis == pytest.approx(np.hypot(10, 10), abs=1.0)
    assert long_axis >= np.hypot(10, 10)
    assert short_axis < 1.5


@pytest.mark.parametrize(("n", "m"), [(40, 10), (25, 24), (12, 30)])
@pytest.mark.parametrize("turn", [(0, 0, 0), (0, 0, 33), (25, -14, 60)])
def test_a_rectangle_has_its_diagonal(n: int, m: int, turn: tuple[float, float, float]) -> None:
    spacing = (1.25, 0.8, 2.0)
    long_axis, short_axis = flat(np.ones((n, m)), spacing, turn=turn)
    a, b = n * spacing[0], m * spacing[1]
    assert long_axis == pytest.approx(np.hypot(a, b), abs=1.3)
    assert long_axis < np.hypot(a, b)  # the corners of corner pixels are not counted
    wide, narrow = max(a, b), min(a, b)
    assert short_axis == pytest.approx(narrow * np.hypot(a, b) / wide, abs=2.6)


def ellipse(a: float, b: float, degrees: float, spacing: float, shift: tuple[float, float]) -> NDArray[np.bool_]:
    n = int(2 * a / spacing) + 8
    x, y = np.meshgrid(*[(np.arange(n) - n / 2) * spacing] * 2, indexing="ij")
    x, y = x - shift[0], y - shift[1]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(((x * c + y * s) / a) ** 2 + ((-x * s + y * c) / b) ** 2 <= 1)


@given(
    a=st.floats(8, 20), share=st.floats(0.3, 1.0), degrees=st.floats(0, 180), spacing=st.floats(0.5, 1.5),
    shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_ellipses_and_disks(a: float, share: float, degrees: float, spacing: float, shift: tuple[float, float]) -> None:
    long_axis, short_axis = flat(ellipse(a, a * share, degrees, spacing, shift), (spacing, spacing, 1))
    assert long_axis == pytest.approx(2 * a, abs=1.5 * spacing)
    assert short_axis == pytest.approx(2 * a * share, abs=2.5 * spacing)
    assert short_axis <= long_axis + 1e-9


def test_an_l_shape_is_measured_across_its_notch() -> None:
    image = np.zeros((30, 30), dtype=bool)
    image[:, :3] = image[:3, :] = True
    long_axis, short_axis = flat(image)
    assert long_axis == pytest.approx(np.hypot(29.5, 29.5), abs=0.8)
    # Perpendicular to the diagonal between the two tips, from the corner to the hull's edge.
    assert short_axis == pytest.approx(np.hypot(30, 30) / 2 + 1, abs=1.5)


@given(
    image=hnp.arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.booleans()),
    steps=st.tuples(st.floats(0.4, 3), st.floats(0.4, 3)),
    shear=st.floats(-20, 20),
)
@settings(max_examples=40, deadline=None)
def test_random_blobs_against_brute_force(image: NDArray[np.bool_], steps: tuple[float, float], shear: float) -> None:
    if not image.any():
        return
    region, grid = placed(image[:, :, None], (*steps, 2.0), turn=(10, 20, 30), shear=shear)
    points = points_of(region.mask[:, :, 0], grid.affine)
    found = in_plane_diameters(region, grid)
    assert found is not None
    long_axis = brute_long(points)
    assert found.long_axis == pytest.approx(long_axis, abs=1e-9)
    assert any(found.short_axis == pytest.approx(one, abs=1e-5) for one in brute_short(points, long_axis))
    assert found.short_axis <= found.long_axis + 1e-9


def test_the_longest_slice_is_named_and_the_lowest_of_equal_ones() -> None:
    mask = np.zeros((9, 5, 6), dtype=bool)
    mask[:4, :, 1] = mask[:8, 0, 3] = mask[:8, 0, 4] = True
    found = in_plane_diameters(*placed(mask))
    assert found is not None
    assert found.k == 2 + 3
    assert found.long_axis == pytest.approx(8)
    assert found.short_axis == pytest.approx(1)


def test_a_slice_of_many_short_rows_does_not_hide_a_longer_diagonal() -> None:
    mask = np.zeros((20, 20, 2), dtype=bool)
    mask[:14, :2, 0] = True
    mask[np.arange(12), np.arange(12), 1] = True
    found = in_plane_diameters(*placed(mask))
    assert found is not None
    assert found.k == 3
    assert found.long_axis == pytest.approx(np.hypot(11.5, 11.5), abs=0.5)


def test_no_voxel_no_diameter() -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    empty = Region((slice(1, 2), slice(1, 2), slice(1, 2)), np.zeros((1, 1, 1), dtype=bool))
    assert in_plane_diameters(empty, grid) is None


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, 1])
def test_each_face_is_named(axis: int, end: int) -> None:
    grid = Grid((7, 8, 9), np.eye(4))
    box = [slice(2, 4), slice(2, 4), slice(2, 4)]
    box[axis] = slice(0, 2) if end == 0 else slice(grid.shape[axis] - 2, grid.shape[axis])
    region = Region((box[0], box[1], box[2]), np.ones((2, 2, 2), dtype=bool))
    assert touched_faces(region, grid) == (FACES[axis][end],)
    box[axis] = slice(1, 3) if end == 0 else slice(grid.shape[axis] - 3, grid.shape[axis] - 1)
    assert touched_faces(Region((box[0], box[1], box[2]), region.mask), grid) == ()


@given(mask=hnp.arrays(np.bool_, (4, 5, 3)))
@settings(deadline=None)
def test_erosion_is_the_voxels_with_six_neighbours(mask: NDArray[np.bool_]) -> None:
    grid = Grid((8, 9, 7), np.eye(4))
    inside = Region((slice(2, 6), slice(2, 7), slice(2, 5)), mask)
    assert np.array_equal(eroded(inside, grid), ndimage.binary_erosion(mask))
    # At the border of the scan the structure may go on: nothing erodes from there.
    filling = Region((slice(0, 4), slice(0, 5), slice(0, 3)), mask)
    expected = ndimage.binary_erosion(mask, border_value=1)
    assert np.array_equal(eroded(filling, Grid((4, 5, 3), np.eye(4))), expected)


@given(mask=hnp.arrays(np.bool_, (4, 4, 4)), other=hnp.arrays(np.bool_, (4, 4, 4)))
@settings(deadline=None)
def test_touching_is_sharing_a_voxel_or_a_face(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> None:
    near = ndimage.binary_dilation(mask)
    assert touches(mask, other) == bool((near & other).any())


def test_a_grown_region_keeps_its_voxels_and_stops_at_the_border() -> None:
    grid = Grid((5, 6, 7), np.eye(4))
    region = Region((slice(0, 2), slice(2, 4), slice(5, 7)), np.ones((2, 2, 2), dtype=bool))
    wider = grown(region, grid)
    assert wider.box == (slice(0, 3), slice(1, 5), slice(4, 7))
    assert wider.voxels == 8
    full = np.zeros(grid.shape, dtype=bool)
    full[wider.box] |= wider.mask
    assert full[region.box].all()


def test_centroid_and_pitch_are_in_world_millimetres() -> None:
    affine = affine_of((2, 3, 4), (10, 10, 10), turn=(0, 0, 90))
    grid = Grid((10, 10, 10), affine)
    region = Region((slice(4, 6), slice(4, 6), slice(4, 6)), np.ones((2, 2, 2), dtype=bool))
    assert centroid(region, grid) == pytest.approx(np.zeros(3), abs=1e-9)
    assert voxel_pitch(grid) == pytest.approx(3)
