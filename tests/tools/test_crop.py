"""Crops look the same however a scan was ordered, tilted or sampled, and tell what they do not show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.errors import ToolError, UsageError
from tests.case_make import Ellipsoid, affine_of, orders, paint, reorder
from tools.crop import FILL_HU, Crop, CropLimits, crop_roi
from tools.crop_window import WINDOWS, window
from tools.volume import FloatArray, Region, Scan, ScanHeader, to_canonical

SIZE = (36, 30, 24)
BALL = Ellipsoid("lesion", (2.0, -3.0, 1.0), (9.0, 9.0, 9.0), hu=120)
UNEVEN = (Ellipsoid("body", (0, 0, 0), (30, 28, 26), hu=40), Ellipsoid("lesion", (4, -3, 2), (7, 9, 5), hu=120))


def scan_of(hu: NDArray[Any], affine: FloatArray, padding: float | None = None) -> Scan:
    array, grid, orientation = to_canonical(hu, affine)
    return Scan(array, grid, orientation, ScanHeader("nifti"), padding)


def whole(mask: NDArray[Any], affine: FloatArray) -> Region:
    """A region in a box as large as the scan."""
    array = to_canonical(mask.astype(np.uint8), affine)[0].astype(np.bool_)
    return Region((slice(0, array.shape[0]), slice(0, array.shape[1]), slice(0, array.shape[2])), array)


def painted(affine: FloatArray, shapes: tuple[Ellipsoid, ...] = UNEVEN, size: Any = SIZE) -> tuple[Any, Any]:
    hu, labels, numbers = paint(shapes, size, affine)
    return hu, labels == numbers["lesion"]


def same(one: Crop, other: Crop, tolerance: float = 1e-2) -> None:
    assert one.hu.shape == other.hu.shape
    np.testing.assert_allclose(one.grid.affine, other.grid.affine, atol=1e-6)
    np.testing.assert_array_equal(one.inside, other.inside)
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_allclose(one.hu, other.hu, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("turn", [(0, 0, 0), (11, -17, 24)])
def test_every_order_on_disk_gives_the_same_crop(turn: tuple[float, float, float]) -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE, turn=turn, shear=5.0 if any(turn) else 0.0, centre=(0.5, -1.25, 2))
    hu, mask = painted(affine)
    first = crop_roi(scan_of(hu, affine), whole(mask, affine))
    for order in orders():
        moved, new = reorder(hu, affine, order)
        other = crop_roi(scan_of(moved, new), whole(reorder(mask, affine, order)[0], new))
        same(first, other)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.tuples(*[st.floats(-40, 40)] * 3),
    st.tuples(*[st.floats(1.0, 3.0)] * 3),
    st.floats(-8, 8),
    st.sampled_from([1.0, 1.5, 3.0, 4.5]),
)
def test_a_linear_field_is_reproduced_on_any_grid(
    turn: tuple[float, ...], spacing: tuple[float, ...], shear: float, step: float
) -> None:
    shape = (48, 48, 48)
    affine = affine_of(spacing, shape, turn=turn, shear=shear)
    ijk = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    slope = np.array([3.0, -2.0, 5.0])
    hu = ((ijk @ affine[:3, :3].T + affine[:3, 3]) @ slope).astype(np.float32)
    mask = np.zeros(shape, np.bool_)
    mask[23:26, 23:26, 23:26] = True
    crop = crop_roi(scan_of(hu, affine), whole(mask, affine), margin_mm=3.0, spacing_mm=step)
    assert crop.outside == 0
    places = crop.grid.world(np.stack(np.meshgrid(*[np.arange(n) for n in crop.hu.shape], indexing="ij"), axis=-1))
    np.testing.assert_allclose(crop.hu, places @ slope, atol=0.05)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 3.0), (2.0, 1.0, 1.5)])
@pytest.mark.parametrize("turn", [(0, 0, 0), (20, -30, 10)])
def test_a_ball_keeps_its_volume_and_attenuation(spacing: Any, turn: Any) -> None:
    size = tuple(round(48 / step) for step in spacing)
    affine = affine_of(spacing, size, turn=turn)
    hu, mask = painted(affine, (BALL,), size)
    crop = crop_roi(scan_of(hu, affine), whole(mask, affine), spacing_mm=1.0, margin_mm=5)
    painted_volume = float(mask.sum()) * abs(np.linalg.det(affine[:3, :3]))
    assert crop.mask.sum() * crop.spacing**3 == pytest.approx(painted_volume, rel=0.03)
    core = np.linalg.norm(crop.grid.world(np.argwhere(crop.mask)) - np.array(BALL.centre), axis=1) < 5
    assert crop.hu[crop.mask][core].mean() == pytest.approx(120, abs=1)
    assert crop.hu[crop.mask].mean() == pytest.approx(120, abs=20)


def test_the_fast_and_the_general_way_agree() -> None:
    affine = affine_of((1.0, 1.5, 2.0), SIZE)
    hu, mask = painted(affine)
    turned = affine.copy()
    turned[0, 1] += 1e-7
    for spacing in (0.9, 3.0):
        straight = crop_roi(scan_of(hu, affine), whole(mask, affine), spacing_mm=spacing, margin_mm=30)
        general = crop_roi(scan_of(hu, turned), whole(mask, turned), spacing_mm=spacing, margin_mm=30)
        np.testing.assert_allclose(straight.hu, general.hu, atol=0.05)
        assert np.mean(straight.inside != general.inside) < 1e-3


def test_slabs_of_bounded_memory_give_the_same_crop() -> None:
    affine = affine_of((1.0, 1.5, 2.0), SIZE, turn=(5, 8, -4))
    hu, mask = painted(affine)
    once = crop_roi(scan_of(hu, affine), whole(mask, affine), spacing_mm=3.0)
    often = crop_roi(scan_of(hu, affine), whole(mask, affine), spacing_mm=3.0, limits=CropLimits(source_voxels=5000))
    same(once, often)


def test_what_lies_outside_of_the_scan_is_told_and_never_mixed_in() -> None:
    affine = affine_of((2.0, 2.0, 2.0), SIZE)
    hu = np.full(SIZE, 60, np.int16)
    mask = np.zeros(SIZE, np.bool_)
    mask[:4, 10:16, 10:16] = True
    crop = crop_roi(scan_of(hu, affine), whole(mask, affine), spacing_mm=3.0)
    assert crop.truncated
    assert 0.2 < crop.outside < 0.8
    assert crop.outside == pytest.approx(1 - crop.inside.mean())
    np.testing.assert_allclose(crop.hu[crop.inside], 60, atol=1e-3)
    assert (crop.hu[~crop.inside] == FILL_HU).all()
    assert not (crop.mask & ~crop.inside).any()


def test_padding_counts_as_outside() -> None:
    affine = affine_of((2.0, 2.0, 2.0), SIZE)
    hu = np.full(SIZE, 60, np.int16)
    hu[:12] = -3024
    mask = np.zeros(SIZE, np.bool_)
    mask[12:16, 10:16, 10:16] = True
    padded = crop_roi(scan_of(hu, affine, padding=-3024.0), whole(mask, affine))
    assert padded.truncated
    assert padded.outside > 0.2
    np.testing.assert_allclose(padded.hu[padded.inside], 60, atol=1e-3)
    with pytest.raises(ToolError, match="outside of what was reconstructed"):
        crop_roi(scan_of(hu, affine, padding=-3024.0), whole(np.roll(mask, -12, axis=0), affine))


def test_a_whole_lesion_is_not_called_cut_off() -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE)
    hu, mask = painted(affine)
    crop = crop_roi(scan_of(hu, affine), whole(mask, affine), margin_mm=2)
    assert not crop.truncated
    assert crop.outside == 0
    assert crop.notes == ()


def test_an_empty_mask_has_no_crop() -> None:
    affine = affine_of((2.0, 2.0, 2.0), SIZE)
    hu, mask = painted(affine)
    with pytest.raises(ToolError, match=r"the mask is empty$"):
        crop_roi(scan_of(hu, affine), whole(mask & False, affine))


def test_one_voxel_survives_coarse_sampling() -> None:
    affine = affine_of((1.0, 1.0, 1.0), SIZE)
    mask = np.zeros(SIZE, np.bool_)
    mask[17, 15, 12] = True
    crop = crop_roi(scan_of(np.zeros(SIZE, np.int16), affine), whole(mask, affine), spacing_mm=6.0)
    assert crop.mask.any()
    assert crop.notes == ("the region is smaller than a voxel of the crop",)


def test_too_large_crops_become_coarser_or_are_refused_before_anything_is_allocated() -> None:
    affine = affine_of((2.0, 2.0, 2.0), SIZE)
    hu, mask = painted(affine)
    scan, region = scan_of(hu, affine), whole(mask, affine)
    limits = CropLimits(voxels=4000)
    crop = crop_roi(scan, region, spacing_mm=0.5, limits=limits)
    assert crop.hu.size <= 4000
    assert crop.spacing > 0.5
    assert "instead of 0.5 mm" in crop.notes[0]
    with pytest.raises(ToolError, match="too large"):
        crop_roi(scan, region, spacing_mm=0.5, limits=replace(limits, coarsest_mm=1.0))
    with pytest.raises(ToolError, match="not possible"):
        crop_roi(scan, region, size=(20000, 20000, 20000))
    with pytest.raises(ToolError, match="too large"):
        crop_roi(scan, region, margin_mm=1e12)
    for margin, spacing in ((-1.0, 1.5), (float("nan"), 1.5), (5.0, 0.0)):
        with pytest.raises(ToolError, match="a crop cannot have"):
            crop_roi(scan, region, margin_mm=margin, spacing_mm=spacing)


def test_a_crop_of_fixed_size_tells_what_it_leaves_out() -> None:
    affine = affine_of((2.0, 2.0, 2.0), SIZE)
    hu, mask = painted(affine)
    scan, region = scan_of(hu, affine), whole(mask, affine)
    small = crop_roi(scan, region, spacing_mm=1.0, size=(8, 8, 8))
    assert small.hu.shape == (8, 8, 8)
    assert 0.3 < small.left_out < 1
    assert small.notes == ("the region is larger than the crop",)
    fitting = crop_roi(scan, region, spacing_mm=None, margin_mm=4, size=(16, 16, 16))
    assert fitting.left_out == 0
    assert fitting.spacing == pytest.approx((2 * 9 + 2 * 4) / 16, rel=0.15)


def test_an_organ_goes_along() -> None:
    affine = affine_of((2.0, 2.5, 3.0), SIZE)
    hu, mask = painted(affine)
    scan, organ = scan_of(hu, affine), whole(hu == 40, affine)
    crop = crop_roi(scan, whole(mask, affine), context=organ)
    assert crop.context is not None
    assert not (crop.context & crop.mask).any()
    assert crop.hu[crop.context].mean() == pytest.approx(40, abs=8)
    none = crop_roi(scan, whole(mask, affine), context=whole(mask & False, affine))
    assert none.context is not None
    assert not none.context.any()


def test_windows_run_from_black_to_white() -> None:
    for preset in WINDOWS.values():
        low, high = preset.bounds
        shown = window(np.array([low - 50, low, preset.level, high, high + 50], np.float32), preset)
        np.testing.assert_allclose(shown, [0, 0, 0.5, 1, 1], atol=1e-6)
        assert shown.dtype == np.float32
    with pytest.raises(UsageError, match="There is no window"):
        window(np.zeros(1, np.float32), "nothing")
