"""The program's measuring tools as functions that a chat model can call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pydantic
from pydantic import JsonValue

from agent.errors import TumorTraceError
from tools.base import Case
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.types import Evidence
from tools.units import number_text

OFFERED = ("measure_structure", "measure_axes", "presence", "lesion_components", "lesion_table", "contrast_phase")
"""Tools that take a structure, or nothing at all."""
MOST_TEXT = 1500
_PARAMETERS = {"type": "object", "properties": {"structure": {"type": "string", "maxLength": 60}}}


def functions() -> list[dict[str, Any]]:
    """The tools in the form of the chat API."""
    made = []
    for name in OFFERED:
        tool = load_tools()[name]
        wanted = [one for one in tool.arguments.model_fields if one == "structure"]
        parameters = {**_PARAMETERS, "required": wanted} if wanted else {"type": "object", "properties": {}}
        made.append(
            {"type": "function", "function": {"name": name, "description": tool.description, "parameters": parameters}}
        )
    return made


def call(case: Case, name: str, arguments: str) -> str:
    """What a function returns, as text: rows of what was determined, or why it could not be done."""
    tool = load_tools().get(name) if name in OFFERED else None
    if tool is None:
        return "There is no such function."
    try:
        given = json.loads(arguments or "{}")
        if not isinstance(given, dict):
            return "The arguments are no JSON object."
        made = tool.call(case, _named(given, tool.arguments.model_fields))
    except (ValueError, RecursionError, pydantic.ValidationError):
        return "The arguments do not fit the function."
    except TumorTraceError as error:
        return str(error)[:MOST_TEXT]
    return json.dumps([_row(one) for one in made], ensure_ascii=False)[:MOST_TEXT]


def _named(given: Mapping[str, JsonValue], known: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Arguments that the function has, the structure under its identifier."""
    plain = {name: value for name, value in given.items() if name in known}
    words = plain.get("structure")
    if isinstance(words, str):
        plain["structure"] = load_ontology().normalise(words) or words
    return plain


def _row(one: Evidence) -> dict[str, JsonValue]:
    value: JsonValue = one.value
    if isinstance(value, float):
        value = number_text(value, one.unit)
    row: dict[str, JsonValue] = {"what": one.quantity, "of": one.target, "value": value, "unit": one.unit,
                                 "state": one.state.value}  # fmt: skip
    return {key: item for key, item in row.items() if item is not None}
