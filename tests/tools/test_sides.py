"""Which of two is larger, which side bears more: margins, bounds and the four states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ToolError
from tests.evidence_make import at_least, derive, measured, missing
from tests.said import said
from tools.types import Evidence, State


def _kidneys(left: float, right: float, margin: float | None = None) -> tuple[Evidence, Evidence]:
    return measured("volume", "kidney_left", left, margin=margin), measured(
        "volume", "kidney_right", right, margin=margin
    )


def _burdens(left: float, right: float, margin: float | None = None) -> tuple[Evidence, Evidence]:
    names = ("kidney_lesion_left", "kidney_lesion_right")
    return measured("volume", names[0], left, margin=margin), measured("volume", names[1], right, margin=margin)


class TestLarger:
    """A margin of 5 % of the larger value."""

    @pytest.mark.parametrize(
        ("left", "right", "value"),
        [
            (100.0, 95.0, "about the same"),  # exactly the margin
            (100.0, 94.9, "left kidney"),
            (95.1, 100.0, "about the same"),
            (94.9, 100.0, "right kidney"),
            (190.0, 200.0, "about the same"),
            (0.0, 0.0, "about the same"),
            (1.0, 0.0, "left kidney"),
        ],
    )
    def test_at_the_margin_and_beside_it(self, left: float, right: float, value: str) -> None:
        first, second = _kidneys(left, right)
        made = derive("same_or_larger", first=first, second=second)
        assert (made.quantity, made.state, made.value) == ("larger_of", State.MEASURED, value)
        assert made.target == "kidney_left+kidney_right"
        assert made.details["margin_percent"] == 5.0
        assert value in said(made, first, second)

    def test_it_names_the_margin_and_where_it_is_from(self) -> None:
        first, second = _kidneys(100.0, 80.0)
        made = derive("same_or_larger", first=first, second=second)
        assert (made.details["rule"], made.details["difference_percent"]) == ("volume-same-margin", 20.0)
        assert made.details["structures"] == ["kidney_left"]
        assert "TumorTrace default" in said(made, first, second)

    def test_the_uncertainty_names_both_readings(self) -> None:
        first, second = _kidneys(100.0, 94.0, margin=2.0)
        made = derive("same_or_larger", first=first, second=second)
        assert (made.value, made.details["borderline"]) == ("left kidney", ["left kidney", "about the same"])
        assert "left kidney or about the same" in said(made, first, second)
        clear = derive("same_or_larger", first=_kidneys(100.0, 60.0, 2.0)[0], second=_kidneys(100.0, 60.0, 2.0)[1])
        assert clear.details["borderline"] == []

    def test_a_bound_that_decides_decides(self) -> None:
        cut, whole = at_least("volume", "kidney_left", 200.0), measured("volume", "kidney_right", 150.0)
        made = derive("same_or_larger", first=cut, second=whole)
        assert (made.state, made.value) == (State.MEASURED, "left kidney")
        assert said(made, cut, whole)
        small = at_least("volume", "kidney_left", 152.0)
        open_ = derive("same_or_larger", first=small, second=whole)
        assert (open_.state, open_.value) == (State.NOT_MEASURABLE, None)

    @pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE])
    def test_what_is_missing_is_never_smaller(self, state: State) -> None:
        lost, there = missing("volume", "kidney_left", state), measured("volume", "kidney_right", 150.0)
        made = derive("same_or_larger", first=lost, second=there)
        assert (made.state, made.value) == (state, None)
        assert said(made, lost, there)

    def test_only_the_same_quantity_is_compared(self) -> None:
        left = measured("volume", "kidney_left", 150.0)
        for other in (measured("hu_mean", "kidney_right", 30.0, "HU"), measured("volume", "kidney_right", 150, "mm3")):
            with pytest.raises(ToolError):
                derive("same_or_larger", first=left, second=other)
        with pytest.raises(ToolError):
            derive("same_or_larger", first=measured("hu_mean", "liver", -5.0, "HU"),
                   second=measured("hu_mean", "spleen", 3.0, "HU"))  # fmt: skip

    @given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 100), st.floats(0, 1), st.floats(0, 1))
    def test_every_outcome_within_the_uncertainty_is_named(
        self, left: float, right: float, margin: float, a: float, b: float
    ) -> None:
        made = derive("same_or_larger", first=_kidneys(left, right, margin)[0], second=_kidneys(left, right, margin)[1])
        first, second = (max(x - margin + 2 * margin * at, 0.0) for x, at in ((left, a), (right, b)))
        point = derive("same_or_larger", first=_kidneys(first, second)[0], second=_kidneys(first, second)[1])
        readings = made.details["borderline"] or [made.value]
        assert isinstance(readings, list)
        # a point right on the edge may fall to either side by rounding
        share = abs(first - second) / max(first, second, 1e-9)
        assert point.value in readings or abs(share - 0.05) < 1e-6 or made.value == point.value


class TestAsymmetry:
    """Twice as much is substantially more."""

    @pytest.mark.parametrize(
        ("left", "right", "value"),
        [
            (4.0, 2.0, "left kidney"),  # exactly twice
            (3.99, 2.0, "symmetric"),
            (2.0, 4.01, "right kidney"),
            (3.0, 3.0, "symmetric"),
            (0.0, 0.1, "right kidney"),
            (0.0, 0.0, "neither has any"),
        ],
    )
    def test_at_the_factor_and_beside_it(self, left: float, right: float, value: str) -> None:
        first, second = _burdens(left, right)
        made = derive("asymmetry", first=first, second=second)
        assert (made.quantity, made.state, made.value) == ("asymmetry", State.MEASURED, value)
        assert made.details["rule"] == "lesion-burden-asymmetry"
        assert value in said(made, first, second)
        expected = [f"kidney_{value.partition(' ')[0]}"] if "kidney" in value else []
        assert made.details["structures"] == (expected or made.details["structures"])

    def test_what_was_looked_for_and_is_absent_counts_as_none(self) -> None:
        gone = [missing("volume", f"kidney_lesion_{side}", State.ABSENT) for side in ("left", "right")]
        assert derive("asymmetry", first=gone[0], second=gone[1]).value == "neither has any"
        there = measured("volume", "kidney_lesion_right", 0.4, margin=0.1)
        made = derive("asymmetry", first=gone[0], second=there)
        assert (made.value, made.details["borderline"]) == ("right kidney", [])
        assert said(made, gone[0], there)

    @pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.NOT_MEASURABLE])
    def test_what_nobody_saw_is_not_none(self, state: State) -> None:
        lost = missing("volume", "kidney_lesion_left", state)
        for other in (measured("volume", "kidney_lesion_right", 9.0),
                      missing("volume", "kidney_lesion_right", State.ABSENT)):  # fmt: skip
            made = derive("asymmetry", first=lost, second=other)
            assert (made.state, made.value) == (state, None)
            assert made.reason == lost.reason

    def test_bounds_decide_where_they_can(self) -> None:
        cut = at_least("volume", "kidney_lesion_left", 10.0)
        assert (
            derive("asymmetry", first=cut, second=measured("volume", "kidney_lesion_right", 4.0)).value == "left kidney"
        )
        open_ = derive("asymmetry", first=cut, second=measured("volume", "kidney_lesion_right", 9.0))
        assert open_.state is State.NOT_MEASURABLE

    def test_counts_can_be_compared_too(self) -> None:
        first, second = (measured("lesion_count", f"kidney_lesion_{s}", n, "1") for s, n in (("left", 1), ("right", 3)))
        made = derive("asymmetry", first=first, second=second)
        assert (made.value, made.details["structures"]) == ("right kidney", ["kidney_right"])
