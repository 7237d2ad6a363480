"""The rules' files: what is malformed is refused when it is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from agent.errors import UsageError
from tests.rule_make import thresholds
from tools.rules.model import Criterion, Rule, get_rule

KODAMA = "liver-steatosis-grade-kodama"


def test_an_unknown_rule_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="There is no rule 'nonsense'"):
        get_rule("nonsense")


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [2.0, 1.0], "verdicts": [False, True, False]},
        {"edges": [1.0, 1.0], "verdicts": [False, True, False]},
        {"verdicts": [False]},
        {"verdicts": [False, True, False]},
        {"at_edge": ["lower", "upper"]},
        {"at_edge": "middle"},
        {"edges": []},
        {"colour": "red"},
    ],
)
def test_a_malformed_criterion_is_refused(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "measure": {"structure": "$structure", "quantity": "volume"}, "unit": "cm3", "edges": [1.0],
        "verdicts": [False, True], "at_edge": "lower",
    }  # fmt: skip
    assert Criterion.model_validate(good).band(1.0) == 0
    with pytest.raises(ValidationError):
        Criterion.model_validate({**good, **change})


def test_a_rule_needs_words_for_every_verdict() -> None:
    whole = thresholds()["spleen-grade-bezerra"].model_dump()
    assert Rule.model_validate(whole)
    for broken in ({"text": {"normal": "is fine"}}, {"noun": None}):
        with pytest.raises(ValidationError):
            Rule.model_validate({**whole, **broken})
    grade = thresholds()[KODAMA].model_dump()
    with pytest.raises(ValidationError):
        Rule.model_validate({**grade, "severity": ("G0", "G1", "G2")})
