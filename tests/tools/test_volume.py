"""Grids, canonical order, slice numbers and regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.case_make import affine_of, orders, reorder
from tests.label_make import AFFINE
from tools.volume import Grid, LabelSet, to_canonical

SHAPE = (5, 6, 7)
_angle = st.floats(-40, 40)


@pytest.mark.slow
@given(turn=st.tuples(_angle, _angle, _angle), shear=st.floats(-25, 25), order=st.sampled_from(list(orders())))
@settings(max_examples=80, deadline=None)
def test_every_voxel_keeps_its_place_in_the_world(
    turn: tuple[float, ...], shear: float, order: tuple[tuple[int, ...], tuple[bool, ...]]
) -> None:
    affine = affine_of((1.0, 2.0, 3.0), SHAPE, turn=turn, shear=shear, centre=(5, -6, 7))
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    places = {int(v): affine[:3, :3] @ ijk + affine[:3, 3] for ijk, v in np.ndenumerate(array)}
    moved, grid, _ = to_canonical(*reorder(array, affine, order))
    for ijk, value in np.ndenumerate(moved):
        assert grid.world(np.array(ijk)) == pytest.approx(places[int(value)], abs=1e-9)
    assert grid.voxel_volume == pytest.approx(6.0)
    assert moved.flags["C_CONTIGUOUS"]


def test_canonical_axes_run_right_anterior_and_up() -> None:
    for order in orders():
        affine = affine_of((1.0, 2.0, 3.0), SHAPE, turn=(10, -15, 20))
        _, grid, _ = to_canonical(*reorder(np.zeros(SHAPE), affine, order))
        assert grid.shape == SHAPE
        assert np.allclose(grid.affine, affine)
        assert (np.diag(grid.affine)[:3] > 0).all()


def test_slices_are_counted_as_in_the_file() -> None:
    affine = np.diag([1.0, 1, 1, 1])
    array = np.broadcast_to(np.arange(7), SHAPE)
    for order in orders():
        moved, new = reorder(array, affine, order)
        canonical, _, orientation = to_canonical(moved, new)
        axis = order[0].index(2)
        for k in range(7):
            in_file = np.take(moved, orientation.file_slice(k), axis=axis)
            assert np.unique(in_file).tolist() == np.unique(canonical[:, :, k]).tolist() == [k]


def test_the_same_grid_to_a_fraction_of_a_voxel() -> None:
    grid = Grid(SHAPE, AFFINE)
    near, far = AFFINE.copy(), AFFINE.copy()
    near[0, 3] += 0.01
    far[0, 3] += 0.1
    assert grid.same_as(Grid(SHAPE, near))
    assert not grid.same_as(Grid(SHAPE, far))
    assert not grid.same_as(Grid((5, 6, 8), AFFINE))
    turned = AFFINE.copy()
    turned[:3, :3] = affine_of((2, 2, 3), SHAPE, turn=(0, 0, 2))[:3, :3]
    assert not grid.same_as(Grid(SHAPE, turned))


@given(seed=st.integers(0, 1000), values=st.sets(st.integers(1, 6), min_size=1))
@settings(max_examples=50, deadline=None)
def test_regions_are_the_union_of_their_labels(seed: int, values: set[int]) -> None:
    rng = np.random.default_rng(seed)
    layers = tuple((rng.random(SHAPE) < 0.05) * rng.integers(1, 7, SHAPE).astype(np.uint8) for _ in range(2))
    labels = LabelSet(Grid(SHAPE, AFFINE), layers, {})
    keys = tuple((value % 2, value) for value in values)
    expected = np.zeros(SHAPE, bool)
    for layer, value in keys:
        expected |= layers[layer] == value
    region = labels.region(keys)
    if region is None:
        assert not expected.any()
        return
    full = np.zeros(SHAPE, bool)
    full[region.box] = region.mask
    assert np.array_equal(full, expected)
    assert region.voxels == int(expected.sum())
    for axis in range(3):  # the box is tight
        other = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(region.mask.any(axis=other))
        assert (filled[0], filled[-1]) == (0, region.mask.shape[axis] - 1)
