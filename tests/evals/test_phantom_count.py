"""What the phantom's truth is counted with, against pairs of points, geometry and constructed cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

from evals.phantom_count import axial_axes, contact_degrees, feret, neighbours
from evals.phantom_course import RAYS, Course
from evals.phantom_regions import thirds
from evals.phantom_tidy import Piece

HALVES = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
SIDES = np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
AFFINE = np.diag([1.3, 0.8, 2.5, 1.0])


def piece_of(mask: NDArray[np.bool_]) -> Piece:
    index = np.argwhere(mask)
    low, high = index.min(axis=0), index.max(axis=0) + 1
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Piece((box[0], box[1], box[2]), mask[box])


masks = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random(tuple(np.random.default_rng(seed).integers(1, 7, 3))) < 0.4
)


@settings(max_examples=40, deadline=None)
@given(masks.filter(lambda mask: bool(mask.any())))
def test_lengths_are_those_of_all_pairs_of_points(mask: NDArray[np.bool_]) -> None:
    index = np.argwhere(mask)
    found = axial_axes(index, AFFINE)
    best = []
    for k in np.unique(index[:, 2]):
        pixels = index[index[:, 2] == k, :2]
        points = (pixels[:, None] + SIDES).reshape(-1, 2) * (1.3, 0.8)
        best.append((float(pdist(points).max()), -int(k)))
    assert found.long == pytest.approx(max(length for length, _ in best))
    assert found.slice == min(-k for length, k in best if length > found.long - 1e-6)
    corners = ((index[:, None] + HALVES).reshape(-1, 3)) * (1.3, 0.8, 2.5)
    assert feret(index, AFFINE) == pytest.approx(float(pdist(corners).max()))
    assert 0 < found.short <= found.long + 1e-9


@pytest.mark.parametrize("degrees", [0, 20, 45, 71])
def test_the_short_axis_of_an_ellipse(degrees: float) -> None:
    x, y = np.meshgrid(np.arange(-60, 61) * 0.5, np.arange(-60, 61) * 0.5, indexing="ij")
    turn = math.radians(degrees)
    u, v = x * math.cos(turn) + y * math.sin(turn), -x * math.sin(turn) + y * math.cos(turn)
    index = np.argwhere(((u / 25) ** 2 + (v / 11) ** 2 <= 1)[:, :, None])
    found = axial_axes(index, np.diag([0.5, 0.5, 1, 1]))
    assert found.long == pytest.approx(50, abs=0.6)
    assert found.short == pytest.approx(22, abs=0.9)


def test_the_short_axis_of_a_rectangle_of_pixels() -> None:
    index = np.argwhere(np.ones((9, 3, 1), dtype=bool))
    found = axial_axes(index, np.eye(4))
    # End midpoints of the middle row are 9 apart, as are none of the other pairs by more than the diagonal.
    points = (index[:, None, :2] + SIDES).reshape(-1, 2)
    assert found.long == pytest.approx(float(pdist(points).max()))
    assert found.short == pytest.approx(3.0, abs=0.15)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_gaps_are_those_between_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros((12, 14, 9), dtype=np.uint8)
    labels[rng.random(labels.shape) < 0.004] = 5
    labels[rng.random(labels.shape) < 0.004] = 6
    mask = np.zeros(labels.shape, dtype=bool)
    start = rng.integers(0, (8, 10, 6))
    mask[start[0] : start[0] + 3, start[1] : start[1] + 2, start[2] : start[2] + 3] = True
    labels[mask] = 9
    found = neighbours(piece_of(mask), labels, AFFINE)
    own = np.argwhere(mask)
    for value in (5, 6):
        other = np.argwhere(labels == value)
        gaps = [np.linalg.norm(np.maximum(np.abs(a - b) - 1, 0) * (1.3, 0.8, 2.5)) for a in own for b in other]
        expected = min(gaps, default=math.inf)
        assert found.get(value, math.inf) == pytest.approx(expected if expected <= 15 else math.inf)


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.7, 0.7, 1.5), (1.0, 1.0, 1.0)])
@pytest.mark.parametrize("angle", [0, 60, 120, 200, 300, 360])
def test_contact_is_the_angle_of_a_collar(angle: float, spacing: tuple[float, float, float]) -> None:
    """A collar of known angle around a straight vessel of 4 mm radius."""
    shape = tuple(int(30 / s) for s in spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-15, -15, -15)
    x, y, z = np.meshgrid(*(np.arange(n) * s - 15 for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    away, turn = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360
    labels = np.zeros(shape, dtype=np.uint8)
    collar = (turn < angle) & (away < 9) & (np.abs(z) < 8)
    labels[collar | (away > 12)] = 9
    labels[away <= 4] = 7
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(RAYS)], axis=1)
    steps = np.arange(-12.0, 12.0)
    points = np.stack([np.zeros_like(steps), np.zeros_like(steps), steps], axis=1)
    course = Course(points, np.full(len(points), 4.0), np.broadcast_to(ring, (len(points), RAYS, 3)))
    mask = (labels == 9) & (away < 12)
    if not mask.any():
        mask[0, 0, 0] = True
    found = contact_degrees(piece_of(mask), (course,), 7, labels, affine)
    assert found == pytest.approx(angle, abs=1.5 * math.degrees(spacing[0] / 4) + 5)
    if angle in (0, 360):
        assert found == angle


def test_thirds_follow_the_longest_axis() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(-30, 31.0, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    axis = np.array([0.5, -0.3, 0.8])
    axis /= np.linalg.norm(axis)
    along = grid @ axis
    solid = grid[(along / 28) ** 2 + (cdist(grid, np.zeros((1, 3)))[:, 0] ** 2 - along**2) / 10**2 <= 1]
    found: Any = thirds(solid, solid)
    place = solid @ axis
    assert set(found) == {0, 1, 2}
    assert (found[place > 11.5] == 2).all()
    assert (found[place < -11.5] == 0).all()
    assert (found[np.abs(place) < 7.5] == 1).all()
