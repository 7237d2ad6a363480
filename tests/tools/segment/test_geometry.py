"""Labels land on the scan's grid by world position, exactly where the lattices agree."""

from __future__ import annotations

import itertools
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import LabelsError
from tests.label_make import AFFINE, SHAPE, blocks
from tools.segment.geometry import bring_onto
from tools.volume import Grid

ORDERS = [
    np.array(list(zip(order, signs, strict=True)), dtype=float)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
GRID = Grid(SHAPE, AFFINE)


def reordered(array: NDArray[Any], affine: NDArray[Any], order: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same world content in another axis order."""
    moved = nib.orientations.apply_orientation(array, order)
    return moved, affine @ nib.orientations.inv_ornt_aff(order, array.shape)


def oblique(degrees: float, shear: float = 0.0) -> NDArray[Any]:
    """The test affine, turned about an oblique axis and sheared."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
    affine = AFFINE.copy()
    affine[:3, :3] = turn @ tilt @ np.array([[1, shear, 0], [0, 1, shear], [0, 0, 1]]) @ AFFINE[:3, :3]
    return affine


@pytest.mark.parametrize("affine", [AFFINE, oblique(20), oblique(40, shear=0.2)], ids=["plain", "oblique", "sheared"])
def test_all_48_orders_give_the_same_voxels(affine: NDArray[Any]) -> None:
    grid = Grid(SHAPE, affine)
    for order in ORDERS:
        array, moved_affine = reordered(blocks(), affine, order)
        result, how = bring_onto(array, moved_affine, grid)
        assert np.array_equal(result, blocks())
        assert how.kind in {"same", "reoriented"}
        assert how.notes(grid) == ()


def test_numerical_noise_in_the_affine_is_not_a_reason_to_resample() -> None:
    noise = np.zeros((4, 4))
    noise[:3, :3] = 0.002 * np.array([[1, -1, 1], [-1, 1, 0], [0, 1, -1]])
    result, how = bring_onto(blocks(), AFFINE + noise, GRID)
    assert how.kind == "same"
    assert np.array_equal(result, blocks())


def test_a_part_of_the_lattice_is_pasted_exactly() -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = GRID.world(np.array([1, 2, 1]))
    result, how = bring_onto(blocks()[1:12, 2:, 1:9], affine, GRID)
    assert how.kind == "pasted"
    assert how.outside == 0
    assert np.array_equal(result, blocks())


def test_a_larger_map_is_cropped_and_what_is_lost_is_said() -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = GRID.world(np.array([-2, 0, 0]))
    large = np.pad(blocks(), ((2, 0), (0, 0), (0, 0)))
    large[0, 0, 0] = 9
    result, how = bring_onto(large, affine, GRID)
    assert np.array_equal(result, blocks())
    assert how.outside == 1
    assert "0.5 % of the labelled voxels lie outside" in how.notes(GRID)[0]


def test_a_shift_by_whole_voxels_is_not_called_the_same_grid() -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = GRID.world(np.array([1, 0, 0]))
    result, how = bring_onto(blocks(), affine, GRID)
    assert how.kind == "pasted"
    assert np.array_equal(result[1:], blocks()[:-1])


def test_another_spacing_is_resampled_with_a_note() -> None:
    fine = np.kron(blocks(), np.ones((2, 2, 1), np.uint8))
    affine = AFFINE @ np.diag([0.5, 0.5, 1, 1])
    affine[:3, 3] = GRID.world(np.array([-0.25, -0.25, 0]))
    result, how = bring_onto(fine, affine, GRID)
    assert np.array_equal(result, blocks())
    assert "from 1×1×3 to 2×2×3 mm" in how.notes(GRID)[0]


@settings(deadline=None, max_examples=40)
@given(
    angle=st.floats(-90, 90),
    scale=st.floats(0.4, 2.5),
    shift=st.tuples(st.floats(-6, 6), st.floats(-6, 6), st.floats(-6, 6)),
    order=st.sampled_from(ORDERS),
)
def test_resampling_agrees_with_an_independent_one(
    angle: float, scale: float, shift: tuple[float, float, float], order: NDArray[Any]
) -> None:
    affine = oblique(angle) @ np.diag([scale, 1, 1, 1])
    affine[:3, 3] += shift
    array, affine = reordered(blocks(), affine, order)
    result, _ = bring_onto(array, affine, GRID)
    back = np.linalg.solve(affine, GRID.affine)
    expected = ndimage.affine_transform(
        array, back[:3, :3], back[:3, 3], output_shape=SHAPE, order=0, mode="grid-constant"
    )
    # Halfway between two voxels, and at the border half a voxel outside, either neighbour may be taken.
    source = np.indices(SHAPE).reshape(3, -1).T @ back[:3, :3].T + back[:3, 3]
    tie = (np.abs(source - np.floor(source) - 0.5) < 1e-6).any(axis=1).reshape(SHAPE)
    assert np.array_equal(result[~tie], expected[~tie])


def test_labels_elsewhere_in_the_world_are_refused() -> None:
    far = AFFINE.copy()
    far[2, 3] += 500
    for affine in (far, far @ np.diag([1.1, 1, 1, 1])):
        with pytest.raises(LabelsError, match="do not overlap with the scan"):
            bring_onto(blocks(), affine, GRID)[1].notes(GRID)


def test_labels_mostly_outside_are_refused() -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = GRID.world(np.array([6, 0, 0]))
    with pytest.raises(LabelsError, match="% of the labelled voxels lie outside the scan"):
        bring_onto(blocks(), affine, GRID)[1].notes(GRID)
