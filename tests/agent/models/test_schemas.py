"""The forms that a model fills in are small, flat and bounded, and the reader knows every keyword of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from agent.models.schema_check import misfit
from agent.models.schemas import (
    conclude_schema,
    critique_schema,
    plan_schema,
    reading_schema,
    reply_schema,
)
from agent.models.table import build_table
from agent.state import RunState
from tests.agent.worlds import World


def every(schema: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[Mapping[str, Any], int]]:
    yield schema, depth
    for inner in schema.get("properties", {}).values():
        yield from every(inner, depth + 1)
    if "items" in schema:
        yield from every(schema["items"], depth)


@pytest.fixture
def schemas(world: World, everything: RunState) -> list[dict[str, Any]]:
    asked = build_table(world.alone(0, 1, 2))
    return [
        conclude_schema(asked, options=4, pathology=None),
        conclude_schema(build_table(everything), options=0, pathology=["tumor", "cyst"]),
        reading_schema(),
        plan_schema(["presence"], ["liver"]),
        critique_schema(["c1"], ["e1"]),
        reply_schema(5),
    ]


def test_forms_are_flat_and_bounded(schemas: list[dict[str, Any]]) -> None:
    for schema in schemas:
        assert len(json.dumps(schema)) < 8000
        for part, depth in every(schema):
            assert depth <= 2
            kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
            if "object" in kinds:
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
            if "array" in kinds:
                assert part["maxItems"] <= 64
            if "string" in kinds:
                assert "enum" in part or part["maxLength"] <= 64


def test_the_reader_knows_the_forms(schemas: list[dict[str, Any]]) -> None:
    for schema in schemas:
        assert misfit({}, schema) is not None
    reading = {
        "kind": "volume", "structures": ["liver"], "number": None, "upper": None, "unit": None, "comparator": None,
        "wanted": None, "negated": False,
    }  # fmt: skip
    assert misfit(reading, reading_schema()) is None
    assert misfit(reading | {"kind": "poem"}, reading_schema()) is not None
    assert misfit({"sentences": [1, 5]}, reply_schema(5)) is None
    assert misfit({"sentences": [6]}, reply_schema(5)) is not None


def test_only_what_is_shown_can_be_named(world: World) -> None:
    table = build_table(world.only("volume", "liver"))
    schema = conclude_schema(table, options=0, pathology=None)
    alias = table.rows[0].alias
    answer = {"q": 1, "evidence": alias, "value": "1", "unit": "cm³", "state": "measured"}
    assert misfit({"answers": [answer]}, schema) is None
    for wrong in ({"q": 2}, {"evidence": "e9999"}, {"unit": "litres"}, {"state": "gone"}, {"value": "x" * 100}):
        assert misfit({"answers": [answer | wrong]}, schema) is not None
    assert misfit({"answers": []}, schema) is not None


def test_what_no_row_has_is_not_asked_for(world: World) -> None:
    known = build_table(world.only("volume", "liver"))
    nothing = replace(known.rows[0], value="", one=known.rows[0].one.model_copy(update={"unit": None}))
    right = known.asked[0].right.model_copy(update={"value": None})
    table = replace(known, rows=(nothing,), asked=(replace(known.asked[0], right=right),))
    form = conclude_schema(table, options=0, pathology=None)["properties"]["answers"]["items"]["properties"]
    assert list(form) == ["q", "evidence", "state"]
    full = conclude_schema(known, options=0, pathology=None)["properties"]["answers"]["items"]["properties"]
    assert list(full) == ["q", "evidence", "value", "unit", "state"]
