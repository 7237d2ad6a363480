"""Padding: found where it is, at every usual value, and never where there is only air."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.scan_make import body_hu
from tools.histogram import histogram
from tools.padding import find_padding

SHAPE = (64, 64, 6)


def found(hu: NDArray[np.generic], declared: float | None = None) -> float | None:
    return find_padding(hu, histogram(hu), declared)[0]


def circle(value: float) -> NDArray[np.int16]:
    hu = body_hu(SHAPE)
    i, j = np.ogrid[:64, :64]
    hu[np.hypot(i - 31.5, j - 31.5) > 32] = value
    return hu


@pytest.mark.parametrize("value", [-3024, -2048, -2000, -1500, -1024])
def test_outside_of_the_circle(value: int) -> None:
    assert found(circle(value)) == value
    assert found(circle(value).astype(np.float32) + np.float32(0)) == value


def test_a_padded_margin_at_one_side_of_a_crop() -> None:
    hu = body_hu(SHAPE)
    hu[:4] = -2000
    assert found(hu) == -2000


def test_a_declared_value_needs_voxels_and_may_not_be_tissue() -> None:
    hu = body_hu(SHAPE)
    assert found(hu, declared=-2000) is None
    hu[:2, :2] = -2000
    assert found(hu, declared=-2000) == -2000
    value, note = find_padding(hu, histogram(hu), declared=50)
    assert note is not None
    assert "tissue" in note
    assert value is None or value == -2000


def test_air_is_not_padding() -> None:
    assert found(body_hu(SHAPE)) is None
    assert found(body_hu(SHAPE).clip(-1000)) is None
    still = body_hu(SHAPE)
    still[still < -900] = -1024
    assert found(still) is None, "air that is -1024 everywhere cannot be told from padding, and is kept"
    low = body_hu(SHAPE).astype(np.float32)
    low[5, 5, :3] = [-1207, -1100, -1050]
    assert found(low) is None
