"""Masks that can't be are refused, whatever is wrong with them, and right ones never are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evals.phantom import make_phantom
from evals.phantom_options import PhantomOptions
from tests.case_make import case_of, orders, reorder
from tests.real import opened
from tests.tools.segment.plausible_make import (
    CORRUPTIONS,
    Arrays,
    cropped,
    emptied,
    mask_of,
    moved,
    sprinkled,
    swapped,
    torso,
    with_masks,
)
from tools.base import Case
from tools.segment.plausible import Flag, judge_masks, repair
from tools.segment.plausible_norms import Norm, Norms, load_norms
from tools.segment.settled import settle_masks
from tools.volume import LabelSet


def judged(case: Case, phase: str | None = None) -> tuple[Flag, ...]:
    assert case.labels is not None
    return judge_masks(case.scan, case.labels, phase=phase)


def refused(case: Case, phase: str | None = None) -> list[Flag]:
    return [flag for flag in judged(case, phase) if flag.severity == "refuse"]


def labels_of(case: Case) -> LabelSet:
    assert case.labels is not None
    return case.labels


@pytest.fixture(scope="module")
def right() -> Case:
    return torso().case


@pytest.mark.slow
def test_right_masks_are_left_alone(right: Case) -> None:
    assert judged(right, "native") == ()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_wrong_masks_are_flagged(right: Case, name: str) -> None:
    change, structures, kinds = CORRUPTIONS[name]
    found = judged(change(right), "native")
    telling = [flag for flag in found if flag.kind in kinds and (not structures or flag.structure in structures)]
    assert telling, [(flag.structure, flag.kind) for flag in found]
    only_notes = name in {"islands in the liver's mask", "map mirrored"}
    assert only_notes or any(flag.severity == "refuse" for flag in telling)
    for flag in found:
        assert flag.reason
        assert "\n" not in flag.reason
        assert flag.measured


@pytest.mark.slow
@pytest.mark.parametrize("turn", [(0, 0, 0), (8, -9, 12)])
def test_all_48_orders_and_oblique_grids_give_the_same_flags(turn: tuple[float, float, float]) -> None:
    plain = torso(turn)
    assert judged(plain.case) == ()
    wrong = labels_of(swapped("urinary_bladder", "stomach")(cropped("liver", 2, 0.6)(plain.case)))
    bad = replace(plain, labels=_flat(wrong))
    expected = judged(bad.case)
    assert {flag.kind for flag in expected} >= {"position", "clipped_by_roi"}
    for order in list(orders())[:: 1 if turn == (0, 0, 0) else 7]:
        hu, affine = reorder(bad.hu, bad.affine, order)
        labels, _ = reorder(bad.labels, bad.affine, order)
        assert judged(Arrays(hu, labels, affine, bad.numbers).case) == expected, order


def _flat(labels: LabelSet) -> np.ndarray:
    flat = labels.layers[0].copy()
    numbers = torso().numbers
    for ident, ((layer, value),) in labels.entries.items():
        flat[labels.layers[layer] == value] = numbers[ident]
    return flat


# -- single checks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ident", ["gallbladder", "spleen", "kidney_left", "adrenal_gland_right"])
def test_organs_that_people_live_without_are_noted(right: Case, ident: str) -> None:
    found = [flag for flag in judged(emptied(ident)(right)) if flag.kind == "empty"]
    assert [(flag.structure, flag.severity) for flag in found] == [(ident, "note")]


@pytest.mark.slow
def test_organs_beyond_the_field_of_view_are_not_missed() -> None:
    whole = torso()
    low = Arrays(whole.hu[:, :, :30], whole.labels[:, :, :30], whole.affine, whole.numbers)
    assert refused(low.case) == []
    assert not any(flag.kind == "empty" for flag in judged(low.case))


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("keep", [0.35, 0.5, 0.7])
def test_fields_of_view_of_any_height_give_no_refusal(axis: int, keep: float) -> None:
    whole = torso()
    cut = [slice(None)] * 3
    cut[axis] = slice(0, round(keep * whole.hu.shape[axis]))
    part = Arrays(whole.hu[tuple(cut)], whole.labels[tuple(cut)], whole.affine, whole.numbers)
    assert refused(part.case) == []


@pytest.mark.slow
def test_situs_inversus_is_a_note() -> None:
    found = judged(torso(mirrored=True).case)
    assert {(flag.kind, flag.severity) for flag in found} == {("swapped_sides", "note")}


@pytest.mark.slow
def test_large_organs_of_disease_are_noted_and_impossible_ones_refused(right: Case) -> None:
    spacing = np.diag([2.6, 2.6, 2.6, 1.0])
    case = torso()
    grown = Arrays(case.hu, case.labels, case.affine @ spacing, case.numbers)
    volumes = {flag.structure: flag.severity for flag in judged(grown.case) if flag.kind == "volume"}
    assert volumes["liver"] == "refuse"
    assert volumes["spleen"] == "note"


def test_the_phase_narrows_what_tissue_can_be(right: Case) -> None:
    hu = right.scan.hu.copy()
    hu[mask_of(right, "kidney_left")] = 180
    bright = replace(right, scan=replace(right.scan, hu=hu))
    assert not any(flag.kind == "hu" for flag in judged(bright))
    assert [flag.structure for flag in judged(bright, "native") if flag.kind == "hu"] == ["kidney_left"]


def test_an_opaque_lung_is_a_note(right: Case) -> None:
    hu = right.scan.hu.copy()
    hu[mask_of(right, "lung_left")] = 200
    found = [flag for flag in judged(replace(right, scan=replace(right.scan, hu=hu))) if flag.kind == "hu"]
    assert [(flag.structure, flag.severity) for flag in found] == [("lung_left", "note")]


def test_parts_may_lie_in_their_organ(right: Case) -> None:
    liver = mask_of(right, "liver")
    assert (
        judged(with_masks(right, {"liver": liver, "liver_segment_6": liver & (np.indices(liver.shape)[2] < 45)})) == ()
    )


# -- mending -------------------------------------------------------------------------------------------------------


def test_sides_that_were_mixed_up_are_put_right(right: Case) -> None:
    wrong = swapped("kidney_left", "kidney_right")(right)
    mended, notes = repair(wrong.scan, labels_of(wrong), judged(wrong))
    after = replace(wrong, labels=mended)
    assert np.array_equal(mask_of(after, "kidney_left"), mask_of(right, "kidney_left"))
    assert np.array_equal(mask_of(after, "kidney_right"), mask_of(right, "kidney_right"))
    assert len(notes) == 1
    assert judged(after) == ()


def test_a_piece_of_the_other_kidney_goes_home(right: Case) -> None:
    left, other = mask_of(right, "kidney_left"), mask_of(right, "kidney_right")
    upper = np.indices(other.shape)[2] >= np.argwhere(other)[:, 2].mean()
    wrong = with_masks(right, {"kidney_left": left | (other & upper), "kidney_right": other & ~upper})
    assert "swapped_sides" in {flag.kind for flag in refused(wrong) if flag.structure == "kidney_left"}
    mended, _ = repair(wrong.scan, labels_of(wrong), judged(wrong))
    assert np.array_equal(mask_of(replace(wrong, labels=mended), "kidney_right"), other)


def test_stray_islands_are_taken_off(right: Case) -> None:
    wrong = sprinkled("liver", 60)(right)
    cleaned = replace(wrong, labels=repair(wrong.scan, labels_of(wrong), judged(wrong))[0])
    assert not any(flag.kind == "fragments" for flag in judged(cleaned))
    gained = mask_of(cleaned, "liver") & ~mask_of(right, "liver")
    assert np.count_nonzero(gained) < 15  # those that touch the liver stay


def test_lesions_far_from_home_and_specks_are_taken_off(right: Case) -> None:
    mask = mask_of(right, "liver_lesion")
    spoilt = mask | mask_of(moved("liver_lesion", (-70, 0, -200))(right), "liver_lesion")
    spoilt[40, 40, 60] = True
    wrong = with_masks(right, {"liver_lesion": spoilt})
    assert {(flag.kind, flag.severity) for flag in judged(wrong)} == {("position", "refuse"), ("fragments", "note")}
    found = settle_masks(wrong.scan, None, labels_of(wrong))
    assert not found.refused
    assert not found.notes
    assert np.array_equal(mask_of(replace(wrong, labels=found.masks), "liver_lesion"), mask)


def test_what_is_still_refused_is_dropped_with_its_reason(right: Case) -> None:
    wrong = cropped("liver", 2, 0.6)(right)
    before = [layer.copy() for layer in labels_of(wrong).layers]
    found = settle_masks(wrong.scan, None, labels_of(wrong))
    assert "liver" not in found.masks.entries
    assert "spleen" in found.masks.entries
    assert list(found.refused) == ["liver"]
    assert "flat face" in found.refused["liver"].reason
    assert all(np.array_equal(a, b) for a, b in zip(before, labels_of(wrong).layers, strict=True))


def test_mending_nothing_changes_nothing(right: Case) -> None:
    assert repair(right.scan, labels_of(right), ()) == (labels_of(right), ())


def test_the_table_is_held_to_the_ontology() -> None:
    assert load_norms().of("kidney_left") is load_norms().structures["kidney"]
    assert load_norms().of("humerus_left") == Norm()
    with pytest.raises(ValueError, match="no structure"):
        Norms.model_validate({"version": "1", "structures": {"nose": {}}, "relations": []})
    with pytest.raises(ValueError, match="not below"):
        Norm(usual=(5, 1))
    with pytest.raises(ValueError, match="paired"):
        Norms.model_validate({
            "version": "1", "structures": {},
            "relations": [{"one": "kidney_left", "is": "left_of", "other": "liver", "slack": 0}],
        })  # fmt: skip


# -- phantoms and real scans ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1}, {"seed": 2, "cut_bottom_mm": 200}, {"seed": 3, "phase": "native"}, {"seed": 4, "padding": True},
        {"seed": 1, "cut_top_mm": 160}, {"seed": 2, "volumes": {"spleen": 3000}}, {"seed": 11, "lesions": 8},
    ],
    ids=str,
)  # fmt: skip
def test_phantoms_are_not_refused(options: dict[str, object]) -> None:
    made = make_phantom(PhantomOptions.model_validate({"spacing": (5, 5, 5)} | options))
    padding = -2000.0 if options.get("padding") else None
    case = case_of(made.hu, made.labels, made.affine, dict(made.names), padding=padding)
    assert refused(case, made.truth.phase if "phase" in options else None) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", [("abdomen-native", "ct.nii.gz"), ("abdomen-contrast-dicom", "series")])
def test_true_labels_of_real_scans_are_not_refused(folder: tuple[str, str]) -> None:
    assert refused(opened(folder[0], scan=folder[1])) == []
