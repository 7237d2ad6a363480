"""Longest extent, surface and margin in three dimensions, against brute force and analytic shapes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ellipeinc, ellipkinc

from tests.case_make import Ellipsoid, affine_of
from tools.geometry3d import SurfaceMeter, feret
from tools.margin import margin
from tools.volume import FloatArray, Grid, Region

GRIDS: list[dict[str, Any]] = [
    {"spacing": (1, 1, 1)},
    {"spacing": (0.7, 0.7, 1.25)},
    {"spacing": (0.8, 0.8, 2.5)},
    {"spacing": (2, 1, 1)},
    {"spacing": (1, 1, 1), "turn": (11, -17, 24), "shear": 15},
    {"spacing": (0.8, 0.8, 2.5), "turn": (20, 5, -30), "shear": -10},
]
CORNERS = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))


def painted(
    radii: tuple[float, float, float], *, turn: tuple[float, float, float] = (20, 30, 40), **grid: Any
) -> tuple[Region, Grid, FloatArray]:
    """An ellipsoid as a cropped mask, its grid, and the world mm of every voxel."""
    size = [int(2.4 * max(radii) / step) + 10 for step in grid["spacing"]]
    shape = (size[0], size[1], size[2])
    there = Grid(shape, affine_of(grid.pop("spacing"), shape, **grid))
    points = there.world(np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1))
    mask = Ellipsoid("it", (0.3, -0.2, 0.4), radii, turn=turn).inside(points)
    return cropped(mask), there, points


def cropped(mask: NDArray[np.bool_]) -> Region:
    at = np.argwhere(mask)
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(at.min(axis=0), at.max(axis=0), strict=True))
    return Region((box[0], box[1], box[2]), mask[box])


def area(radii: tuple[float, float, float]) -> float:
    """Surface of an ellipsoid by Legendre's formula."""
    c, b, a = sorted(radii)
    if a - c < 1e-9:
        return float(4 * np.pi * a * a)
    phi = np.arccos(c / a)
    k = a**2 * (b**2 - c**2) / (b**2 * (a**2 - c**2))
    inner = ellipeinc(phi, k) * np.sin(phi) ** 2 + ellipkinc(phi, k) * np.cos(phi) ** 2
    return float(2 * np.pi * c**2 + 2 * np.pi * a * b / np.sin(phi) * inner)


@settings(max_examples=40, deadline=None)
@given(
    voxels=st.sets(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=25),
    spacing=st.tuples(*[st.floats(0.5, 5)] * 3),
    turn=st.tuples(*[st.floats(-40, 40)] * 3),
    shear=st.floats(-25, 25),
)
def test_feret_is_the_longest_distance_between_any_two_corners(
    voxels: set[tuple[int, int, int]], spacing: tuple[float, ...], turn: tuple[float, ...], shear: float
) -> None:
    grid = Grid((9, 9, 9), affine_of(spacing, (9, 9, 9), turn=turn, shear=shear))
    mask = np.zeros(grid.shape, dtype=np.bool_)
    mask[tuple(np.array(list(voxels)).T)] = True
    corners = grid.world((np.argwhere(mask)[:, None] + CORNERS).reshape(-1, 3))
    truth = max(np.linalg.norm(corners - one, axis=1).max() for one in corners)
    found = feret(cropped(mask), grid)
    assert found.length == pytest.approx(truth, abs=1e-6)
    assert 0 < found.uncertainty < sum(grid.spacing)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("radii", [(10, 10, 10), (18, 9, 9), (7, 8, 17), (5, 5, 5)])
def test_feret_agrees_with_the_shape_within_its_uncertainty(
    grid: dict[str, Any], radii: tuple[float, float, float]
) -> None:
    region, there, _ = painted(radii, **grid)
    found = feret(region, there)
    assert abs(found.length - 2 * max(radii)) <= found.uncertainty


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("radii", [(12, 12, 12), (20, 10, 10), (16, 16, 7), (9, 12, 20)])
def test_surface_and_sphericity_of_ellipsoids(grid: dict[str, Any], radii: tuple[float, float, float]) -> None:
    region, there, _ = painted(radii, **grid)
    meter = SurfaceMeter.of(there)
    assert meter.area(region.mask) == pytest.approx(area(radii), rel=0.04)
    ball = np.pi ** (1 / 3) * (8 * np.pi * np.prod(radii)) ** (2 / 3)
    found = meter.sphericity(region.mask, region.voxels * there.voxel_volume)
    assert found == pytest.approx(ball / area(radii), abs=0.04)


def test_surface_of_a_box_and_of_a_single_voxel() -> None:
    grid = Grid((60, 60, 60), affine_of((1, 1, 1), (60, 60, 60)))
    meter = SurfaceMeter.of(grid)
    assert meter.area(np.ones((40, 40, 40), dtype=np.bool_)) == pytest.approx(6 * 40 * 40, rel=0.08)
    slab = meter.sphericity(np.ones((40, 40, 3), dtype=np.bool_), 40 * 40 * 3)
    assert slab < meter.sphericity(np.ones((17, 17, 17), dtype=np.bool_), 17**3) < 0.9
    assert meter.sphericity(np.ones((1, 1, 1), dtype=np.bool_), 1.0) == 1.0


def _ramp(points: FloatArray, radius: float, slope: float, width: float = 6.0) -> FloatArray:
    away = np.linalg.norm(points - np.array([0.3, -0.2, 0.4]), axis=-1)
    return np.asarray(60 + slope * np.clip(away - radius, -width, width))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("slope", [4.0, -7.0])
def test_margin_is_the_slope_along_the_normal(grid: dict[str, Any], slope: float) -> None:
    region, there, points = painted((14, 14, 14), **grid)
    found = margin(region, _ramp(points, 14, slope), there, None, None)
    assert found is not None
    assert found.slope == pytest.approx(abs(slope), rel=0.06)
    assert not found.against_organ


def test_noise_cancels_and_a_blurred_margin_is_less_sharp() -> None:
    region, there, points = painted((14, 14, 14), spacing=(1, 1, 1))
    rng = np.random.default_rng(3)
    flat = margin(region, rng.normal(60, 20, there.shape), there, None, None)
    noisy = margin(region, _ramp(points, 14, 5) + rng.normal(0, 20, there.shape), there, None, None)
    sharp = margin(region, _ramp(points, 14, 40, 1), there, None, None)
    blurred = margin(region, _ramp(points, 14, 4, 10), there, None, None)
    assert flat is not None
    assert noisy is not None
    assert sharp is not None
    assert blurred is not None
    assert flat.slope <= 4 * flat.error
    assert noisy.slope == pytest.approx(5, abs=4 * noisy.error)
    assert sharp.slope > 4 * blurred.slope


def test_margin_looks_at_the_organ_side_and_never_at_padding() -> None:
    region, there, points = painted((14, 14, 14), spacing=(1, 1, 1))
    hu = _ramp(points, 14, 5)
    right = points[..., 0] > 2
    whole = Region((slice(0, there.shape[0]), slice(0, there.shape[1]), slice(0, there.shape[2])), ~right)
    fat = np.where(right & (np.linalg.norm(points, axis=-1) > 14.5), -700.0, hu)
    mixed, own = margin(region, fat, there, None, None), margin(region, fat, there, whole, None)
    padded = margin(region, np.where(fat == -700, -2000, fat), there, None, -2000)
    assert mixed is not None
    assert own is not None
    assert padded is not None
    assert own.against_organ
    assert own.slope == pytest.approx(5, rel=0.06)
    assert padded.slope == pytest.approx(5, rel=0.06)
    assert mixed.slope > 50


def test_no_margin_where_too_little_can_be_seen() -> None:
    grid = Grid((20, 20, 20), affine_of((1, 1, 1), (20, 20, 20)))
    mask = np.zeros(grid.shape, dtype=np.bool_)
    mask[5, 5, 5:8] = True
    assert margin(cropped(mask), np.zeros(grid.shape), grid, None, None) is None
    mask[5:9, 5:9, 5:9] = True
    assert margin(cropped(mask), np.full(grid.shape, -2000), grid, None, -2000) is None
