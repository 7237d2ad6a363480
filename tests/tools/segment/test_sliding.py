"""A network slid over a scan sees every voxel once, whatever the shape; resampling keeps places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from tools.segment.sliding import Shape, best_class, probability_of, resampled_shape, slide, tiles, to_shape

SIDE = st.integers(1, 40)
PATCH = st.integers(4, 24)


@given(shape=st.tuples(SIDE, SIDE, SIDE), patch=st.tuples(PATCH, PATCH, PATCH))
def test_tiles_cover_everything_and_stay_inside(shape: tuple[int, int, int], patch: tuple[int, int, int]) -> None:
    padded = tuple(max(size, length) for size, length in zip(shape, patch, strict=True))
    seen = np.zeros(padded, bool)
    for box in tiles((padded[0], padded[1], padded[2]), patch):
        assert seen[box].shape == patch
        seen[box] = True
    assert seen.all()


@pytest.mark.slow
@given(shape=st.tuples(SIDE, SIDE, SIDE), patch=st.tuples(PATCH, PATCH, PATCH))
def test_a_network_that_looks_at_single_voxels_gives_the_same_in_tiles(
    shape: tuple[int, int, int], patch: tuple[int, int, int]
) -> None:
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    told: list[tuple[int, int]] = []

    def predict(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([patch, -2 * patch])

    found = slide(volume, patch, 2, predict, lambda done, of: told.append((done, of)))
    np.testing.assert_allclose(found[0], volume, atol=1e-5)
    np.testing.assert_allclose(found[1], -2 * volume, atol=1e-5)
    assert told[-1][0] == told[-1][1] == len(told)


@pytest.mark.parametrize("shape", [(20, 16, 12), (40, 31, 25), (9, 7, 6)])
def test_a_ramp_keeps_its_place_when_it_is_resampled(shape: tuple[int, int, int]) -> None:
    axes = [(np.arange(n) + 0.5) / n for n in (20, 16, 12)]
    ramp = (100 * axes[0][:, None, None] + 10 * axes[1][None, :, None] + axes[2]).astype(np.float32)
    found = to_shape(ramp, shape)
    wanted = [(np.arange(n) + 0.5) / n for n in shape]
    expected = 100 * wanted[0][:, None, None] + 10 * wanted[1][None, :, None] + wanted[2]
    inner = tuple(slice(2, -2) for _ in shape)
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.5)


def test_labels_come_back_where_they_were() -> None:
    mask = np.zeros((30, 30, 30), bool)
    mask[8:20, 10:24, 6:12] = True
    small = resampled_shape((30, 30, 30), (1.0, 1.0, 1.0), 2.0)
    assert small == (15, 15, 15)
    soft = to_shape(mask.astype(np.float32), small)
    logits = np.stack([0.5 - soft, soft - 0.5])
    labels = best_class(logits, (30, 30, 30))
    overlap = 2 * np.count_nonzero(mask & (labels == 1)) / (mask.sum() + (labels == 1).sum())
    assert overlap > 0.93


def test_the_probability_of_several_classes_is_their_share() -> None:
    logits = np.random.default_rng(0).normal(0, 40, (5, 4, 3, 2)).astype(np.float32)
    shares = np.exp(logits - logits.max(axis=0))
    shares /= shares.sum(axis=0)
    np.testing.assert_allclose(probability_of(logits, [1, 4]), shares[1] + shares[4], atol=1e-6)
    np.testing.assert_allclose(probability_of(logits, range(5)), 1, atol=1e-6)
    assert (probability_of(logits, []) == 0).all()


@given(
    st.tuples(*[st.integers(1, 12)] * 3), st.tuples(*[st.integers(1, 12)] * 3), st.integers(0, 2**31),
)  # fmt: skip
def test_axis_by_axis_is_the_same_as_all_axes_at_once(before: Shape, after: Shape, seed: int) -> None:
    array = np.random.default_rng(seed).normal(0, 100, before).astype(np.float32)
    steps = np.asarray(before, dtype=float) / after
    assume(not (steps > 1.3).any())  # what gets coarser is smoothed first
    expected = ndimage.affine_transform(array, steps, steps / 2 - 0.5, after, order=1, mode="nearest")
    np.testing.assert_allclose(to_shape(array, after), expected, rtol=1e-5, atol=1e-3)
