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
from tools.registry import load_tools
from tools.types import Evidence, State
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


# -- lesions one by one, their regions, neighbours and vessels -----------------------------------------------------

TUMOURS = (
    *ANATOMY,
    Ellipsoid("liver_lesion", (10, 1, 31), (6, 5, 5), hu=20, turn=(20, 0, 35)),
    Ellipsoid("liver_lesion", (21, 8, 39), (4, 4, 5), hu=30),
    Ellipsoid("liver_lesion", (6, 10, 39), (3.5, 3.5, 4.5), hu=90),
    Ellipsoid("pancreas_tumor", (-4, 6, -12), (8, 7, 9), hu=25),
    Ellipsoid("superior_mesenteric_artery", (-9, 4, -8), (4, 4, 26), hu=180),
    Ellipsoid("portal_vein", (4, 16, 6), (4, 4, 20), hu=120),
)
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lesion_table", {"structure": "liver_lesion"}),
    ("lesion_table", {"structure": "kidney_tumor"}),
    ("largest_lesion", {"structure": "liver_lesion"}),
    ("largest_lesion", {"structure": "kidney_tumor_left"}),
    ("largest_lesion_region", {"structure": "liver_lesion"}),
    ("largest_lesion_region", {"structure": "kidney_tumor_left"}),
    ("lesions_in_regions", {"structure": "liver_lesion"}),
    ("lesion_components", {"structure": "liver_segment_4_lesion"}),
    ("surface_distance", {"first": "pancreas_tumor", "second": "liver"}),
    ("surface_distance", {"first": "pancreas_tumor", "second": "superior_mesenteric_artery"}),
    ("adjacent_structures", {"structure": "pancreas_tumor", "within_mm": 12.0}),
    ("adjacent_structures", {"structure": "pancreas_tumor", "kinds": ["vessel"]}),
    ("vessel_contact", {"structure": "pancreas_tumor", "vessel": "superior_mesenteric_artery"}),
    ("vessel_contact", {"structure": "pancreas_tumor", "vessel": "portal_vein"}),
    ("recist_targets", {}),
)
OF_THE_FILE = {"largest_lesion_slice", "largest_lesion_depth"}
"""Quantities that are counted in the order of the file."""
FILE_KEYS = {"slice", "depth_percent"}


def _segments(affine: FloatArray, labels: NDArray[np.uint8], liver: tuple[int, ...]) -> NDArray[np.uint8]:
    """Segments 2, 4, 6 and 8 of the liver, lesions included: quarters along two oblique directions of the world."""
    points = np.stack(np.meshgrid(*[np.arange(n) for n in SIZE], indexing="ij"), axis=-1) @ affine[:3, :3].T
    points += affine[:3, 3] - np.array([14.0, 5.0, 40.0])
    right, up = points @ np.array([1.0, 0.2, 0.1]) > 0, points @ np.array([0.0, 0.1, 1.0]) > 0
    return np.where(np.isin(labels, liver), 1 + right + 2 * up, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def tumours() -> tuple[NDArray[np.int16], tuple[NDArray[np.uint8], ...], dict[str, tuple[int, int]], FloatArray]:
    """The anatomy with tumours and vessels on an oblique, sheared grid, and the segments of the liver in a layer."""
    affine = affine_of(SPACING, SIZE, turn=(11, -17, 24), shear=9.0, centre=(0.5, -1.25, 11.0))
    hu, labels, numbers = paint(TUMOURS, SIZE, affine)
    segments = _segments(affine, labels, (numbers["liver"], numbers["liver_lesion"]))
    named = {name: (0, value) for name, value in numbers.items()}
    named |= {f"liver_segment_{segment}": (1, value) for value, segment in enumerate((2, 6, 4, 8), start=1)}
    noise = np.random.default_rng(5).integers(-15, 15, SIZE)
    return (hu + noise).astype(np.int16), (labels, segments), named, affine


def _moved(tumours: Any, order: Order) -> Case:
    hu, layers, named, affine = tumours
    moved, new = reorder(hu, affine, order)
    return case_of(moved, [reorder(layer, affine, order)[0] for layer in layers], new, named)


def _without_file_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_file_keys(part) for key, part in value.items() if key not in FILE_KEYS}
    return [_without_file_keys(part) for part in value] if isinstance(value, list) else value


def _all_evidence(case: Case) -> list[Evidence]:
    return [one for tool, arguments in CALLS for one in load_tools()[tool].call(case, arguments)]


def _invariant(made: list[Evidence]) -> list[dict[str, Any]]:
    """What must not depend on the order of the file; ids hold the slice, and so do the ids that others cite."""
    kept = [one.model_dump(exclude={"id", "slice", "inputs"}) for one in made if one.quantity not in OF_THE_FILE]
    return [{**row, "details": _without_file_keys(row["details"])} for row in kept]


@pytest.mark.slow
def test_all_48_orders_give_the_same_lesions_and_neighbours(tumours: Any) -> None:
    plain = _all_evidence(_moved(tumours, ((0, 1, 2), (False, False, False))))
    expected = _invariant(plain)
    for order in orders():
        made = _all_evidence(_moved(tumours, order))
        assert _invariant(made) == expected, order
        count = SIZE[2]
        for one, before in zip(made, plain, strict=True):
            if before.slice is None:
                assert one.slice is None
            else:
                assert one.slice is not None
                assert _plain_slice(order, one.slice) == before.slice, one.quantity
            for key in FILE_KEYS & set(one.details):
                there, then = one.details[key], before.details[key]
                assert isinstance(there, int | float)
                if key == "depth_percent":
                    assert there == pytest.approx(100 * ((one.slice or 0) + 0.5) / count, abs=1e-3), one.quantity
                else:
                    assert _plain_slice(order, int(there)) == then
            if one.quantity == "largest_lesion_slice" and one.state is State.MEASURED:
                assert isinstance(one.value, int)
                assert _plain_slice(order, one.value) == before.value
            if one.quantity == "largest_lesion_depth" and one.state is State.MEASURED:
                assert one.value == pytest.approx(100 * ((one.slice or 0) + 0.5) / count, abs=1e-3)


def test_the_lesions_are_the_ones_that_were_painted(tumours: Any) -> None:
    made = _all_evidence(_moved(tumours, ((1, 2, 0), (False, True, True))))
    found = {(one.quantity, one.target): one for one in made}
    painted = sorted((one.volume for one in TUMOURS if one.name == "liver_lesion"), reverse=True)
    rows = [one for one in made if one.quantity == "lesion" and one.target.startswith("liver_lesion")]
    assert len(rows) == 3
    for one, volume in zip(rows, painted, strict=True):
        assert isinstance(one.value, float)
        assert one.uncertainty is not None
        assert abs(one.value - volume) <= one.uncertainty
    centre = rows[0].details["centroid_ras_mm"]
    assert isinstance(centre, list)
    assert np.linalg.norm(np.array(centre, dtype=float) - (10, 1, 31)) < 1.5
    near = found["adjacent", "pancreas_tumor"]
    assert near.details["looked"] == ["portal_vein", "superior_mesenteric_artery"]
    assert "superior_mesenteric_artery" in str(near.details["structures"])
    assert found["distance", "pancreas_tumor+superior_mesenteric_artery"].value == 0.0
    angle = found["contact_angle", "pancreas_tumor+superior_mesenteric_artery"]
    assert isinstance(angle.value, float)
    assert angle.value > 90
    assert found["contact_angle", "pancreas_tumor+portal_vein"].value == 0.0


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
