"""Evidence for tests of the tools that derive values."""

from __future__ import annotations

from typing import Any

from tools.base import CaseSettings, Facts
from tools.registry import load_tools
from tools.types import Evidence, Scalar, State


def measured(
    quantity: str, target: str, value: Scalar, unit: str | None = "cm3", margin: float | None = None
) -> Evidence:
    """A measured value."""
    return _make(quantity, target, State.MEASURED, value=value, unit=unit, uncertainty=margin)


def at_least(quantity: str, target: str, bound: float, unit: str = "cm3") -> Evidence:
    """A structure that is cut off."""
    return _make(quantity, target, State.NOT_MEASURABLE, lower_bound=bound, unit=unit, reason="it is cut off")


def missing(quantity: str, target: str, state: State, unit: str | None = "cm3") -> Evidence:
    """Nothing is known but the state."""
    return _make(quantity, target, state, unit=unit, reason=f"reason for {target}")


def _make(quantity: str, target: str, state: State, **more: Any) -> Evidence:
    return Evidence.make(
        tool="test", version="1", quantity=quantity, target=target, state=state, method="made for a test", **more
    )


def derive(tool: str, *given: Evidence, prefer: tuple[str, ...] = (), **arguments: Any) -> Evidence:
    """Result of a deriving tool; evidence among the arguments is handed over by its id."""
    known = {one.id: one for one in given}

    def plain(value: Any) -> Any:
        if isinstance(value, Evidence):
            known[value.id] = value
            return value.id
        return [plain(item) for item in value] if isinstance(value, list) else value

    plain_arguments = {name: plain(value) for name, value in arguments.items()}
    facts = Facts(evidence=known, settings=CaseSettings(prefer=prefer))
    return load_tools()[tool].call(facts, plain_arguments)[-1]
