"""The greatest extent of any lesion: not always that of the largest one, and a bound where something is cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.case_make import affine_of, boxes_case, case_of, run
from tests.said import say_all
from tools.base import Case
from tools.types import Evidence, State

SIZE = (70, 40, 30)
LIVER = np.s_[2:68, 2:38, 2:28]
BULKY, THIN = np.s_[6:20, 6:20, 6:20], np.s_[6:62, 26:28, 22:24]


def _case(lesions: list[Any], liver: Any = LIVER, **more: Any) -> Case:
    return boxes_case(SIZE, {"liver": liver, "liver_hcc": lesions}, **more)


def _extent(case: Case, structure: str = "liver_hcc") -> Evidence:
    made = run(case, "lesion_extent", structure=structure)
    say_all(made.values())
    return made["greatest_lesion_feret"]


def test_a_thin_lesion_may_be_longer_than_the_largest() -> None:
    case = _case([BULKY, THIN])
    one = _extent(case)
    assert one.value == pytest.approx(np.sqrt(56**2 + 2**2 + 2**2))
    assert one.value > run(case, "largest_lesion", structure="liver_hcc")["largest_lesion_feret"].value  # type: ignore[operator]
    assert (one.state, one.unit) == (State.MEASURED, "mm")
    assert _extent(_case([BULKY])).value == pytest.approx(14 * np.sqrt(3))


@pytest.mark.parametrize("turn", [(0, 0, 0), (20, -35, 50)])
def test_brute_force_over_many_lesions_on_any_grid(turn: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(5)
    labels = np.zeros((40, 36, 30), np.uint8)
    affine = affine_of((0.8, 1.1, 2.7), labels.shape, turn=turn, shear=9)
    best = 0.0
    for number in range(12):
        size = rng.integers(2, 8, 3)
        start = np.array([1 + (number % 4) * 9, 1 + (number // 4) * 11, 3]) + rng.integers(0, 2, 3)
        labels[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = 1
        corners = np.stack(np.meshgrid(*[(0, n) for n in size], indexing="ij"), -1).reshape(-1, 3) @ affine[:3, :3].T
        best = max(best, float(np.linalg.norm(corners[:, None] - corners[None], axis=-1).max()))
    case = case_of(labels.astype(np.int16), labels, affine, {"liver_lesion": 1})
    assert _extent(case, "liver_lesion").value == pytest.approx(best)


def test_what_is_cut_off_gives_a_bound() -> None:
    cut = _extent(_case([BULKY, np.s_[30:60, 20:24, 26:30]], liver=np.s_[2:68, 2:38, 2:30]))
    assert (cut.state, cut.value) == (State.NOT_MEASURABLE, None)
    assert cut.lower_bound == pytest.approx(np.sqrt(30**2 + 4**2 + 4**2))


def test_no_lesion() -> None:
    assert _extent(_case([])).state is State.ABSENT
    assert _extent(boxes_case(SIZE, {"liver": LIVER})).state is State.NOT_ASSESSED
    tiny = _extent(_case([np.s_[6:8, 6:8, 6:8]]))
    assert tiny.state is State.NOT_MEASURABLE
    assert "below the size limit" in str(tiny.reason)
