"""Where evidence leads to: into the mask, onto the slice that was measured, with lines of the stated length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from agent.places import Place, place_of
from tests.case_make import Ellipsoid, Order, affine_of, case_of, orders, paint, reorder, run
from tests.evidence_make import derive, measured, missing
from tools.base import Case
from tools.registry import load_tools
from tools.seen import seen
from tools.types import Evidence, State
from tools.volume import FloatArray

SIZE = (44, 36, 22)
SHAPES = (
    Ellipsoid("liver", (-6, 0, 0), (26, 24, 22), hu=110),
    Ellipsoid("liver_metastasis", (-14, -6, 4), (6, 4, 5), hu=60, turn=(0, 0, 30)),
    Ellipsoid("liver_metastasis", (4, 8, -8), (9, 5, 5), hu=60, turn=(0, 0, 70)),
    Ellipsoid("liver_metastasis", (2, -10, 10), (3, 4, 3), hu=60),
    Ellipsoid("spleen", (30, 6, 2), (6, 8, 7), hu=120),
    Ellipsoid("kidney_left", (30, -18, -10), (5, 6, 8), hu=130),
)
GRIDS = {
    "straight": affine_of((2.0, 2.0, 3.0), SIZE),
    "oblique": affine_of((1.9, 2.2, 3.1), SIZE, turn=(9, -14, 21), shear=7, centre=(2, -3, 4)),
}


def case_at(grid: str, order: Order = ((0, 1, 2), (False, False, False)), empty: tuple[str, ...] = ()) -> Case:
    hu, labels, numbers = paint(SHAPES, SIZE, GRIDS[grid])
    moved, affine = reorder(hu, GRIDS[grid], order)
    values = {**numbers, **{name: 40 + n for n, name in enumerate(empty)}}
    return case_of(moved, reorder(labels, GRIDS[grid], order)[0], affine, values)


def every_evidence(case: Case) -> dict[str, Evidence]:
    tools = load_tools()
    calls: list[tuple[str, Mapping[str, str]]] = [
        ("measure_axes", {"structure": "liver"}), ("measure_axes", {"structure": "spleen"}),
        ("measure_structure", {"structure": "spleen"}), ("lesion_components", {"structure": "liver_metastasis"}),
        ("lesion_components", {"structure": "liver_lesion"}), ("lesion_table", {"structure": "liver_metastasis"}),
        ("surface_distance", {"first": "liver_metastasis#2", "second": "spleen"}),
        ("surface_distance", {"first": "liver", "second": "kidney_left"}),
        ("presence", {"structure": "liver_metastasis"}), ("nodule_size", {"structure": "liver_metastasis"}),
    ]  # fmt: skip
    made = [one for name, arguments in calls for one in tools[name].call(case, dict(arguments))]
    return {one.id: one for one in made}


def voxel(case: Case, mm: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(case.scan.grid.affine, [*mm, 1.0])[:3])


def shows(case: Case, place: Place) -> set[str]:
    """Which of the structures shown have the place's voxel in their mask."""
    at = voxel(case, np.array(place.mm))
    i, j, k = np.rint(at).astype(int).tolist()
    assert at == pytest.approx([i, j, k], abs=1e-3)
    assert place.slice == case.scan.orientation.file_slice(k)
    found = set()
    for name in place.structures:
        region = seen(case, name).region
        assert region is not None
        start = [s.start for s in region.box]
        inside = all(s.start <= n < s.stop for n, s in zip((i, j, k), region.box, strict=True))
        if inside and region.mask[i - start[0], j - start[1], k - start[2]]:
            found.add(name)
    return found


def lengths(place: Place) -> list[float]:
    return [float(np.linalg.norm(np.subtract(line.end, line.begin))) for line in place.lines]


def single(case: Case, place: Place) -> None:
    """The voxels of every numbered structure, and of no other, are told: those of that lesion alone."""
    assert [one.structure for one in place.singles] == [name for name in place.structures if "#" in name]
    for one in place.singles:
        region = seen(case, one.structure).region
        assert region is not None
        assert sum(one.runs[1::2]) == region.voxels
        assert (one.step, one.first) == (1, tuple(part.start for part in region.box))


@pytest.mark.parametrize("grid", GRIDS)
def test_a_place_lies_in_the_mask_and_its_lines_are_as_long_as_stated(grid: str) -> None:
    case = case_at(grid)
    evidence = every_evidence(case)
    with_lines = set()
    for one in evidence.values():
        place = place_of(one, case, evidence)
        assert place is not None
        assert shows(case, place)
        low, high = place.box_mm or ((0, 0, 0), (0, 0, 0))
        assert all(a <= x <= b for a, x, b in zip(low, place.mm, high, strict=True))
        if one.slice is not None:
            assert place.slice == one.slice
        single(case, place)
        if place.lines:
            with_lines.add(one.quantity)
        if one.quantity in {"lesion", "nodule_mean_diameter"}:
            assert lengths(place) == pytest.approx(
                [one.details["long_axis_mm"], one.details["short_axis_mm"]], abs=1e-3
            )
        elif place.lines:
            assert lengths(place) == pytest.approx([one.value], abs=1e-3)
    assert with_lines == {
        "long_axis", "short_axis", "largest_lesion_long_axis", "largest_lesion_short_axis", "longest_lesion_axis",
        "lesion", "nodule_mean_diameter", "distance",
    }  # fmt: skip


def test_lines_lie_in_the_slice_and_cross_at_right_angles() -> None:
    case = case_at("oblique")
    evidence = every_evidence(case)
    lesions = [one for one in evidence.values() if one.quantity == "lesion"]
    assert len(lesions) == 3
    for one in lesions:
        place = place_of(one, case, evidence)
        assert place is not None
        k = voxel(case, np.array(place.mm))[2]
        ends = [np.array([line.begin, line.end]) for line in place.lines]
        for line in ends:
            assert [voxel(case, end)[2] for end in line] == pytest.approx([k, k], abs=1e-3)
        assert np.dot(ends[0][1] - ends[0][0], ends[1][1] - ends[1][0]) == pytest.approx(0, abs=1e-2)


def test_the_line_ends_on_the_outline() -> None:
    case = case_at("straight")
    evidence = {one.id: one for one in run(case, "measure_axes", structure="liver").values()}
    for one in evidence.values():
        place = place_of(one, case, evidence)
        region = seen(case, "liver").region
        assert place is not None
        assert region is not None
        k = round(voxel(case, np.array(place.mm))[2]) - region.box[2].start
        pixels = np.argwhere(region.mask[:, :, k]) + np.array([region.box[0].start, region.box[1].start])
        for end in (place.lines[0].begin, place.lines[0].end):
            gaps = np.abs(pixels - voxel(case, np.array(end))[:2])
            # Half a pixel beyond a pixel's centre, along one axis; a chord may end on the hull between two pixels.
            assert gaps.max(axis=1).min() <= 1.0
            assert gaps.max(axis=1).min() > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
def test_all_48_orders_lead_to_the_same_place(grid: str) -> None:
    reference: dict[tuple[str, str, str], Place] = {}
    for order in orders():
        case = case_at(grid, order)
        evidence = every_evidence(case)
        for one in evidence.values():
            place = place_of(one, case, evidence)
            assert place is not None
            assert shows(case, place)
            first = reference.setdefault((one.tool, one.quantity, one.target), place)
            assert place.mm == pytest.approx(first.mm, abs=1e-3)
            assert place.structures == first.structures
            assert lengths(place) == pytest.approx(lengths(first), abs=1e-3)


def test_single_lesions_keep_their_number() -> None:
    case = case_at("straight")
    largest = run(case, "lesion_components", structure="liver_lesion")["largest_lesion_volume"]
    shown = {
        one.target: place.structures
        for one in load_tools()["lesion_table"].call(case, {"structure": "liver_lesion"})
        if (place := place_of(one, case, {})) is not None
    }
    assert shown == {"liver_lesion": ("liver_metastasis",)} | {
        f"liver_lesion#{n}": (f"liver_metastasis#{n}",) for n in (1, 2, 3)
    }
    place = place_of(largest, case, {})
    assert place is not None
    assert place.structures == ("liver_metastasis#1",)


def test_a_length_that_is_not_found_again_is_not_drawn() -> None:
    case = case_at("straight")
    true = run(case, "measure_axes", structure="spleen")["long_axis"]
    for length in (float(str(true.value)) + 0.1, None):
        other = Evidence.make(**{**true.model_dump(exclude={"id"}), "value": length})
        place = place_of(other, case, {})
        assert place is not None
        assert not place.lines
        assert place.slice == true.slice


def test_what_was_derived_leads_to_what_was_measured() -> None:
    case = case_at("straight")
    spleen, liver = (run(case, "measure_structure", structure=name)["hu_mean"] for name in ("spleen", "liver"))
    ratio = derive("ratio", liver, spleen, numerator=liver, denominator=spleen)
    evidence = {one.id: one for one in (liver, spleen, ratio)}
    verdict = Evidence.make(
        tool="apply_rule", version="1", quantity="verdict", target="spleen", value=True, state=State.MEASURED,
        method="a rule", inputs=("lost.scan.0000000000", ratio.id),
    )  # fmt: skip
    at = {one.id: place_of(one, case, evidence) for one in (liver, spleen, ratio, verdict)}
    assert at[ratio.id] == at[liver.id] != at[spleen.id]
    # Of several inputs those about the same structure come first.
    assert at[verdict.id] == at[spleen.id] is not None
    # Where nothing that it rests on can be shown, the structure itself can.
    alone = verdict.model_copy(update={"inputs": ("lost.scan.0000000000",)})
    assert place_of(alone, case, evidence) == at[spleen.id]
    over_scan = Evidence.make(**{**verdict.model_dump(exclude={"id"}), "target": "scan"})
    assert place_of(over_scan, case, evidence) == at[liver.id]


def test_of_an_absent_lesion_the_organ_is_shown() -> None:
    case = case_at("straight", empty=("spleen_lesion",))
    place = place_of(run(case, "presence", structure="spleen_lesion")["exists"], case, {})
    assert place is not None
    assert place.structures == ("spleen",)
    assert shows(case, place) == {"spleen"}


@pytest.mark.parametrize(
    "one",
    [
        measured("spacing", "scan", "1 × 1 × 1", "mm"), measured("prior_volume", "spleen", 100.0),
        missing("volume", "pancreas", State.NOT_ASSESSED), measured("threshold", "spleen-grade-bezerra", 12.0, "cm"),
        measured("volume_ratio", "liver+spleen", 2.0, "1"), measured("distance", "liver+pancreas", 2.0, "mm"),
    ],
    ids=lambda one: str(one.quantity),
)  # fmt: skip
def test_what_has_no_mask_has_no_place(one: Evidence) -> None:
    case = case_at("straight")
    assert place_of(one, case, {one.id: one}) is None
    assert place_of(one, Case(scan=case.scan), {}) is None


def test_where_a_vessel_is_touched() -> None:
    shapes = (
        Ellipsoid("superior_mesenteric_artery", (0, 0, 0), (4, 4, 60), hu=200),
        Ellipsoid("pancreas_tumor", (9, 0, 5), (6, 7, 7), hu=60),
    )
    affine = affine_of((1.0, 1.0, 2.0), (40, 40, 30), turn=(5, 8, 10))
    hu, labels, numbers = paint(shapes, (40, 40, 30), affine)
    case = case_of(hu, labels, affine, numbers)
    made = run(case, "vessel_contact", structure="pancreas_tumor", vessel="superior_mesenteric_artery")
    assert made["contact_angle"].slice is not None
    place = place_of(made["contact_angle"], case, {})
    assert place is not None
    assert place.slice == made["contact_angle"].slice
    assert shows(case, place) == {"superior_mesenteric_artery"}
    assert place.structures == ("pancreas_tumor", "superior_mesenteric_artery")
    gap = run(case, "surface_distance", first="pancreas_tumor", second="superior_mesenteric_artery")["distance"]
    touching = place_of(gap, case, {})
    assert touching is not None
    assert (gap.value == 0) == (not touching.lines)


def test_the_ends_of_a_line_are_called_from_and_to() -> None:
    case = case_at("straight")
    place = place_of(run(case, "measure_axes", structure="spleen")["long_axis"], case, {})
    assert place is not None
    line = place.model_dump(mode="json")["lines"][0]
    assert set(line) == {"from", "to", "label"}
    assert line["label"].endswith(" mm")
