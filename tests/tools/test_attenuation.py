"""Statistics of HU within a mask against numpy over the plain list of its voxels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from tests.case_make import case_of
from tools.attenuation import attenuation_of
from tools.volume import Region

SHAPE = (36, 34, 30)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.02, 0.4, 0.97]),
    kind=st.sampled_from(["tissue", "extremes", "few", "floats"]),
    padded=st.booleans(),
)
def test_few_and_many_voxels_give_what_numpy_gives(seed: int, share: float, kind: str, padded: bool) -> None:
    rng = np.random.default_rng(seed)
    kinds: dict[str, NDArray[Any]] = {
        "tissue": rng.normal(60, 25, SHAPE).astype(np.int16),
        "extremes": rng.integers(-32768, 32767, SHAPE).astype(np.int16),
        "few": rng.choice([-32768, -1, 0, 32767], SHAPE).astype(np.int16),
        "floats": rng.normal(60, 25, SHAPE).astype(np.float32),
    }
    hu = kinds[kind]
    mask = rng.random(SHAPE) < share
    padding = float(hu[0, 0, 0]) if padded else None
    case = case_of(hu, mask.astype(np.uint8), np.diag([1.0, 1.0, 2.0, 1.0]), {"liver": 1}, padding=padding)
    box = (slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
    found = attenuation_of(case, Region(box, mask))

    valid = mask & (hu != padding) if padded else mask
    values = hu[valid].astype(np.float64)
    if values.size == 0:
        assert found is None
        return
    assert found is not None
    assert found.voxels == values.size
    assert found.mean == pytest.approx(values.mean(), rel=1e-6, abs=1e-6)
    assert found.sd == pytest.approx(values.std(), rel=1e-6, abs=1e-6)
    assert [found.p10, found.median, found.p90] == pytest.approx(np.percentile(values, (10, 50, 90)), rel=1e-6)
    core = hu[valid & ndimage.binary_erosion(mask, border_value=1)].astype(np.float64)
    partial = abs(core.mean() - values.mean()) / 2 if core.size else values.std()
    error = math.hypot(values.std() / math.sqrt(values.size), partial)
    assert found.error == pytest.approx(error, rel=1e-5, abs=1e-5)


def test_an_empty_mask_has_no_attenuation() -> None:
    hu = np.zeros((4, 4, 4), np.int16)
    case = case_of(hu, np.zeros((4, 4, 4), np.uint8), np.eye(4), {"liver": 1})
    assert attenuation_of(case, None) is None
    assert attenuation_of(case, Region((slice(0, 4),) * 3, np.zeros((4, 4, 4), np.bool_))) is None
