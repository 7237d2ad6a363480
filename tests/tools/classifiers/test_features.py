"""A lesion in numbers: what the numbers are, and that the file's order does not change them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.case_make import Ellipsoid, affine_of, case_of, orders, paint, reorder
from tools.base import Case
from tools.classifiers.features import FEATURES, Features, Unseen, depths, known_feature, lesion_features
from tools.lesion_facts import LesionFacts
from tools.lesion_list import lesion_list
from tools.types import State

SIZE = (34, 30, 20)
SHAPES = (
    Ellipsoid("liver", (0, 0, 0), (28, 26, 27), hu=100),
    Ellipsoid("liver_lesion", (4, -2, 3), (10, 9, 11), hu=60),
    Ellipsoid("liver_core", (4, -2, 3), (4, 4, 4), hu=20),
)


def arrays(turn: tuple[float, float, float] = (0, 0, 0), shear: float = 0.0, **more: Any) -> Any:
    affine = affine_of(more.pop("spacing", (2.0, 2.0, 3.0)), SIZE, turn=turn, shear=shear)
    hu, labels, numbers = paint(SHAPES, SIZE, affine)
    labels[labels == numbers.pop("liver_core")] = numbers["liver_lesion"]
    noise = np.random.default_rng(3).normal(0, 6, SIZE)
    return np.round(hu + noise).astype(np.int16), labels, affine, numbers


def features(case: Case, phase: str = "portal") -> Features | Unseen:
    return lesion_features(LesionFacts(case, "liver_lesion"), lesion_list(case, "liver_lesion").every[0], phase)


def values(case: Case) -> dict[str, float]:
    found = features(case)
    assert isinstance(found, Features)
    return dict(found.values)


@pytest.mark.slow
@pytest.mark.parametrize(("turn", "shear"), [((0, 0, 0), 0.0), ((11, -17, 24), 9.0)])
def test_all_48_orders_give_the_same_features(turn: tuple[float, float, float], shear: float) -> None:
    hu, labels, affine, numbers = arrays(turn, shear)
    expected = values(case_of(hu, labels, affine, numbers))
    assert tuple(expected) == FEATURES
    for order in orders():
        moved, new = reorder(hu, affine, order)
        assert values(case_of(moved, reorder(labels, affine, order)[0], new, numbers)) == pytest.approx(expected)


def test_the_features_are_those_of_the_shapes() -> None:
    found = values(case_of(*arrays()))
    assert found["organ_hu"] == pytest.approx(100, abs=2)
    assert found["core_hu"] < found["mean_hu"] < found["rim_hu"]
    assert found["rim_hu"] == pytest.approx(60, abs=3)
    assert found["core_to_rim"] == pytest.approx(found["core_hu"] - found["rim_hu"])
    assert found["mean_to_organ"] == pytest.approx(found["mean_hu"] - found["organ_hu"])
    assert math.exp(found["volume_log_mm3"]) == pytest.approx(SHAPES[1].volume * 1000, rel=0.1)
    assert math.exp(found["diameter_log_mm"]) == pytest.approx(22, abs=4)


@pytest.mark.parametrize("shear", [0.0, 15.0])
def test_depth_is_in_millimetres_on_any_grid(shear: float) -> None:
    found = []
    for spacing in ((1.5, 1.5, 1.5), (1.5, 2.0, 3.0)):
        hu, labels, affine, numbers = arrays((20, 10, -30), shear, spacing=spacing)
        case = case_of(hu, labels, affine, numbers)
        region = lesion_list(case, "liver_lesion").every[0].region
        depth, at = depths(case, region)
        assert len(depth) == len(at) == region.voxels
        found.append(float(depth.max()))
    assert found == pytest.approx([9.0, 9.0], abs=1.8)


def test_what_is_missing_is_told() -> None:
    hu, labels, affine, numbers = arrays()
    bare = np.where(labels == numbers["liver"], 0, labels)
    unseen = features(case_of(hu, bare, affine, numbers))
    assert isinstance(unseen, Unseen)
    assert unseen.state is State.NOT_ASSESSED
    small = np.where(labels == numbers["liver_lesion"], numbers["liver"], labels)
    small[16, 14, 10:12] = numbers["liver_lesion"]
    unseen = features(case_of(hu, small, affine, numbers))
    assert isinstance(unseen, Unseen)
    assert "few voxels" in unseen.reason
    padded = np.where(labels == numbers["liver_lesion"], -2000, hu)
    unseen = features(case_of(padded, labels, affine, numbers, padding=-2000))
    assert isinstance(unseen, Unseen)
    assert "reconstruction" in unseen.reason


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    level=st.integers(-1024, 3071),
    organ=st.integers(-1024, 3071),
    box=st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(2, 5)),
    noise=st.integers(0, 400),
)
def test_features_are_finite_whatever_is_seen(level: int, organ: int, box: tuple[int, int, int], noise: int) -> None:
    hu = np.full((20, 18, 14), -100, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    labels[2:18, 2:16, 2:12], hu[2:18, 2:16, 2:12] = 1, organ
    lesion = tuple(slice(5, 5 + n) for n in box)
    labels[lesion], hu[lesion] = 2, level
    hu += np.random.default_rng(1).integers(-noise - 1, noise + 1, hu.shape, dtype=np.int16)
    found = features(case_of(hu, labels, affine_of((2, 2, 3), hu.shape), {"liver": 1, "liver_lesion": 2}))
    if isinstance(found, Features):
        assert np.isfinite(found.vector(FEATURES)).all()
        assert 0 < found.values["sphericity"] <= 1
    else:
        assert found.reason


def test_phase_and_organ_are_features_too() -> None:
    found = Features("liver", "portal", dict.fromkeys(FEATURES, 2.0))
    names = ("phase_portal", "phase_native", "organ_liver", "organ_kidney", "sphericity")
    assert found.vector(names).tolist() == [1, 0, 1, 0, 2]
    assert all(known_feature(name) for name in names)
    assert not any(known_feature(name) for name in ("phase_late", "organ_thing", "organ_kidney_left", "hu"))
