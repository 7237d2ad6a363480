"""What a person may say, and what is refused at the door with one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from agent.errors import UsageError
from agent.review_model import Decision, read_decision
from tests.scan_make import refused

EDIT = {"kind": "remove", "structure": "vertebrae_L1", "point": [1, 2, 3]}


@pytest.mark.parametrize(
    "data",
    [
        {"reviewer": " Dr.\tRoe ", "kind": "approve"},
        {"reviewer": "Ж", "kind": "approve", "about": "answer-1", "reason": "as I see it"},
        {"reviewer": "R", "kind": "override", "reason": "why", "says": "what\nelse"},
        {"reviewer": "R", "kind": "override", "reason": "why", "pathology": {"ct": "T2", "stage": "II"}},
        {"reviewer": "R", "kind": "correct", "reason": "why", "edits": [EDIT, {**EDIT, "kind": "add", "radius_mm": 1}]},
    ],
)
def test_a_decision_is_taken(data: dict[str, Any]) -> None:
    made = read_decision(data)
    assert made == Decision.model_validate(made.model_dump())
    assert made.reviewer == " ".join(data["reviewer"].split())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"reviewer": ""}, "reviewer"),
        ({"reviewer": "R" * 81}, "reviewer"),
        ({"reviewer": "R\x1b[31m"}, "printable"),
        ({"kind": "destroy"}, "kind"),
        ({"kind": "override"}, "needs a reason"),
        ({"kind": "correct", "reason": "why"}, "edits"),
        ({"says": "something"}, "overrides"),
        ({"edits": [EDIT]}, "edits"),
        ({"kind": "correct", "reason": "why", "edits": [EDIT] * 51}, "edits"),
        ({"kind": "correct", "reason": "why", "edits": [{**EDIT, "point": [float("nan"), 0, 0]}]}, "point"),
        ({"kind": "correct", "reason": "why", "edits": [{**EDIT, "point": [0, 0]}]}, "point"),
        ({"kind": "correct", "reason": "why", "edits": [{**EDIT, "radius_mm": 101}]}, "radius"),
        ({"kind": "correct", "reason": "why", "edits": [{**EDIT, "radius_mm": 0.5}]}, "radius"),
        ({"kind": "correct", "reason": "why", "edits": [{**EDIT, "structure": "liver_lesion#1"}]}, "structure"),
        ({"reason": "x" * 2001}, "reason"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_no_decision_is_refused_with_a_sentence(change: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError) as error:
        read_decision({"reviewer": "R", "kind": "approve", **change})
    assert what in refused(error.value)
