"""One physical case gives one set of values, however its file was ordered, tilted, sheared or sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.case_make import Ellipsoid, Order, affine_of, case_of, orders, paint, reorder, run
from tools.base import Case
from tools.types import State
from tools.volume import FloatArray

SIZE = (36, 28, 22)
SPACING = (2.0, 3.0, 4.0)
# Left is −x in RAS+. The liver leaves the scan at the top only.
ANATOMY = (
    Ellipsoid("liver", (14, 5, 40), (15, 14, 18), hu=55),
    Ellipsoid("kidney_left", (-22, -12, -8), (7, 9, 14), hu=31),
    Ellipsoid("kidney_right", (20, -12, -14), (8, 9, 16), hu=35),
    Ellipsoid("kidney_tumor", (-13, -12, -8), (5, 5, 6), hu=80),
    Ellipsoid("kidney_tumor", (-28, -12, -14), (4, 4, 5), hu=90),
    Ellipsoid("spleen", (-18, 20, 18), (8, 7, 9), hu=47),
)
QUESTIONS = (
    ("measure_structure", "liver"),
    ("measure_structure", "kidney_left"),
    ("measure_structure", "kidney_right"),
    ("measure_structure", "kidney"),
    ("measure_axes", "spleen"),
    ("measure_axes", "liver"),
    ("measure_axes", "kidney_tumor"),
    ("lesion_components", "kidney_tumor"),
    ("lesion_side", "kidney_tumor"),
    ("presence", "spleen"),
    ("presence", "kidney_tumor_right"),
)
Arrays = tuple[NDArray[np.int16], NDArray[np.uint8], dict[str, int]]


@pytest.fixture(scope="module", params=["straight", "oblique"])
def painted(request: pytest.FixtureRequest) -> tuple[Arrays, FloatArray]:
    turn, shear = ((0, 0, 0), 0.0) if request.param == "straight" else ((11, -17, 24), 9.0)
    affine = affine_of(SPACING, SIZE, turn=turn, shear=shear, centre=(0.5, -7.25, 11.0))
    hu, labels, numbers = paint(ANATOMY, SIZE, affine)
    rng = np.random.default_rng(5)
    return ((hu + rng.integers(-15, 15, SIZE)).astype(np.int16), labels, numbers), affine


def _case(arrays: Arrays, affine: FloatArray, order: Order) -> Case:
    hu, labels, numbers = arrays
    moved, new = reorder(hu, affine, order)
    return case_of(moved, reorder(labels, affine, order)[0], new, numbers)


def _facts(case: Case) -> dict[str, Any]:
    """Every value of every tool, without slice numbers, which belong to the file's order."""
    found: dict[str, Any] = {}
    for tool, structure in QUESTIONS:
        for quantity, one in run(case, tool, structure=structure).items():
            details: dict[str, Any] = dict(one.details)
            if quantity == "lesion_count":
                rows: Any = details["lesions"]
                details["lesions"] = [{k: v for k, v in row.items() if k != "slice"} for row in rows]
            row = one.model_dump(exclude={"id", "slice", "details"})
            found[f"{structure}.{quantity}"] = (row, details)
    return found


def _plain_slice(order: Order, index: int) -> int:
    """Index in the plain order of slice `index` of a reordered file."""
    axes, flips = order
    return SIZE[2] - 1 - index if flips[axes.index(2)] else index


@pytest.mark.slow
def test_all_48_orders_give_identical_values(painted: tuple[Arrays, FloatArray]) -> None:
    arrays, affine = painted
    plain = _case(arrays, affine, ((0, 1, 2), (False, False, False)))
    expected = _facts(plain)
    slices = {(t, s): next(iter(run(plain, t, structure=s).values())).slice for t, s in QUESTIONS[4:7]}
    digest = plain.scan.hu.tobytes()
    for order in orders():
        case = _case(arrays, affine, order)
        assert case.scan.hu.tobytes() == digest
        assert case.scan.orientation.shape == tuple(SIZE[axis] for axis in order[0])
        assert _facts(case) == expected, order
        for (tool, structure), index in slices.items():
            there = next(iter(run(case, tool, structure=structure).values())).slice
            assert there is not None
            assert index is not None
            assert _plain_slice(order, there) == index


def test_the_values_are_the_ones_of_the_shapes(painted: tuple[Arrays, FloatArray]) -> None:
    arrays, affine = painted
    facts = _facts(_case(arrays, affine, ((2, 0, 1), (True, False, True))))
    liver, details = facts["liver.complete"]
    assert liver["value"] is False
    assert details["cut_off_at"] == ["superior"]
    assert facts["kidney_tumor.side"][0]["value"] == "left"
    assert facts["kidney_tumor.lesion_count"][0]["value"] == 2
    assert facts["kidney_tumor_right.exists"][0]["state"] is State.ABSENT
    assert facts["kidney_right.hu_mean"][0]["value"] == pytest.approx(34.5, abs=1.5)
    assert facts["kidney_left.hu_mean"][0]["value"] == pytest.approx(30.5, abs=1.5)


_angle = st.floats(-40, 40)
_step = st.floats(1.7, 4.0)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    turn=st.tuples(_angle, _angle, _angle),
    shear=st.floats(-25, 25),
    spacing=st.tuples(_step, _step, st.floats(1.7, 6.0)),
    order=st.sampled_from(list(orders())),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
)
def test_any_oblique_grid_agrees_with_the_analytic_truth(
    turn: tuple[float, float, float],
    shear: float,
    spacing: tuple[float, float, float],
    order: Order,
    shift: tuple[float, float, float],
) -> None:
    """Volume within its own uncertainty, diameters within two pixels plus what the slice distance hides."""
    size = tuple(int(np.ceil(110 / step)) + 4 for step in spacing)
    shapes = (
        Ellipsoid("spleen", (shift[0], 14 + shift[1], shift[2]), (16, 11, 13), hu=47, turn=(20, 30, 40)),
        Ellipsoid("kidney_left", (-20, -16, shift[2]), (9, 9, 12), hu=31),
        Ellipsoid("kidney_right", (20, -16, shift[2]), (9, 9, 12), hu=200),
        Ellipsoid("kidney_tumor", (27, -16, shift[2]), (7, 7, 7), hu=80),
    )
    affine = affine_of(spacing, size, turn=turn, shear=shear)
    hu, labels, numbers = paint(shapes, (size[0], size[1], size[2]), affine)
    moved, new = reorder(hu, affine, order)
    case = case_of(moved, reorder(labels, affine, order)[0], new, numbers)
    spleen = shapes[0]
    volume = run(case, "measure_structure", structure="spleen")["volume"]
    assert volume.state is State.MEASURED
    assert isinstance(volume.value, float)
    assert volume.uncertainty is not None
    assert abs(volume.value - spleen.volume) <= volume.uncertainty
    assert volume.uncertainty < spleen.volume

    axes = run(case, "measure_axes", structure="spleen")
    grid = case.scan.grid
    normal = np.cross(grid.affine[:3, 0], grid.affine[:3, 1])
    gap = abs(float(grid.affine[:3, 2] @ normal)) / float(np.linalg.norm(normal))
    reach = float(np.sqrt((n := normal / np.linalg.norm(normal)) @ np.linalg.inv(spleen.form) @ n))
    hidden = 1 - np.sqrt(max(0.0, 1 - (gap / 2 / reach) ** 2))
    for quantity, truth in zip(("long_axis", "short_axis"), spleen.section(grid.affine), strict=True):
        found = axes[quantity].value
        assert isinstance(found, float)
        slack = 2 * max(grid.spacing[:2]) + hidden * truth
        assert -slack <= found - truth <= slack, (quantity, found, truth)

    assert run(case, "lesion_side", structure="kidney_tumor")["side"].value == "right"
    left, right = (run(case, "measure_structure", structure=f"kidney_{side}")["hu_mean"] for side in ("left", "right"))
    assert (left.value, right.value) == (31.0, 200.0)
