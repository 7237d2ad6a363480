"""Who looks for what: the preferred engine that is installed and valid, and the reason where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.label_make import scan_of
from tools.ontology import load_ontology
from tools.segment.catalogue import choose, classes_for, neighbours, unfit, with_hosts
from tools.segment.engine import Offer
from tools.volume import Scan

ORGANS = Offer(
    "a", "organs", {one: (one,) for one in ("liver", "spleen", "kidney_left", "kidney_right", "stomach")},
    "free", "1", "engine A", rank=10,
)  # fmt: skip
LESIONS = Offer("b", "lesions", {"liver_tumor": ("tumor",), "liver": ("liver",)}, "free", "1", "engine B", rank=20)


def _scan() -> Scan:
    return scan_of(np.zeros((6, 6, 6), np.int16))


def _picked(*wanted: str, offers: tuple[Offer, ...] = (ORGANS, LESIONS), **more: object) -> dict[str, tuple[str, ...]]:
    choice = choose(wanted, offers, _scan(), None, **more)  # type: ignore[arg-type]
    return {offer.id: classes for offer, classes in choice.picked}


def test_the_preferred_engine_is_asked_and_only_for_what_is_wanted() -> None:
    assert _picked("liver") == {"a/organs": ("liver",)}
    assert _picked("liver", "liver_lesion") == {"a/organs": ("liver",), "b/lesions": ("liver_tumor",)}
    assert _picked("kidney") == {"a/organs": ("kidney_left", "kidney_right")}


def test_what_the_user_s_labels_have_is_not_looked_for() -> None:
    assert _picked("liver", "spleen", known={"liver"}) == {"a/organs": ("spleen",)}
    assert _picked("liver_metastasis", known={"liver_tumor"}) == {}


def test_neighbours_are_only_looked_for_by_tasks_that_run_anyway() -> None:
    around = neighbours(["spleen"], load_ontology())
    assert "stomach" in around or "kidney_left" in around
    picked = _picked("spleen", around=around)
    assert set(picked) == {"a/organs"} and set(picked["a/organs"]) > {"spleen"}


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (replace(ORGANS, missing="buy it"), "engine A cannot run here yet ('tumortrace doctor'"),
        (replace(ORGANS, synthetic_only=True), "engine A is valid for synthetic scans only"),
        (replace(ORGANS, max_slice_mm=0.5), "engine A needs thinner slices"),
    ],
)
def test_an_engine_that_cannot_be_used_is_named_with_the_reason(offer: Offer, why: str) -> None:
    choice = choose(["spleen"], [offer], _scan(), None)
    assert not choice.picked
    assert why in choice.unseen["spleen"]
    assert not any(letter.isdigit() for letter in choice.unseen["spleen"])


def test_a_task_is_valid_for_its_phases_only() -> None:
    portal = replace(LESIONS, phases=("portal",))
    assert unfit(portal, _scan(), "native") is not None
    assert unfit(portal, _scan(), "portal") is None
    assert unfit(portal, _scan(), None) is None, "an unknown phase is not held against a task"


def test_slices_are_as_thick_as_the_coarsest_axis() -> None:
    sagittal = scan_of(np.zeros((4, 6, 6), np.int16), np.diag([8.0, 1, 1, 1]))
    assert unfit(replace(ORGANS, max_slice_mm=5.0), sagittal, None) is not None
    assert unfit(replace(ORGANS, max_slice_mm=8.0), sagittal, None) is None


def test_what_nobody_knows_is_said() -> None:
    choice = choose(["brain"], [ORGANS], _scan(), None)
    assert choice.unseen["brain"] == "no segmenter that is known here can see the brain"


def test_lesions_are_matched_by_organ_and_by_more_general_or_special_types() -> None:
    ontology = load_ontology()
    classes = ("liver_tumor", "liver_cyst", "kidney_tumor_left", "pancreas_pdac")
    assert classes_for("liver_metastasis", classes, ontology) == {"liver_tumor"}
    assert classes_for("liver_lesion", classes, ontology) == {"liver_tumor", "liver_cyst"}
    assert classes_for("lesion", classes, ontology) == set(classes)
    assert classes_for("kidney_tumor", classes, ontology) == {"kidney_tumor_left"}


def test_hosts_come_with_lesions_and_regions() -> None:
    ontology = load_ontology()
    assert with_hosts(["liver_cyst", "pancreas_head"], ontology) == ("liver_cyst", "liver", "pancreas_head", "pancreas")
