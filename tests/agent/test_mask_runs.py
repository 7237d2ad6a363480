"""A mask as run lengths: every voxel is told, in blocks where there are too many runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from agent.mask_runs import MaskRuns, mask_runs
from tools.volume import Region


def region(mask: NDArray[np.bool_], start: tuple[int, int, int]) -> Region:
    i, j, k = (slice(first, first + count) for first, count in zip(start, mask.shape, strict=True))
    return Region((i, j, k), mask)


def told(runs: MaskRuns, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The full-resolution voxels that the runs tell, in a volume of a shape."""
    inside = np.zeros(int(np.prod(runs.shape)), bool)
    at = 0
    for number, length in enumerate(runs.runs):
        inside[at : at + length] = number % 2 == 1
        at += length
    assert at <= inside.size
    blocks = inside.reshape(runs.shape, order="F")
    whole = np.zeros([2 * runs.step * (first + n + 1) + size for first, n, size in zip(
        runs.first, runs.shape, shape, strict=True)], bool)  # fmt: skip
    for i, j, k in np.argwhere(blocks):
        low = [(first + n) * runs.step for first, n in zip(runs.first, (i, j, k), strict=True)]
        whole[tuple(slice(one, one + runs.step) for one in low)] = True
    return whole[tuple(slice(0, size) for size in shape)]


MASKS = arrays(bool, st.tuples(*[st.integers(1, 6)] * 3))
STARTS = st.tuples(*[st.integers(0, 5)] * 3)


@given(mask=MASKS, start=STARTS)
def test_the_runs_tell_the_very_voxels(mask: NDArray[np.bool_], start: tuple[int, int, int]) -> None:
    found = mask_runs("liver_lesion#1", region(mask, start))
    whole = np.zeros((12, 12, 12), bool)
    whole[region(mask, start).box] = mask
    assert (found.step, found.first, found.shape) == (1, start, mask.shape)
    assert np.array_equal(told(found, whole.shape), whole)


@given(mask=MASKS, start=STARTS, most=st.integers(2, 12))
def test_of_too_many_runs_blocks_are_told_that_hold_every_voxel(
    mask: NDArray[np.bool_], start: tuple[int, int, int], most: int
) -> None:
    found = mask_runs("liver_lesion#1", region(mask, start), most)
    assert len(found.runs) <= most
    whole = np.zeros((12, 12, 12), bool)
    whole[region(mask, start).box] = mask
    shown = told(found, whole.shape)
    assert not (whole & ~shown).any()
    blocks = {tuple(at // found.step) for at in np.argwhere(whole)}
    assert {tuple(at // found.step) for at in np.argwhere(shown)} == blocks


@pytest.mark.parametrize(
    ("mask", "runs"),
    [
        ([[[False]], [[False]]], ()),
        ([[[True]], [[False]]], (0, 1)),
        ([[[False]], [[True]]], (1, 1)),
        ([[[True], [False]], [[True], [True]]], (0, 2, 1, 1)),
    ],
    ids=["empty", "from the first", "to the last", "first axis fastest"],
)
def test_runs_begin_outside(mask: list[object], runs: tuple[int, ...]) -> None:
    assert mask_runs("x#1", region(np.array(mask), (0, 0, 0))).runs == runs
