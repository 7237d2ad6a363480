"""Contrast phase: recovered from attenuation, declared, contradicted, or unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.case_make import boxes_case, run
from tools.base import Case, CaseSettings
from tools.phase import PHASES, estimate
from tools.types import State
from tools.volume import ScanHeader

# Typical attenuation as radiology texts give it, by hand and not from the priors' file.
TYPICAL = {
    "native": {"aorta": 41, "liver": 55, "spleen": 48, "kidney_left": 32, "kidney_right": 30},
    "arterial": {"aorta": 310, "liver": 65, "spleen": 115, "kidney_left": 140, "kidney_right": 145},
    "portal": {
        "aorta": 150,
        "inferior_vena_cava": 135,
        "portal_vein_and_splenic_vein": 165,
        "liver": 108,
        "spleen": 120,
    },
    "delayed": {"aorta": 93, "inferior_vena_cava": 94, "portal_vein_and_splenic_vein": 97, "liver": 82, "spleen": 85},
}
PLACES = {
    "aorta": np.s_[2:5, 2:5, 2:8],
    "inferior_vena_cava": np.s_[6:9, 2:5, 2:8],
    "portal_vein_and_splenic_vein": np.s_[10:13, 2:5, 2:8],
    "liver": np.s_[2:9, 6:12, 2:8],
    "spleen": np.s_[10:15, 6:12, 2:8],
    "kidney_left": np.s_[14:17, 2:5, 2:8],
    "kidney_right": np.s_[17:19, 2:5, 2:8],
}


def scan_of(hu: dict[str, int], *, declared: str | None = None, header: str | None = None) -> Case:
    return boxes_case(
        (20, 14, 10),
        {name: PLACES[name] for name in hu},
        hu=hu,
        settings=CaseSettings(phase=declared),
        header=ScanHeader(source="nifti", phase_text=header),
    )


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_is_recovered(phase: str) -> None:
    made = run(scan_of(TYPICAL[phase]), "contrast_phase")
    assert (made["phase"].state, made["phase"].value) == (State.MEASURED, phase)
    assert made["contrast_enhanced"].value is (phase != "native")
    odds = made["phase"].details["probabilities"]
    assert isinstance(odds, dict)
    assert sum(float(str(one)) for one in odds.values()) == pytest.approx(1, abs=1e-3)


@given(shift=st.floats(-6, 6), noise=st.lists(st.floats(-5, 5), min_size=5, max_size=5), phase=st.sampled_from(PHASES))
@settings(deadline=None)
def test_small_variation_never_turns_plain_into_enhanced(shift: float, noise: list[float], phase: str) -> None:
    medians = {name: hu + shift + n for (name, hu), n in zip(TYPICAL[phase].items(), noise, strict=False)}
    odds = estimate(medians)
    assert max(odds, key=lambda name: odds[name]) == phase
    assert (odds["native"] > 0.5) is (phase == "native")


@pytest.mark.parametrize("source", ["declared", "header"])
@pytest.mark.parametrize(
    ("said", "true"), [("native", "portal"), ("portal", "native"), ("arterial", "native"), ("native", "arterial")]
)
def test_a_declaration_that_the_attenuation_contradicts_is_not_believed(source: str, said: str, true: str) -> None:
    case = scan_of(TYPICAL[true], **{source: said})
    made = run(case, "contrast_phase")
    for one in made.values():
        assert (one.state, one.value) == (State.NOT_MEASURABLE, None)
    assert said in str(made["phase"].reason)


@pytest.mark.parametrize("phase", PHASES)
def test_a_declaration_that_fits_is_believed(phase: str) -> None:
    made = run(scan_of(TYPICAL[phase], declared=phase), "contrast_phase")
    assert (made["phase"].value, made["phase"].reason) == (phase, "declared by the user")
    named = run(scan_of(TYPICAL[phase], header=phase), "contrast_phase")
    assert (named["phase"].value, named["phase"].reason) == (phase, "named by the header")


def test_the_user_comes_before_the_header() -> None:
    made = run(scan_of(TYPICAL["portal"], declared="portal", header="delayed"), "contrast_phase")
    assert made["phase"].value == "portal"


def test_without_labels_only_what_is_said_is_known() -> None:
    bare = replace(scan_of({}), labels=None)
    assert {one.state for one in run(bare, "contrast_phase").values()} == {State.NOT_ASSESSED}
    said = replace(bare, settings=CaseSettings(phase="portal"))
    made = run(said, "contrast_phase")
    assert (made["phase"].value, made["contrast_enhanced"].value) == ("portal", True)


def test_labels_that_tell_nothing() -> None:
    other = boxes_case((20, 14, 10), {"femur_left": PLACES["liver"]})
    assert run(other, "contrast_phase")["phase"].state is State.NOT_ASSESSED
    tiny = boxes_case((20, 14, 10), {"aorta": np.s_[2:4, 2:4, 2:4]}, hu={"aorta": 300})
    assert run(tiny, "contrast_phase")["phase"].state is State.NOT_ASSESSED


def test_attenuation_that_fits_no_phase_is_unknown() -> None:
    made = run(scan_of(dict.fromkeys(TYPICAL["portal"], -700)), "contrast_phase")
    for one in made.values():
        assert (one.state, one.value) == (State.NOT_MEASURABLE, None)


def test_one_outlier_does_not_overturn_the_others() -> None:
    stented = {**TYPICAL["native"], "kidney_left": 900}
    made = run(scan_of(stented), "contrast_phase")
    assert made["phase"].value == "native"


def test_padding_does_not_enter() -> None:
    case = scan_of(TYPICAL["portal"])
    hu = case.scan.hu.copy()
    hu[:, :10, :6] = np.where(hu[:, :10, :6] > 0, -2000, hu[:, :10, :6])
    padded = replace(case, scan=replace(case.scan, hu=hu, padding=-2000.0))
    assert run(padded, "contrast_phase")["phase"].value == "portal"


def test_enhanced_may_be_known_where_the_phase_is_not() -> None:
    between = {"aorta": 122, "inferior_vena_cava": 112, "liver": 94, "spleen": 102}
    made = run(scan_of(between), "contrast_phase")
    assert made["phase"].state is State.NOT_MEASURABLE
    assert made["contrast_enhanced"].value is True
