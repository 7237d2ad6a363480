"""The table of all lesions against values counted by hand or known from the shapes, in any order of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.wording import describe
from tests.case_make import Ellipsoid, Order, affine_of, boxes_case, case_of, orders, paint, reorder, run
from tools.base import Case, CaseSettings
from tools.registry import load_tools
from tools.types import Evidence, State

SIZE = (48, 40, 30)
LIVER = np.s_[4:44, 4:36, 3:27]
TWO = [np.s_[8:20, 8:14, 6:10], np.s_[30:36, 20:26, 14:18]]


def table(case: Case, structure: str = "liver_lesion") -> list[Evidence]:
    return load_tools()["lesion_table"].call(case, {"structure": structure})


def two(**more: Any) -> Case:
    return boxes_case(SIZE, {"liver": LIVER, "liver_lesion": TWO}, **more)


def test_one_row_for_each_lesion_largest_first() -> None:
    head, first, second = table(two(spacing=(1, 2, 3), settings=CaseSettings(min_lesion_mm3=1)))
    assert (head.quantity, head.target, head.value, head.unit) == ("lesion_table", "liver_lesion", 2, "1")
    assert head.details == {"limit_mm3": 1, "below_limit": 0, "unlisted": 0}
    assert [one.target for one in (first, second)] == ["liver_lesion#1", "liver_lesion#2"]
    assert first.value == pytest.approx(12 * 6 * 4 * 6 / 1000)
    assert first.uncertainty == pytest.approx((288 - 10 * 4 * 2) / 2 * 6 / 1000)
    assert first.unit == "cm3"
    row: Any = first.details
    assert row["long_axis_mm"] == pytest.approx(np.hypot(12, 12), abs=1.6)
    assert row["feret_mm"] == pytest.approx(np.sqrt(3 * 12**2), abs=1e-3)
    assert first.slice == 6
    assert row["depth_percent"] == pytest.approx(100 * 6.5 / 30, abs=1e-3)
    middle = np.array([13.5, 10.5, 7.5]) - (np.array(SIZE) - 1) / 2
    assert row["centroid_ras_mm"] == pytest.approx(list(middle * [1, 2, 3]), abs=0.01)
    assert row["z_mm"] == pytest.approx((6 - 14.5) * 3)
    low, high = row["box_ras_mm"]
    assert np.subtract(high, low) == pytest.approx([12, 12, 12], abs=0.02)
    assert row["organ"] == "liver"
    assert (row["region"], row["regions"]) == (None, {})


def test_statistics_leave_out_padding_and_the_organ_leaves_out_every_lesion() -> None:
    case = two(hu={"liver": 60, "liver_lesion": 30})
    hu = case.scan.hu.copy()
    rng = np.random.default_rng(1)
    organ = np.zeros(SIZE, dtype=np.bool_)
    organ[LIVER] = True
    for box in TWO:
        organ[box] = False
    hu[organ] = 60 + rng.integers(-20, 21, int(organ.sum()))
    hu[TWO[1]] = 57
    values = rng.integers(0, 60, 12 * 6 * 4).reshape(12, 6, 4).astype(np.int16)
    hu[TWO[0]] = values
    hu[8, 8, 6] = -2000
    layer = case.labels.layers[0] if case.labels else np.zeros(SIZE)
    made = case_of(hu, layer, affine_of((1, 1, 1), SIZE), {"liver": 1, "liver_lesion": 2}, padding=-2000)
    _, first, second = table(made)
    inside = values.ravel()[1:]
    row = first.details
    assert row["hu_mean"] == pytest.approx(inside.mean(), abs=1e-3)
    assert row["hu_sd"] == pytest.approx(inside.std(), abs=1e-3)
    for key, share in (("hu_p10_hu", 10), ("hu_p50_hu", 50), ("hu_p90_hu", 90)):
        assert row[key] == pytest.approx(np.percentile(inside, share), abs=1e-3)
    assert row["organ_hu_mean"] == pytest.approx(hu[organ].mean(), abs=1e-3)
    assert row["organ_hu_sd"] == pytest.approx(hu[organ].std(), abs=1e-3)
    assert row["attenuation"] == "hypoattenuating"
    assert second.details["attenuation"] == "hypoattenuating"


@pytest.mark.parametrize(
    ("shift", "name"),
    [(-0.9, "isoattenuating"), (-1.1, "hypoattenuating"), (0.9, "isoattenuating"), (1.1, "hyperattenuating"),
     (-1.0, "hypoattenuating"), (1.0, "hyperattenuating")],
)  # fmt: skip
def test_attenuation_follows_the_band_of_a_tenth_of_the_deviation(shift: float, name: str) -> None:
    """The organ is 50 ± 10: the band is one HU to either side, and its ends are outside of it."""
    case = two()
    hu = np.zeros(SIZE, np.float32)
    hu[LIVER] = 50 + 10 * (-1.0) ** np.arange(40 * 32 * 24).reshape(40, 32, 24)
    for box in TWO:
        hu[box] = 50 + shift
    layer = case.labels.layers[0] if case.labels else np.zeros(SIZE)
    made = case_of(hu, layer, affine_of((1, 1, 1), SIZE), {"liver": 1, "liver_lesion": 2})
    assert table(made)[1].details["attenuation"] == name


@pytest.mark.slow
def test_small_cut_and_many_lesions() -> None:
    settings = CaseSettings(min_lesion_mm3=8)
    dots = [np.s_[x : x + 2, y : y + 2, z : z + 2] for x in range(6, 42, 3) for y in range(6, 34, 3) for z in (6, 12)]
    boxes = {"liver": np.s_[4:44, 4:36, 3:30], "liver_lesion": [*dots, np.s_[10, 10, 20], np.s_[20:28, 20:28, 25:30]]}
    made = table(boxes_case(SIZE, boxes, settings=settings))
    assert len(made) == 201
    assert made[0].details == {"limit_mm3": 8, "below_limit": 1, "unlisted": len(dots) + 1 - 200}
    assert "cut off" in str(made[0].reason)
    cut = made[1]
    assert (cut.state, cut.value) == (State.NOT_MEASURABLE, None)
    assert cut.lower_bound == pytest.approx(0.32)
    assert cut.details["cut_off_at"] == ["superior"]
    assert made[2].state is State.MEASURED


def test_every_sentence_can_be_said() -> None:
    for one in table(two()):
        assert describe(one, {one.id: one}).text.endswith(".")


# -- in any order of the file ---------------------------------------------------------------------------------

SHAPES = (
    Ellipsoid("liver", (2, 1, 0), (44, 36, 40), hu=60),
    Ellipsoid("liver_lesion", (-12, 4, 6), (14, 9, 11), hu=20, turn=(10, 40, 20)),
    Ellipsoid("liver_lesion", (26, 6, -12), (8, 8, 8), hu=95),
    Ellipsoid("liver_lesion", (2, -20, -20), (5, 6, 5), hu=58),
)
SEGMENTS = {f"liver_segment_{n + 1}": n + 1 for n in range(8)}
OF_FILE = {"depth_percent"}


def _physical(order: Order, hu: Any, layers: list[Any], affine: Any, names: dict[str, tuple[int, int]]) -> Case:
    moved, new = reorder(hu, affine, order)
    return case_of(moved, [reorder(layer, affine, order)[0] for layer in layers], new, names)


def _facts(case: Case) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for tool in ("lesion_table", "largest_lesion", "largest_lesion_region", "lesions_in_regions"):
        for one in load_tools()[tool].call(case, {"structure": "liver_lesion"}):
            if one.quantity not in {"largest_lesion_slice", "largest_lesion_depth"}:
                details = {k: v for k, v in one.details.items() if k not in OF_FILE}
                found[one.quantity, one.target] = (one.model_dump(exclude={"id", "slice", "details"}), details)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("oblique", [False, True])
def test_all_48_orders_give_the_same_table(oblique: bool) -> None:
    size = (46, 30, 24)
    turn, shear = ((14, -9, 21), 8.0) if oblique else ((0, 0, 0), 0.0)
    affine = affine_of((2.2, 3, 4), size, turn=turn, shear=shear)
    hu, labels, numbers = paint(SHAPES, size, affine)
    hu = (hu + np.random.default_rng(2).integers(-9, 10, size)).astype(np.int16)
    at = np.indices(size)
    parts = (1 + (at[0] > 22) + 2 * (at[1] > 15) + 4 * (at[2] > 12)).astype(np.uint8)
    parts[labels != numbers["liver"]] = 0
    names = {name: (0, value) for name, value in numbers.items()} | {k: (1, v) for k, v in SEGMENTS.items()}
    plain = _physical(((0, 1, 2), (False, False, False)), hu, [labels, parts], affine, names)
    expected = _facts(plain)
    at_slice = run(plain, "lesion_components", structure="liver_lesion")["largest_lesion_long_axis"].slice
    voxels = plain.scan.hu.tobytes()
    for number, order in enumerate(orders()):
        case = _physical(order, hu, [labels, parts], affine, names)
        assert case.scan.hu.tobytes() == voxels
        made = run(case, "largest_lesion", structure="liver_lesion")
        index, depth = made["largest_lesion_slice"].value, made["largest_lesion_depth"].value
        assert isinstance(index, int)
        axes, flips = order
        assert at_slice == (size[2] - 1 - index if flips[axes.index(2)] else index)
        assert depth == pytest.approx(100 * (index + 0.5) / 24, abs=1e-3)
        if number % 8 == 5:  # the arrays are the same: what is left to differ is the order of the file
            assert _facts(case) == expected, order


@pytest.mark.parametrize("oblique", [False, True])
def test_the_table_agrees_with_the_shapes(oblique: bool) -> None:
    size = (60, 60, 52)
    turn, shear = ((14, -9, 21), 8.0) if oblique else ((0, 0, 0), 0.0)
    affine = affine_of((1.6, 1.4, 2), size, turn=turn, shear=shear)
    hu, labels, numbers = paint(SHAPES, size, affine)
    case = case_of(hu, labels, affine, numbers)
    _, *made = table(case)
    for one, shape in zip(made, SHAPES[1:], strict=True):
        row: Any = one.details
        assert isinstance(one.value, float)
        assert one.uncertainty is not None
        assert abs(one.value - shape.volume) <= one.uncertainty
        assert row["centroid_ras_mm"] == pytest.approx(shape.centre, abs=0.6)
        assert row["hu_mean"] == shape.hu
        assert -1 <= row["feret_mm"] - 2 * max(shape.radii) <= 5
        # world extent of an ellipsoid along each axis
        half = np.sqrt(np.diag(np.linalg.inv(shape.form)))
        assert np.subtract(row["box_ras_mm"][1], row["box_ras_mm"][0]) == pytest.approx(2 * half, abs=5)
        along = shape.section(case.scan.grid.affine)
        assert row["long_axis_mm"] == pytest.approx(along[0], abs=4)
        assert row["sphericity"] > 0.85
    assert [one.details["attenuation"] for one in made] == ["hypoattenuating", "hyperattenuating", "hypoattenuating"]
