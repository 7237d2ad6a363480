"""What a person removes, approves and adds, and what every other structure keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.errors import UsageError
from tests.case_make import affine_of, boxes_case, case_of
from tests.label_make import scan_of, voxels
from tools.base import Case
from tools.correct import correct
from tools.correct_model import Edit, Point
from tools.look import look
from tools.structures import Standing, region, resolve
from tools.volume import LabelSet, to_canonical

SIZE = (30, 26, 20)
LIVER = np.s_[3:26, 3:22, 2:18]
TWO = [np.s_[6:10, 6:10, 5:9], np.s_[16:21, 12:16, 8:13]]
IN_FIRST, IN_SECOND = (7, 7, 6), (18, 14, 10)


def _case(**more: object) -> Case:
    """A liver with two lesions carved out of it, in one layer."""
    boxes = {"liver": LIVER, "liver_lesion": TWO, "spleen": np.s_[27:30, 2:6, 3:8]}
    return boxes_case(SIZE, boxes, hu={"liver": 100, "liver_lesion": 40}, **more)  # type: ignore[arg-type]


def _at(case: Case, index: Sequence[float]) -> Point:
    x, y, z = case.scan.grid.world(np.asarray(index, dtype=np.float64))
    return float(x), float(y), float(z)


def _edit(case: Case, kind: str, structure: str, index: Sequence[float], **more: float) -> Edit:
    return Edit.model_validate({"kind": kind, "structure": structure, "point": _at(case, index), **more})


def _one(case: Case, kind: str, structure: str, index: Sequence[float], **more: float) -> LabelSet:
    return correct(case, [_edit(case, kind, structure, index, **more)]).labels


def _of(case: Case, name: str) -> NDArray[np.bool_]:
    assert case.labels is not None
    return voxels(case.labels, name)


def test_a_removed_lesion_becomes_its_organ_again() -> None:
    case = _case()
    made = correct(case, [_edit(case, "remove", "liver_lesion", IN_FIRST)])
    first = np.zeros(SIZE, np.bool_)
    first[TWO[0]] = True
    assert np.array_equal(voxels(made.labels, "liver_lesion"), _of(case, "liver_lesion") & ~first)
    assert np.array_equal(voxels(made.labels, "liver"), _of(case, "liver") | first)
    assert np.array_equal(voxels(made.labels, "spleen"), _of(case, "spleen"))
    (change,) = made.changes
    assert (change.before.lesions, change.after.lesions, change.removed) == (2, 1, 1)
    assert change.before.volume_cm3 == pytest.approx(0.164) and change.after.volume_cm3 == pytest.approx(0.1)
    assert made.labels.reviewed == {"liver_lesion"} and made.labels.source == "label map; corrected by a person"
    assert case.labels is not None and made.labels.digest != case.labels.digest


def test_a_lesion_beside_its_organ_leaves_nothing_to_it() -> None:
    case = boxes_case(SIZE, {"liver": np.s_[3:10, 3:22, 2:18], "liver_lesion": np.s_[10:18, 8:14, 5:11]})
    made = _one(case, "remove", "liver_lesion", (12, 10, 7))
    assert not voxels(made, "liver_lesion").any() and "liver_lesion" in made.entries
    assert np.array_equal(voxels(made, "liver"), _of(case, "liver"))


def test_an_approval_changes_no_voxel_and_is_noted() -> None:
    case = _case()
    made = correct(case, [_edit(case, "keep", "liver_lesion", IN_SECOND)])
    assert np.array_equal(voxels(made.labels, "liver_lesion"), _of(case, "liver_lesion"))
    assert made.labels.reviewed == {"liver_lesion"} and made.changes[0].kept == 1
    assert case.labels is not None and made.labels.layers[0] is case.labels.layers[0]


def test_the_nearest_component_within_five_millimetres_is_meant() -> None:
    case = _case(spacing=(1.0, 1.0, 2.0))
    made = _one(case, "remove", "liver_lesion", (7, 7, 10.4))
    assert not voxels(made, "liver_lesion")[TWO[0]].any() and voxels(made, "liver_lesion")[TWO[1]].all()
    with pytest.raises(UsageError, match=r"^Edit 2 of 2 cannot be made: .* within 5 mm of the point; .*\.$"):
        correct(
            case, [_edit(case, "keep", "liver_lesion", IN_FIRST), _edit(case, "remove", "liver_lesion", (7, 7, 12))]
        )
    with pytest.raises(UsageError, match="within 5 mm"):
        correct(case, [_edit(case, "remove", "liver_lesion", (-900, 0, 0))])


@pytest.mark.parametrize("name", ["pancreas_lesion", "spleen_lesion", "nonsense"])
def test_only_what_has_a_mask_can_be_removed(name: str) -> None:
    case = _case(empty=["spleen_lesion"])
    with pytest.raises(UsageError, match="there is no mask of"):
        correct(case, [_edit(case, "remove", name, IN_FIRST)])


def test_a_label_that_several_structures_share_stays_the_others() -> None:
    case = _case()
    assert case.labels is not None
    entries = {**case.labels.entries, "liver": ((0, 1), (0, 2)), "lesion": ((0, 2),)}
    shared = replace(case, labels=replace(case.labels, entries=entries))
    made = _one(shared, "remove", "liver_lesion", IN_FIRST)
    assert not voxels(made, "liver_lesion")[TWO[0]].any() and voxels(made, "liver_lesion")[TWO[1]].all()
    assert np.array_equal(voxels(made, "liver"), _of(shared, "liver"))
    assert np.array_equal(voxels(made, "lesion"), _of(shared, "lesion"))


def test_masks_of_other_layers_are_not_touched() -> None:
    hu = np.full(SIZE, 40, np.int16)
    organ, lesion = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    organ[LIVER] = 255
    lesion[TWO[0]] = lesion[TWO[1]] = 7
    case = case_of(hu, [organ, lesion], affine_of((1, 1, 1), SIZE), {"liver": (0, 255), "liver_lesion": (1, 7)})
    made = _one(case, "remove", "liver_lesion", IN_FIRST)
    assert case.labels is not None and made.layers[0] is case.labels.layers[0]
    assert int(voxels(made, "liver_lesion").sum()) == 100


def test_what_is_added_is_a_new_entry_that_was_looked_for() -> None:
    case = _case()
    hu = case.scan.hu.copy()
    hu[12:15, 5:9, 12:16] = 20
    assert case.labels is not None
    labels = replace(case.labels, unseen={"liver_metastasis": "no engine sees it"})
    case = replace(case, scan=replace(case.scan, hu=hu), labels=labels)
    made = correct(case, [_edit(case, "add", "liver_metastasis", (13, 7, 14))])
    grown = voxels(made.labels, "liver_metastasis")
    assert grown[13, 7, 14] and 20 <= int(grown.sum()) <= 80
    assert made.labels.unseen == {} and made.labels.estimated == {"liver_metastasis"}
    assert made.changes[0].before.lesions == 0 and made.changes[0].after.lesions == 1
    for name in labels.entries:
        assert np.array_equal(voxels(made.labels, name), voxels(labels, name)), name


def test_a_scan_without_labels_can_get_its_first_lesion() -> None:
    hu = np.full((20, 20, 20), 100, np.int16)
    hu[8:12, 8:12, 8:12] = 20
    case = Case(scan=scan_of(hu))
    made = correct(case, [_edit(case, "add", "liver_lesion", (10, 10, 10), radius_mm=12)])
    assert made.labels.entries == {"liver_lesion": ((0, 1),)}
    assert made.labels.source == "masks drawn by a person; corrected by a person"
    assert voxels(made.labels, "liver_lesion")[9:11, 9:11, 9:11].all()


def test_edits_follow_each_other() -> None:
    case = _case()
    edits = [_edit(case, "remove", "liver_lesion", IN_FIRST), _edit(case, "remove", "liver_lesion", IN_SECOND)]
    made = correct(case, edits)
    assert made.changes[0].removed == 2 and made.changes[0].after.lesions == 0
    with pytest.raises(UsageError, match="Edit 3 of 3"):
        correct(case, [*edits, edits[0]])


def test_a_mask_that_is_cut_off_by_the_scan_is_taken_away_whole() -> None:
    case = boxes_case(SIZE, {"liver": np.s_[0:20, 0:20, 0:14], "liver_lesion": np.s_[0:6, 0:5, 0:4]})
    made = _one(case, "remove", "liver_lesion", (0, 0, 0))
    assert not voxels(made, "liver_lesion").any()
    assert np.array_equal(voxels(made, "liver"), _of(case, "liver") | _of(case, "liver_lesion"))


def test_more_labels_than_a_byte_can_number_get_more_room() -> None:
    case = _case()
    assert case.labels is not None
    layer = case.labels.layers[0].copy()
    layer[0, 0, 0] = 255
    entries = {**case.labels.entries, "label_255": ((0, 255),), "lesion": ((0, 2),)}
    case = replace(case, labels=replace(case.labels, layers=(layer,), entries=entries))
    made = _one(case, "remove", "liver_lesion", IN_FIRST)
    assert made.layers[0].dtype == np.uint16 and np.array_equal(voxels(made, "lesion"), _of(case, "lesion"))


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Case, list[Edit]]:
    """A few random masks in one or two layers that overlap and share labels, and edits of them."""
    size = (9, 8, 7)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    layers = [rng.choice(4, size, p=[0.55, 0.25, 0.1, 0.1]).astype(np.uint8) for _ in range(draw(st.integers(1, 2)))]
    keys = [(number, value) for number in range(len(layers)) for value in (1, 2, 3)]
    names = ("liver", "liver_lesion", "liver_cyst", "spleen")
    entries = {
        # Whatever reads masks gives every class a label, with voxels or not.
        name: tuple(draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True)))
        for name in names
    }
    hu = rng.integers(-50, 150, size).astype(np.int16)
    moved, grid, _ = to_canonical(hu, affine_of((1.5, 2, 3), size, turn=(7, -12, 31)))
    case = Case(scan=replace(scan_of(moved, grid.affine), grid=grid), labels=LabelSet(grid, tuple(layers), entries))
    edits = []
    for _ in range(draw(st.integers(1, 3))):
        index = [draw(st.integers(0, n - 1)) for n in size]
        name = draw(st.sampled_from(names[1:3]))
        edits.append(_edit(case, draw(st.sampled_from(("add", "remove", "keep"))), name, index, radius_mm=6))
    return case, edits


@pytest.mark.slow
@given(_worlds())
def test_no_other_structure_loses_a_voxel(world: tuple[Case, list[Edit]]) -> None:
    case, edits = world
    for edit in edits:
        try:
            made = correct(case, [edit])
        except UsageError:
            continue
        assert case.labels is not None
        for name in case.labels.entries:
            old, new = voxels(case.labels, name), voxels(made.labels, name)
            if name != edit.structure:
                assert not (old & ~new).any(), name
                # Only an organ that a lesion is given back to gains any, and only what that lesion had.
                assert name == "liver" and edit.kind == "remove" if (new & ~old).any() else True
            elif edit.kind == "add":
                assert not (old & ~new).any() and (new & ~old).any()
            elif edit.kind == "remove":
                assert not (new & ~old).any() and (old & ~new).any()
            else:
                assert np.array_equal(old, new)
        assert made.labels.boxes == replace(made.labels).boxes
        case = replace(case, labels=made.labels)


@pytest.mark.slow
@given(_worlds())
def test_removing_what_was_added_gives_the_old_masks(world: tuple[Case, list[Edit]]) -> None:
    case, edits = world
    before = case.labels
    assert before is not None
    name = "liver_metastasis"
    point = edits[0].point
    try:
        added = correct(case, [Edit(kind="add", structure=name, point=point, radius_mm=6)]).labels
    except UsageError:
        return
    made = correct(replace(case, labels=added), [Edit(kind="remove", structure=name, point=point)]).labels
    assert voxels(added, name).any() and name not in made.entries
    for other in before.entries:
        assert np.array_equal(voxels(added, other), voxels(before, other)), other
        assert np.array_equal(voxels(made, other), voxels(before, other)), other


@pytest.mark.parametrize("other", ["body", "liver_segment_5"])
def test_a_mask_around_or_within_the_organ_does_not_keep_its_voxels_from_it(other: str) -> None:
    case = _case()
    labels = case.labels
    assert labels is not None
    around = np.zeros(SIZE, np.uint8)
    around[(np.s_[1:28, 1:24, 1:19]) if other == "body" else LIVER] = 1
    layers, entries = (*labels.layers, around), {**labels.entries, other: ((len(labels.layers), 1),)}
    both = replace(case, labels=replace(labels, layers=layers, entries=entries))
    whole = region(both.labels or labels, "liver", with_lesions=True)
    made = _one(both, "remove", "liver_lesion", IN_SECOND)
    after = region(made, "liver", with_lesions=True)
    assert whole is not None and after is not None and after.voxels == whole.voxels
    assert int(voxels(made, "liver").sum()) == int(_of(case, "liver").sum()) + 5 * 4 * 5
    assert np.array_equal(voxels(made, other), around == 1)


def test_a_hole_in_a_segment_of_a_second_map_is_filled_too() -> None:
    case = _case()
    labels = case.labels
    assert labels is not None
    segments = np.zeros(SIZE, np.uint8)
    segments[LIVER] = 1
    segments[TWO[1]] = 0
    layers, entries = (*labels.layers, segments), {**labels.entries, "liver_segment_5": ((len(labels.layers), 1),)}
    both = replace(case, labels=replace(labels, layers=layers, entries=entries))
    made = _one(both, "remove", "liver_lesion", IN_SECOND)
    for name in ("liver", "liver_segment_5"):
        assert voxels(made, name)[TWO[1]].all(), name


def test_what_only_a_person_added_was_not_looked_for() -> None:
    boxes = {"kidney_left": np.s_[3:9, 3:20, 2:18], "kidney_right": np.s_[16:26, 3:22, 2:18]}
    case = boxes_case(SIZE, boxes, hu={"kidney_left": 150, "kidney_right": 150})
    case.scan.hu[19:23, 10:14, 8:12] = 20
    added = _edit(case, "add", "kidney_lesion", (21, 12, 10))
    made = correct(case, [added]).labels
    found = {name: resolve(made, name).standing for name in ("lesion", "kidney_lesion_left", "kidney_rcc_left")}
    assert found == {
        "lesion": Standing.PRESENT, "kidney_lesion_left": Standing.NOT_LOOKED, "kidney_rcc_left": Standing.NOT_LOOKED,
    }  # fmt: skip
    seen = look(replace(case, labels=made), "kidney_lesion")
    assert seen.narrow == "nothing looked for others than those that a person added"
    undone = correct(case, [added, _edit(case, "remove", "kidney_lesion", (21, 12, 10))]).labels
    assert resolve(undone, "kidney_lesion").standing is Standing.NOT_LOOKED
    assert "kidney_lesion" not in undone.entries and "kidney_lesion" not in undone.estimated


def test_an_empty_class_of_a_map_stays_looked_for() -> None:
    case = _case()
    labels = case.labels
    assert labels is not None
    case = replace(case, labels=replace(labels, entries={"liver": ((0, 1),), "liver_lesion": ((0, 99),)}))
    edits = [_edit(case, kind, "liver_lesion", IN_FIRST) for kind in ("add", "remove")]
    assert resolve(correct(case, edits).labels, "liver_lesion").standing is Standing.ABSENT
    assert not correct(case, edits[:1]).labels.drawn


def test_a_lesion_that_another_mask_still_shows_is_told() -> None:
    case = _case()
    labels = case.labels
    assert labels is not None
    shared = replace(
        case, labels=replace(labels, entries={**labels.entries, "liver_cyst": labels.entries["liver_lesion"]})
    )
    made = correct(shared, [_edit(case, "remove", "liver_lesion", IN_FIRST)])
    assert made.changes[0].note == "what was removed is still shown as liver cyst"
    made = correct(shared, [_edit(case, "remove", name, IN_FIRST) for name in ("liver_lesion", "liver_cyst")])
    assert made.changes[1].note == ""


def test_a_lesion_that_grows_into_another_one_is_told() -> None:
    case = _case()
    case.scan.hu[10:14, 6:10, 5:9] = 40
    made = correct(case, [_edit(case, "add", "liver_lesion", (12, 8, 7))])
    (change,) = made.changes
    assert change.before.lesions == change.after.lesions == 2 and change.added == 1
    assert change.note == "what was added counts as one with what it touches"
