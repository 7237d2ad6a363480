"""Levels of a volume against block-by-block counting, and their places in the world."""

from __future__ import annotations

import gzip
import itertools
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.errors import UsageError
from tests.case_make import affine_of, orders, reorder
from tests.scan_make import refused
from tools.preview import (
    COARSEST_VOXELS,
    PREVIEW_VOXELS,
    Level,
    blocks_of,
    check_size,
    crop_box,
    levels,
    nifti_bytes,
    parsed_box,
    preview_level,
    reduced_grid,
    reduced_scan,
)
from tools.preview_labels import reduced_labels
from tools.volume import Box, Grid, Orientation, Scan, ScanHeader, to_canonical

SHAPE = (11, 9, 7)
OBLIQUE = affine_of((0.8, 1.1, 2.5), SHAPE, turn=(12, -20, 35), shear=8, centre=(30, -40, 50))


def scan_of(hu: NDArray[Any], affine: NDArray[Any] = OBLIQUE, padding: float | None = None) -> Scan:
    orientation = Orientation(np.array([[0.0, 1], [1, 1], [2, 1]]), (hu.shape[0], hu.shape[1], hu.shape[2]))
    return Scan(hu, Grid(orientation.shape, affine), orientation, ScanHeader("nifti"), padding)


def level_of(factor: tuple[int, int, int], shape: tuple[int, int, int] = SHAPE, affine: Any = OBLIQUE) -> Level:
    """A level written out by hand: the centre of the first whole block, and steps of whole blocks."""
    new = affine.copy()
    new[:3, :3] = affine[:3, :3] * factor
    new[:3, 3] = affine[:3, 3] + affine[:3, :3] @ [(f - 1) / 2 for f in factor]
    i, j, k = (-(-n // f) for n, f in zip(shape, factor, strict=True))
    return Level(1, factor, (i, j, k), new)


def blocks(array: NDArray[Any], factor: tuple[int, int, int]) -> dict[tuple[int, ...], NDArray[Any]]:
    """Voxels of every block, by its index."""
    counts = [range(-(-n // f)) for n, f in zip(array.shape, factor, strict=True)]
    return {
        at: array[tuple(slice(a * f, (a + 1) * f) for a, f in zip(at, factor, strict=True))].ravel()
        for at in itertools.product(*counts)
    }


factors = st.tuples(*[st.sampled_from([1, 2, 4])] * 3)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


def ordered(ends: tuple[int, int]) -> tuple[int, int]:
    low = min(ends)
    return low, max(ends[0], ends[1], low + 1)


def boxes(shape: tuple[int, int, int]) -> st.SearchStrategy[Box]:
    one = [st.tuples(st.integers(0, n - 1), st.integers(1, n)).map(ordered) for n in shape]
    return st.tuples(*one).map(lambda parts: (slice(*parts[0]), slice(*parts[1]), slice(*parts[2])))


def test_the_axes_of_fine_voxels_are_halved_first() -> None:
    found = levels(Grid((512, 512, 100), np.diag([0.7, 0.7, 5.0, 1])))
    assert [one.factor for one in found] == [(1, 1, 1), (2, 2, 1), (4, 4, 1)]
    assert [one.shape for one in found] == [(512, 512, 100), (256, 256, 100), (128, 128, 100)]
    assert preview_level(found) is found[1]
    thin = levels(Grid((1, 4096, 4096), np.diag([0.1, 1.0, 1.0, 1])))
    assert [one.factor for one in thin] == [(1, 1, 1), (1, 2, 2)]
    assert len(levels(Grid(SHAPE, OBLIQUE))) == 1


@given(
    shape=st.tuples(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000)),
    spacing=st.tuples(*[st.floats(0.3, 8)] * 3),
)
def test_levels_end_small_and_cover_the_volume(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    grid = Grid(shape, affine_of(spacing, shape, turn=(10, 20, 30)))
    found = levels(grid)
    assert found[0].shape == shape
    assert np.array_equal(found[0].affine, grid.affine)
    assert found[-1].voxels <= COARSEST_VOXELS
    assert all(one.voxels > COARSEST_VOXELS for one in found[:-1])
    assert preview_level(found).voxels <= PREVIEW_VOXELS
    for finer, coarser in itertools.pairwise(found):
        assert coarser.voxels < finer.voxels
        assert all(a * f >= n > (a - 1) * f for a, f, n in zip(coarser.shape, coarser.factor, shape, strict=True))

    def uneven(one: Level) -> float:
        steps = [s * f for s, f, n in zip(grid.spacing, one.factor, one.shape, strict=True) if n > 1]
        return max(steps) / min(steps) if steps else 1.0

    assert uneven(found[-1]) <= max(uneven(found[0]), 2.0)


@pytest.mark.parametrize("factor", [(1, 1, 1), (2, 2, 1), (4, 2, 2)])
def test_a_block_lies_where_its_voxels_lie(factor: tuple[int, int, int]) -> None:
    level = level_of(factor)
    full, coarse = Grid(SHAPE, OBLIQUE), reduced_grid(level)
    for at in itertools.product(*[range(n // f) for n, f in zip(SHAPE, factor, strict=True)]):
        members = [range(a * f, (a + 1) * f) for a, f in zip(at, factor, strict=True)]
        centres = full.world(np.array(list(itertools.product(*members))))
        assert coarse.world(np.array(at)) == pytest.approx(centres.mean(axis=0), abs=1e-9)
    assert levels(Grid((256, 256, 128), OBLIQUE))[-1].affine == pytest.approx(level_of((2, 2, 1)).affine)


@given(shape=shapes, factor=factors, seed=st.integers(0, 99), padded=st.booleans(), real=st.booleans())
@settings(max_examples=60)
def test_a_voxel_is_the_mean_of_what_is_no_padding(
    shape: tuple[int, int, int], factor: tuple[int, int, int], seed: int, padded: bool, real: bool
) -> None:
    rng = np.random.default_rng(seed)
    hu = rng.integers(-1000, 3000, shape).astype(np.float32 if real else np.int16)
    hu[rng.random(shape) < 0.6] = -3024
    made, grid = reduced_scan(scan_of(hu, padding=-3024.0 if padded else None), level_of(factor, shape))
    assert made.dtype == np.int16
    assert made.shape == grid.shape
    for at, voxels in blocks(hu, factor).items():
        valid = voxels[voxels != -3024] if padded else voxels
        expected = valid.mean(dtype=np.float64) if valid.size else -3024
        assert made[at] == pytest.approx(expected, abs=0.5001)


def test_values_beyond_sixteen_bits_are_limited() -> None:
    hu = np.full((2, 2, 2), 70000.6, np.float32)
    for factor in ((1, 1, 1), (2, 2, 2)):
        assert (reduced_scan(scan_of(hu), level_of(factor, (2, 2, 2)))[0] == 32767).all()


def expected_label(voxels: NDArray[Any], values: set[int]) -> int:
    each = {value: int((voxels == value).sum()) for value in sorted(values - {0})}
    best = max(each, key=lambda value: each[value])
    rest = voxels.size - sum(each.values())
    return best if each[best] and (each[best] * 4 >= voxels.size or each[best] >= rest) else 0


@given(shape=shapes, factor=factors, seed=st.integers(0, 99), some=st.booleans(), share=st.sampled_from([0.2, 0.5, 1]))
@settings(max_examples=80)
def test_a_block_gets_the_label_of_most_or_of_a_quarter(
    shape: tuple[int, int, int], factor: tuple[int, int, int], seed: int, some: bool, share: float
) -> None:
    rng = np.random.default_rng(seed)
    layer = (rng.integers(1, 6, shape) * (rng.random(shape) < share)).astype(np.uint16)
    shown = {2, 3, 5} if some else {1, 2, 3, 4, 5}
    made = reduced_labels(layer, level_of(factor, shape), values=shown if some else None)
    assert made.dtype == np.uint8
    for at, voxels in blocks(layer, factor).items():
        assert made[at] == expected_label(voxels, shown)


@given(shape=shapes, factor=factors, seed=st.integers(0, 99), share=st.sampled_from([0.02, 0.2, 0.9]))
@settings(max_examples=60)
def test_a_label_that_must_not_be_missed_has_every_block_that_it_reaches(
    shape: tuple[int, int, int], factor: tuple[int, int, int], seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    layer = (rng.integers(1, 6, shape) * (rng.random(shape) < share)).astype(np.uint8)
    made = reduced_labels(layer, level_of(factor, shape), values={1, 2, 3, 4}, kept={2, 3, 5})
    for at, voxels in blocks(layer, factor).items():
        each = {value: int((voxels == value).sum()) for value in (2, 3)}
        best = max(each, key=lambda value: each[value])
        assert made[at] == (best if each[best] else expected_label(voxels, {1, 2, 3, 4}))


def test_a_thin_wall_stays_in_view() -> None:
    layer = np.zeros((8, 8, 8), np.uint8)
    layer[3] = 7
    made = reduced_labels(layer, level_of((4, 4, 4), (8, 8, 8)))
    assert made[0].tolist() == [[7, 7], [7, 7]]
    assert not made[1].any()
    layer[3, ::4] = 0
    assert not reduced_labels(layer, level_of((4, 4, 4), (8, 8, 8))).any()


@pytest.mark.parametrize(("value", "kind"), [(255, np.uint8), (300, np.uint16), (70_000, np.uint32)])
def test_labels_take_the_room_that_their_values_need(value: int, kind: type) -> None:
    layer = np.full((2, 2, 2), value, np.uint32)
    made = reduced_labels(layer, level_of((2, 2, 2), (2, 2, 2)), values=[value])
    assert made.dtype == kind
    assert made.tolist() == [[[value]]]


@pytest.mark.slow
@given(data=st.data(), factor=factors)
@settings(max_examples=60)
def test_a_crop_is_part_of_the_whole(data: st.DataObject, factor: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    hu = rng.integers(-1000, 1000, SHAPE).astype(np.int16)
    layer = rng.integers(0, 4, SHAPE).astype(np.uint8)
    level, box = level_of(factor), data.draw(boxes(SHAPE))
    inner = blocks_of(level, box)
    scan = scan_of(hu, padding=500.0)
    whole, grid = reduced_scan(scan, level)
    part, part_grid = reduced_scan(scan, level, box)
    assert np.array_equal(part, whole[inner])
    assert np.array_equal(reduced_labels(layer, level, box), reduced_labels(layer, level)[inner])
    corner = np.array([s.start for s in inner])
    assert part_grid.world(np.zeros(3)) == pytest.approx(grid.world(corner), abs=1e-9)
    for axis, (blocks_here, voxels) in enumerate(zip(inner, box, strict=True)):
        assert blocks_here.start * factor[axis] <= voxels.start < (blocks_here.start + 1) * factor[axis]
        assert (blocks_here.stop - 1) * factor[axis] < voxels.stop <= blocks_here.stop * factor[axis]


@pytest.mark.slow
@pytest.mark.parametrize("oblique", [False, True])
def test_scan_and_labels_agree_in_the_world_in_all_48_orders(oblique: bool) -> None:
    shape = (12, 8, 8)
    affine = affine_of((0.8, 0.8, 2.5), shape, turn=(12, -20, 25) if oblique else (0, 0, 0), shear=5 * oblique)
    rng = np.random.default_rng(3)
    hu = rng.integers(-1000, 1000, shape).astype(np.int16)
    layer = (hu > 400).astype(np.uint8)
    seen = set()
    for order in orders():
        moved, grid, orientation = to_canonical(*reorder(hu, affine, order))
        labels, _, _ = to_canonical(*reorder(layer, affine, order))
        level = level_of((2, 2, 1), grid.shape, grid.affine)
        scan = Scan(moved, grid, orientation, ScanHeader("nifti"))
        made, made_grid = reduced_scan(scan, level, crop_box((2, 10, 0, 8, 1, 7), grid.shape))
        mask = reduced_labels(labels, level, crop_box((2, 10, 0, 8, 1, 7), grid.shape))
        for at, value in np.ndenumerate(made):
            place = np.linalg.solve(affine, [*made_grid.world(np.array(at)), 1])[:3]
            low = np.rint(place - [0.5, 0.5, 0]).astype(int)
            voxels = hu[low[0] : low[0] + 2, low[1] : low[1] + 2, low[2]]
            assert place == pytest.approx(np.add(low, [0.5, 0.5, 0]), abs=1e-6)
            assert value == pytest.approx(voxels.mean(), abs=0.5001)
            assert mask[at] == expected_label((voxels > 400).astype(int).ravel(), {1})
        seen.add(nifti_bytes(made, made_grid, name="scan"))
    assert len({gzip.decompress(one)[352:] for one in seen}) == 1


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((0, 11, 0, 9, 0, 7), (slice(0, 11), slice(0, 9), slice(0, 7))), ((-5, 3, 2, 99, 6, 7), None)],
)
def test_boxes_are_clipped(bounds: tuple[int, ...], expected: Box | None) -> None:
    found = crop_box(bounds, SHAPE)
    assert found == (expected or (slice(0, 3), slice(2, 9), slice(6, 7)))
    assert parsed_box(",".join(map(str, bounds)), SHAPE) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2,3", "six bounds"), ("", "six whole numbers"), ("a,1,2,3,4,5", "six whole numbers"),
        ("1.5,2,0,1,0,1", "six whole numbers"), ("9" * 13 + ",2,0,1,0,1", "six whole numbers"),
        ("3,3,0,1,0,1", "empty along i"), ("0,1,5,2,0,1", "empty along j"), ("0,1,0,1,7,9", "outside of the scan"),
        ("0,1,0,1,-4,0", "outside of the scan along k"),
    ],
)  # fmt: skip
def test_unusable_boxes_are_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed_box(text, SHAPE)
    assert says in refused(error.value)


def test_what_is_too_large_is_refused_before_it_is_made() -> None:
    full = levels(Grid((512, 512, 600), np.eye(4)))[0]
    with pytest.raises(UsageError) as error:
        check_size(full, None)
    assert "157286400 voxels at level 0" in refused(error.value)
    check_size(full, crop_box((0, 256, 0, 256, 0, 256), full.shape))
    with pytest.raises(UsageError):
        check_size(full, crop_box((0, 257, 0, 256, 0, 256), full.shape))


@pytest.mark.parametrize("shear", [0.0, 15.0])
@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.uint16])
def test_the_bytes_are_a_nifti_file_that_says_where_it_lies(shear: float, kind: type) -> None:
    affine = affine_of((0.7, 0.9, 2.5), SHAPE, turn=(10, -25, 170), shear=shear, centre=(-100, 20, 400))
    array: NDArray[Any] = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(kind)
    data = nifti_bytes(array, Grid(SHAPE, affine), name="scan")
    assert data == nifti_bytes(array.copy(order="F"), Grid(SHAPE, affine), name="scan")
    image = nib.Nifti1Image.from_bytes(gzip.decompress(data))
    assert np.array_equal(np.asarray(image.dataobj), array)
    assert image.get_data_dtype() == kind
    assert image.affine == pytest.approx(affine, abs=1e-4)
    assert int(image.header["sform_code"]) == 1
    assert int(image.header["qform_code"]) == (0 if shear else 1)
    if not shear:
        assert image.get_qform() == pytest.approx(affine, abs=1e-3)
    assert image.header["descrip"].tobytes().rstrip(b"\0") == b"scan"
    assert all(not image.header[field].tobytes().strip(b"\0") for field in ("db_name", "aux_file", "intent_name"))
