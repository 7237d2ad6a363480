"""Attenuation class of a lesion: the band, its edges, and what the uncertainty leaves open."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ToolError
from tests.evidence_make import derive, measured, missing
from tests.said import said
from tools.attenuation_class import classify, possible_classes
from tools.intervals import Interval
from tools.types import State

HYPO, ISO, HYPER = "hypoattenuating", "isoattenuating", "hyperattenuating"


def _made(lesion: float, organ: float, spread: float, pm: float | None = None, organ_pm: float | None = None) -> Any:
    given_ = (
        measured("hu_mean", "liver_lesion", lesion, "HU", pm),
        measured("hu_mean", "liver", organ, "HU", organ_pm),
        measured("hu_sd", "liver", spread, "HU"),
    )
    return given_, derive("attenuation_class", lesion=given_[0], organ=given_[1], spread=given_[2])


@pytest.mark.parametrize(
    ("lesion", "verdict"),
    [(98.0, ISO), (98.001, ISO), (97.999, HYPO), (102.0, HYPER), (101.999, ISO), (100.0, ISO), (30.0, HYPO)],
)
def test_a_tenth_of_the_standard_deviation_is_not_iso_any_more(lesion: float, verdict: str) -> None:
    _, made = _made(lesion, 100.0, 20.0)
    expected = HYPO if lesion == 98.0 else verdict  # exactly so much is not isoattenuating
    assert made.value == expected
    assert (made.quantity, made.target, made.state) == ("attenuation", "liver_lesion", State.MEASURED)
    assert made.details["band_hu"] == 2.0
    assert made.details["rule"] == "lesion-attenuation-radgpt"


def test_it_names_its_numbers_and_its_source() -> None:
    given_, made = _made(60.0, 100.0, 20.0, pm=1.0, organ_pm=1.0)
    text = said(made, *given_)
    assert "liver lesion is hypoattenuating" in text
    assert "60.0 HU" in text
    assert "arXiv:2501.04678" in text
    assert made.details["borderline"] == []


def test_the_uncertainty_names_every_reading() -> None:
    given_, made = _made(98.5, 100.0, 20.0, pm=1.0)
    assert (made.value, made.details["borderline"]) == (ISO, [HYPO, ISO])
    assert "hypoattenuating or isoattenuating" in said(made, *given_)
    assert _made(100.0, 100.0, 20.0, pm=5.0)[1].details["borderline"] == [HYPO, ISO, HYPER]


@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.NOT_MEASURABLE, State.ABSENT])
def test_what_is_missing_gives_no_class(state: State) -> None:
    organ, spread = measured("hu_mean", "liver", 100.0, "HU"), measured("hu_sd", "liver", 20.0, "HU")
    lesion = missing("hu_mean", "liver_lesion", state, "HU")
    made = derive("attenuation_class", lesion=lesion, organ=organ, spread=spread)
    assert (made.state, made.value, made.reason) == (state, None, lesion.reason)
    said(made, lesion, organ, spread)


def test_other_quantities_and_places_are_refused() -> None:
    lesion = measured("hu_mean", "liver_lesion", 60.0, "HU")
    liver, spleen = (measured("hu_mean", name, 100.0, "HU") for name in ("liver", "spleen"))
    spread = measured("hu_sd", "liver", 20.0, "HU")
    wrong: list[dict[str, Any]] = [
        {"lesion": lesion, "organ": spleen, "spread": spread},
        {"lesion": liver, "organ": lesion, "spread": measured("hu_sd", "liver_lesion", 20.0, "HU")},
        {"lesion": lesion, "organ": spread, "spread": spread},
        {"lesion": measured("volume", "liver_lesion", 3.0), "organ": liver, "spread": spread},
    ]
    for one in wrong:
        with pytest.raises(ToolError):
            derive("attenuation_class", **one)


_number = st.floats(-200, 200)


@given(_number, st.floats(0, 30), st.floats(0, 20), st.floats(0, 5), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_every_class_within_the_intervals_is_named(
    difference: float, pm: float, band: float, band_pm: float, at: list[float]
) -> None:
    """Any point within the intervals has one of the classes that are possible."""
    low, high = max(band - band_pm, 0.0), band + band_pm
    spread = Interval(band, low, high)
    known = possible_classes(Interval(difference, difference - pm, difference + pm), spread)
    point = classify(difference - pm + 2 * pm * at[0], low + (high - low) * at[1])
    assert point in known
    assert classify(difference, band) in known
