"""Verdicts of rules on another topic are heard where they mean something here, and told where they differ."""

from __future__ import annotations

import pytest

from agent.errors import ToolError
from tests.evidence_make import at_least, derive, measured
from tests.rule_make import KODAMA, SEVERITY, apply, given_for
from tools.rules.implied import implied_on
from tools.rules.model import check_together, load_rules
from tools.rules.table import Implied
from tools.types import Evidence, State

RATIO = "liver-fatty-ratio"


def fatty(hu: float, ratio: float, prefer: tuple[str, ...] = ()) -> tuple[Evidence, Evidence]:
    """What the grade means, and the weighed verdict of the ratio and the grade."""
    grade = apply(KODAMA, given_for(KODAMA, hu, ratio))
    implied = derive("implied_verdict", grade, topic="fatty", verdict=grade)
    own = apply(RATIO, given_for(RATIO, ratio))
    return implied, derive("weigh_rules", implied, prefer=prefer, verdicts=[own, implied])


@pytest.mark.parametrize(
    ("hu", "ratio", "meant"), [(44.5, 1.36, True), (57.0, 1.2, True), (60.0, 1.2, False), (60.0, 0.9, True)]
)
def test_a_grade_means_a_yes_or_no(hu: float, ratio: float, meant: bool) -> None:
    implied, _ = fatty(hu, ratio)
    assert (implied.quantity, implied.target, implied.value) == ("verdict", "liver", meant)
    assert (implied.details["source"], implied.details["normal"]) == ("Kodama", not meant)


def test_a_grade_that_differs_is_told_and_the_first_source_answers() -> None:
    implied, made = fatty(44.5, 1.36)
    assert (made.value, made.details["source"], made.details["disagree"]) == (False, "liver-to-spleen-ratio", True)
    assert "told" not in made.details and implied.id in made.inputs
    assert made.details["normal"] is False
    preferred = fatty(44.5, 1.36, ("Kodama",))[1]
    assert (preferred.value, preferred.details["source"], preferred.details["disagree"]) == (True, "Kodama", True)


def test_a_grade_that_says_the_same_is_heard_but_not_told() -> None:
    implied, made = fatty(60.0, 1.2)
    assert (made.value, made.details["disagree"]) == (False, False)
    assert implied.id in made.inputs
    assert made.details["told"] == [made.inputs[0]]
    # Chosen by its source, it is the answer and has to be told.
    assert implied.id in fatty(60.0, 1.2, ("Kodama",))[1].inputs
    assert "told" not in fatty(60.0, 1.2, ("Kodama",))[1].details


def size(volume: Evidence, prefer: tuple[str, ...] = ()) -> Evidence:
    own = apply("pancreas-normal-knowledge-base", [volume])
    enlarged = apply("pancreas-enlarged-radgpt", [volume])
    implied = derive("implied_verdict", enlarged, topic="normal_size", verdict=enlarged)
    return derive("weigh_rules", implied, prefer=prefer, verdicts=[own, implied])


def test_a_verdict_that_means_nothing_here_is_neither_told_nor_chosen() -> None:
    """What is not enlarged may still be small: only an enlarged organ is not of normal size."""
    for prefer in ((), ("RadGPT",)):
        made = size(measured("volume", "pancreas", 60.0), prefer)
        assert (made.value, made.details["source"], made.details["disagree"]) == (True, "knowledge-base", False)
        assert made.details["told"] == [made.inputs[0]]
    made = size(measured("volume", "pancreas", 90.0))
    assert (made.value, made.details["disagree"]) == (True, True)
    assert size(measured("volume", "pancreas", 90.0), ("RadGPT",)).value is False


def test_an_open_verdict_stays_open() -> None:
    enlarged = apply("pancreas-enlarged-radgpt", [at_least("volume", "pancreas", 50.0)])
    implied = derive("implied_verdict", enlarged, topic="normal_size", verdict=enlarged)
    assert (implied.state, implied.value, implied.reason) == (State.NOT_MEASURABLE, None, enlarged.reason)


def test_a_borderline_grade_is_borderline_only_if_it_may_mean_something_else() -> None:
    def implied(hu: float) -> Evidence:
        ratio = measured("hu_mean_ratio", "liver+spleen", 1.2, "1", 0.01)
        grade = apply(KODAMA, [measured("hu_mean", "liver", hu, "HU", 1.0), ratio])
        assert grade.details["borderline"]
        return derive("implied_verdict", grade, topic="fatty", verdict=grade)

    assert implied(51.2).details["borderline"] == []
    assert implied(58.2).details["borderline"] == ["False", "True"]


def test_a_rule_that_implies_nothing_is_refused() -> None:
    grade = apply(KODAMA, given_for(KODAMA, 44.5, 1.36))
    with pytest.raises(ToolError, match="implies nothing on enlarged"):
        derive("implied_verdict", grade, topic="enlarged", verdict=grade)


def test_rules_are_found_for_their_own_organ_only() -> None:
    assert [rule.id for rule in implied_on("fatty", "liver")] == [SEVERITY, KODAMA]
    assert implied_on("fatty", "pancreas") == []
    assert [rule.id for rule in implied_on("normal_size", "kidney")] == ["kidney-enlarged-radgpt"]


@pytest.mark.parametrize(
    ("topic", "verdicts"),
    [
        ("fatty_grade", {"G0": "G1"}),
        ("fatty", {"G7": True}),
        ("fatty", {"G1": "perhaps"}),
        ("no_such_topic", {"G1": True}),
    ],
)
def test_what_no_rule_decides_cannot_be_implied(topic: str, verdicts: dict[str, bool | str]) -> None:
    strange = load_rules()[KODAMA].model_copy(update={"implies": (Implied(topic=topic, verdicts=verdicts),)})
    with pytest.raises(ValueError, match="is decided by no rule"):
        check_together([*(rule for rule in load_rules().values() if rule.id != KODAMA), strange])
