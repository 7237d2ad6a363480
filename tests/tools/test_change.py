"""Changes since an earlier scan: values, bounds, and what is no longer there."""

from __future__ import annotations

import math

import pytest

from agent.errors import ToolError
from tests.evidence_make import at_least, derive, measured, missing
from tests.said import said
from tools.intervals import Interval, interval
from tools.types import State

NOW = measured("volume", "liver", 150.0, margin=3.0)
BEFORE = measured("prior_volume", "liver", 120.0, margin=6.0)


def test_a_change_is_told_in_percent_of_the_earlier_value() -> None:
    made = derive("percent_change", now=NOW, before=BEFORE)
    assert (made.quantity, made.target, made.unit, made.value) == ("volume_change", "liver", "%", 25.0)
    assert made.uncertainty == pytest.approx(100 * math.hypot(3 / 120, 1.25 * 6 / 120), abs=1e-4)
    assert made.inputs == (NOW.id, BEFORE.id)
    text = said(made, NOW, BEFORE)
    assert "volume of the liver has changed by 25.0 %" in text
    assert "it was 120.0 cm³ in the earlier scan and is 150.0 cm³ now" in text


def test_a_loss_is_negative() -> None:
    half = measured("volume", "liver", 60.0)
    assert derive("percent_change", now=half, before=BEFORE).value == -50.0


def test_bounds_give_bounds() -> None:
    grown = derive("percent_change", now=at_least("volume", "liver", 189.0), before=BEFORE)
    assert (grown.state, grown.value) == (State.NOT_MEASURABLE, None)
    assert grown.lower_bound == pytest.approx(50.0)  # against the most that it may have been
    shrunk = derive("percent_change", now=NOW, before=at_least("prior_volume", "liver", 306.0))
    assert interval(shrunk) == Interval(None, -100.0, -50.0)
    open_ = derive(
        "percent_change", now=at_least("volume", "liver", 10.0), before=at_least("prior_volume", "liver", 10.0)
    )
    assert interval(open_) is None
    for one in (grown, shrunk, open_):
        said(one, NOW, BEFORE, at_least("volume", "liver", 189.0), at_least("prior_volume", "liver", 306.0),
             at_least("volume", "liver", 10.0), at_least("prior_volume", "liver", 10.0))  # fmt: skip


def test_what_is_no_longer_found_has_lost_all_of_its_size() -> None:
    gone = missing("volume", "liver_lesion", State.ABSENT)
    before = measured("prior_volume", "liver_lesion", 4.0, margin=0.5)
    made = derive("percent_change", now=gone, before=before)
    assert (made.state, made.value, made.reason) == (State.MEASURED, -100.0, "it is no longer found")
    hu = derive(
        "percent_change", now=missing("hu_mean", "liver_lesion", State.ABSENT, "HU"),
        before=measured("prior_hu_mean", "liver_lesion", 40.0, "HU"),
    )  # fmt: skip
    assert hu.state is State.ABSENT


@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE])
def test_without_an_earlier_value_there_is_no_change(state: State) -> None:
    made = derive("percent_change", now=NOW, before=missing("prior_volume", "liver", state))
    assert (made.state, made.value) == (state, None)
    assert made.reason == "in the earlier scan, reason for liver"
    unseen = derive("percent_change", now=missing("volume", "liver", State.NOT_ASSESSED), before=BEFORE)
    assert (unseen.state, unseen.value) == (State.NOT_ASSESSED, None)
    assert unseen.reason == "reason for liver"


def test_nothing_can_be_told_in_percent_of_nothing() -> None:
    nothing = measured("prior_volume", "liver", 1.0, margin=1.0)
    made = derive("percent_change", now=NOW, before=nothing)
    assert (made.state, made.value) == (State.NOT_MEASURABLE, None)


def test_two_different_things_have_no_change() -> None:
    for before in (
        measured("prior_hu_mean", "liver", 50.0, "HU"),
        measured("prior_volume", "spleen", 120.0),
        measured("prior_volume", "liver", 120.0, "mm3"),
    ):
        with pytest.raises(ToolError):
            derive("percent_change", now=NOW, before=before)
