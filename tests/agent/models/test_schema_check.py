from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.schema_check import misfit

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "q": {"type": "integer", "minimum": 0, "maximum": 9},
        "state": {"enum": ["measured", "absent"]},
        "value": {"anyOf": [{"type": ["number", "boolean"]}, {"type": "string", "maxLength": 5}, {"type": "null"}]},
        "ids": {"type": "array", "items": {"$ref": "#/$defs/id"}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
    },
    "required": ["q", "state"],
    "additionalProperties": False,
    "$defs": {"id": {"type": "string", "minLength": 2}},
}  # fmt: skip
GOOD: dict[str, Any] = {"q": 3, "state": "absent", "value": 1.5, "ids": ["e1", "e2"]}


@pytest.mark.parametrize("change", [{}, {"value": None}, {"value": True}, {"value": "five5"}, {"q": 3.0}])
def test_what_fits(change: dict[str, Any]) -> None:
    assert misfit(GOOD | change, SCHEMA) is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"q": "3"}, "/q: type"),
        ({"q": True}, "/q: type"),
        ({"q": 3.5}, "/q: type"),
        ({"q": 10}, "/q: maximum"),
        ({"q": -1}, "/q: minimum"),
        ({"state": "unknown"}, "/state: enum"),
        ({"state": None}, "/state: enum"),
        ({"value": "sixsix"}, "/value: anyOf"),
        ({"value": []}, "/value: anyOf"),
        ({"ids": []}, "/ids: minItems"),
        ({"ids": ["e1", "e2", "e3"]}, "/ids: maxItems"),
        ({"ids": ["e1", "e1"]}, "/ids: uniqueItems"),
        ({"ids": ["e"]}, "/ids/items: minLength"),
        ({"more": 1}, "all: additionalProperties"),
    ],
)
def test_what_does_not(change: dict[str, Any], where: str) -> None:
    assert misfit(GOOD | change, SCHEMA) == where


def test_what_is_missing_and_what_is_another_thing() -> None:
    assert misfit({"q": 1}, SCHEMA) == "all: required"
    others: tuple[Any, ...] = ([], "text", 1, None, True)
    for other in others:
        assert misfit(other, SCHEMA) == "all: type"


def test_true_is_not_one() -> None:
    assert misfit(True, {"enum": [1]}) is not None
    assert misfit(1, {"const": True}) is not None
    assert misfit(1.0, {"enum": [1]}) is None


def test_an_unknown_keyword_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="pattern"):
        misfit("x", {"pattern": "y"})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["q", "state", "value", "ids", "x"]), one),
)  # fmt: skip


@given(_JSON)
def test_any_data_is_judged_and_what_passes_is_what_was_asked_for(data: Any) -> None:
    if misfit(data, SCHEMA) is None:
        assert set(data) <= {"q", "state", "value", "ids"}
        assert not isinstance(data["q"], bool)
        assert 0 <= data["q"] <= 9
        assert data["state"] in {"measured", "absent"}
        assert all(isinstance(one, str) and len(one) >= 2 for one in data.get("ids", ["e1"]))
