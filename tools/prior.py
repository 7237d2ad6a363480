"""The earlier scan, measured by the same tools."""

from __future__ import annotations

from typing import Any

from agent.errors import ToolError
from tools.base import Case, Maker, Tool, tool
from tools.change import PRIOR
from tools.registry import load_tools
from tools.types import Evidence

_MEASURED = "In the earlier scan, the {quantity} of the {target} was {value}{pm}.{note}"
_ABSENT = "In the earlier scan, no {target} was found: {reason}."


@tool(
    version="1",
    reads=("prior",),
    says={
        "prior_exists": {
            "true": "The earlier scan shows {a_target}.",
            "absent": _ABSENT,
            "not_measurable": "Whether the earlier scan shows {any_target} cannot be decided: {reason}.",
            "not_assessed": "Whether the earlier scan shows {any_target} was not assessed: {reason}.",
        },
        "prior_*": {
            "measured": _MEASURED,
            "absent": _ABSENT,
            "not_measurable": "In the earlier scan, the {quantity} of the {target} cannot be measured: "
            "{reason}.{at_least}{at_most}",
            "not_assessed": "In the earlier scan, the {quantity} of the {target} was not assessed: {reason}.",
        },
    },
)
def prior(case: Case, make: Maker, *, tool: str, structure: str) -> list[Evidence]:
    """What a measuring tool finds of a structure in the earlier scan; quantities begin with "prior_".

    Args:
        tool: name of a tool that looks at a scan or its labels and takes a structure.
        structure: canonical identifier.

    Raises:
        ToolError: without an earlier scan, and for tools that don't measure one structure of one scan.
    """
    inner = _measuring(tool)
    if case.prior is None:
        raise ToolError("no earlier scan was given (--prior)")
    found: list[Evidence] = []
    new_ids: dict[str, str] = {}
    for one in inner.call(case.prior, {"structure": structure}):
        kept: dict[str, Any] = {
            "value": one.value, "unit": one.unit, "uncertainty": one.uncertainty, "lower_bound": one.lower_bound,
            "reason": one.reason, "inputs": tuple(new_ids[ident] for ident in one.inputs if ident in new_ids),
        }  # fmt: skip
        # A slice of the earlier scan must never be shown as one of this scan.
        kept["details"] = {**one.details, "prior_slice": one.slice, "prior_version": one.version}
        method = f"{one.method}, in the earlier scan"
        moved = make(PRIOR + one.quantity, one.target, state=one.state, method=method, **kept)
        new_ids[one.id] = moved.id
        found.append(moved)
    return found


def _measuring(name: str) -> Tool:
    """The tool of this name; refused unless it measures one structure of one scan, which also rules out itself."""
    found = load_tools().get(name)
    if found is None or found.derives or "prior" in found.reads or "evidence" in found.reads:
        raise ToolError(f"{name} does not measure an earlier scan")
    schema = found.schema()
    if "structure" not in schema.get("properties", {}) or set(schema.get("required", ())) - {"structure"}:
        raise ToolError(f"{name} does not measure one structure")
    return found
