"""The descriptor does not depend on how a patient lies, is always defined, and says what it seems to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.errors import UsageError
from tests.case_make import Ellipsoid, affine_of, orders, paint
from tools.crop import Crop, crop_roi
from tools.encode import load_encoder
from tools.encoders.descriptor import DIMENSION, Descriptor, describe
from tools.encoders.descriptor_shape import surface_area
from tools.volume import Grid, Region, Scan, ScanHeader, to_canonical

SIZE = (44, 40, 36)


def crop_of(spacing: Any = (2.0, 2.0, 2.0), turn: Any = (0, 0, 0), lesion: Ellipsoid | None = None) -> Crop:
    shapes = (
        Ellipsoid("organ", (0, 0, 0), (30, 30, 28), hu=60),
        lesion or Ellipsoid("lesion", (3, -2, 1), (12, 9, 7), hu=20),
        Ellipsoid("core", (5, -2, 1), (4, 3, 3), hu=-5),
    )
    size = tuple(round(2 * n / step) for n, step in zip(SIZE, spacing, strict=True))
    affine = affine_of(spacing, size, turn=turn)
    hu, labels, _ = paint(shapes, (size[0], size[1], size[2]), affine)
    array, grid, orientation = to_canonical(hu, affine)
    marks = to_canonical(labels, affine)[0]
    box = (slice(0, array.shape[0]), slice(0, array.shape[1]), slice(0, array.shape[2]))
    scan = Scan(array, grid, orientation, ScanHeader("nifti"))
    return crop_roi(scan, Region(box, marks >= 2), context=Region(box, marks == 1))


@pytest.mark.slow
def test_all_rotations_by_right_angles_and_reflections_give_the_same_vector() -> None:
    crop = crop_of()
    assert crop.context is not None
    held: list[Any] = [crop.hu, crop.mask, crop.inside, crop.context]
    first = Descriptor().encode(crop)
    assert first.shape == (DIMENSION,)
    for axes, flips in orders():
        turned: list[Any] = [
            np.ascontiguousarray(np.flip(one.transpose(axes), tuple(axis for axis in range(3) if flips[axis])))
            for one in held
        ]
        other = replace(crop, hu=turned[0], mask=turned[1], inside=turned[2], context=turned[3])
        np.testing.assert_allclose(Descriptor().encode(other), first, atol=2e-3)


def test_oblique_and_uneven_sampling_hardly_change_it() -> None:
    first = Descriptor().encode(crop_of())
    different = Descriptor().encode(crop_of(lesion=Ellipsoid("lesion", (3, -2, 1), (6, 5, 5), hu=110)))
    far = np.linalg.norm(first - different)
    for spacing, turn in (
        ((2.0, 2.0, 2.0), (25, -15, 40)),
        ((1.5, 1.5, 3.0), (0, 0, 0)),
        ((1.5, 2.5, 2.0), (8, 5, 30)),
    ):
        other = Descriptor().encode(crop_of(spacing, turn))
        assert np.linalg.norm(first - other) < 0.3 * far


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)),
    hnp.arrays(np.bool_, (6, 6, 6)),
    st.sampled_from([-1024.0, 0.0, 40.0, 3071.0, 30000.0]),
    st.booleans(),
)
def test_it_is_finite_for_whatever_mask(mask: Any, outside: Any, hu: float, cut: bool) -> None:
    mask[tuple(n // 2 for n in mask.shape)] = True
    inside = mask | ~outside[tuple(slice(0, n) for n in mask.shape)]
    values = np.full(mask.shape, hu, np.float32)
    values[::2] += 7
    grid = Grid(mask.shape, np.diag([1.5, 1.5, 1.5, 1.0]))
    crop = Crop(values, mask, inside, grid, 1.5, 0.0, float((~inside).mean()), cut, context=inside)
    vector = Descriptor().encode(crop)
    assert np.isfinite(vector).all()
    assert np.abs(vector).max() <= 4


def test_features_mean_what_they_are_called() -> None:
    ball = describe(crop_of(lesion=Ellipsoid("lesion", (3, -2, 1), (10, 10, 10), hu=20)))
    long = describe(crop_of(lesion=Ellipsoid("lesion", (3, -2, 1), (18, 6, 6), hu=20)))
    assert ball["shape"]["sphericity"] > long["shape"]["sphericity"]
    assert ball["shape"]["elongation"] > long["shape"]["elongation"]
    assert long["shape"]["long_axis"] == pytest.approx(np.log2(36 / 30), abs=0.1)
    bright = describe(crop_of(lesion=Ellipsoid("lesion", (3, -2, 1), (10, 10, 10), hu=110)))
    assert bright["contrast"]["to_context"] > 0 > ball["contrast"]["to_context"]
    assert ball["contrast"]["context"] == 1.0
    assert bright["profile"]["in_0_mean"] > bright["profile"]["out_4_mean"]


def test_the_surface_of_a_ball_is_right() -> None:
    i, j, k = np.ogrid[:40, :40, :40]
    ball = (i - 19.7) ** 2 + (j - 20.1) ** 2 + (k - 19.5) ** 2 <= 14**2
    assert surface_area(ball, 1.5) == pytest.approx(4 * np.pi * (14 * 1.5) ** 2, rel=0.04)


def test_it_has_no_settings(tmp_path: Any) -> None:
    (tmp_path / "encoder.json").write_text('{"backend": "descriptor"}')
    with pytest.raises(UsageError, match="no settings"):
        load_encoder(tmp_path)
    assert load_encoder("descriptor") == load_encoder("descriptor")
