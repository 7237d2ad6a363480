"""Mean diameter of the largest lung nodule against the analytic section, however the file is ordered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from tests.case_make import Ellipsoid, affine_of, boxes_case, case_of, orders, paint, reorder, run
from tools.types import State

SIZE = (40, 36, 24)
BIG = Ellipsoid("lung_nodule_left", (-14, 2, 4), (9, 6, 8), hu=20, turn=(0, 0, 25))
SMALL = Ellipsoid("lung_nodule_left", (-16, 24, -14), (4, 4, 4), hu=20)
LUNG = Ellipsoid("lung_left", (-14, 5, 0), (20, 30, 28), hu=-800)


@pytest.mark.parametrize(("turn", "shear"), [((0, 0, 0), 0.0), ((8, -12, 20), 7.0)])
def test_it_is_the_mean_of_both_axes_in_every_order(turn: tuple[int, int, int], shear: float) -> None:
    affine = affine_of((2.0, 2.0, 2.5), SIZE, turn=turn, shear=shear)
    hu, labels, numbers = paint((LUNG, BIG, SMALL), SIZE, affine)
    numbers = {name.replace("lung_nodule_left", "lung_lesion_left"): value for name, value in numbers.items()}
    long_axis, short_axis = BIG.section(affine)
    seen = set()
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, numbers)
        one = run(case, "nodule_size", structure="lung_lesion_left")["nodule_mean_diameter"]
        assert (one.state, one.unit) == (State.MEASURED, "mm")
        assert isinstance(one.value, float) and one.uncertainty is not None
        assert abs(one.value - (long_axis + short_axis) / 2) <= one.uncertainty
        seen.add((one.value, one.uncertainty))
    assert len(seen) == 1


def test_it_is_exact_on_a_box_and_agrees_with_the_two_axes() -> None:
    case = boxes_case(
        (30, 30, 12), {"lung_left": (slice(2, 28), slice(2, 28), slice(1, 11)),
                       "lung_lesion_left": (slice(5, 11), slice(6, 14), slice(3, 8))},
    )  # fmt: skip
    both = run(case, "lesion_components", structure="lung_lesion_left")
    axes = [both[f"largest_lesion_{axis}_axis"].value for axis in ("long", "short")]
    one = run(case, "nodule_size", structure="lung_lesion_left")["nodule_mean_diameter"]
    assert one.value == pytest.approx(sum(float(str(axis)) for axis in axes) / 2)
    assert axes[0] == pytest.approx(89**0.5)  # edges of the outermost pixels, not their corners


def test_the_four_states() -> None:
    lung = (slice(2, 28), slice(2, 28), slice(1, 11))

    def state(boxes: Mapping[str, Any] = MappingProxyType({}), *empty: str) -> tuple[State, float | None]:
        case = boxes_case((30, 30, 12), {"lung_left": lung, **boxes}, empty=empty)
        one = run(case, "nodule_size", structure="lung_lesion_left")["nodule_mean_diameter"]
        assert one.value is None
        return one.state, one.lower_bound

    assert state() == (State.NOT_ASSESSED, None)
    assert state({}, "lung_lesion_left") == (State.ABSENT, None)
    tiny = {"lung_lesion_left": (slice(5, 7), slice(5, 7), slice(4, 6))}
    assert state(tiny) == (State.NOT_MEASURABLE, None)
    cut = {"lung_lesion_left": (slice(0, 6), slice(6, 14), slice(3, 8))}
    found, bound = state(cut)
    assert found is State.NOT_MEASURABLE
    assert bound == pytest.approx(89**0.5 / 2)
