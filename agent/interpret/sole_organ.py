"""The organ that a question means without naming it, since no other has rules on what it asks."""

from __future__ import annotations

from functools import cache

from agent.interpret.meaning import Slot
from agent.query import Kind, load_kinds
from tools.rules.model import load_rules
from tools.rules.table import ANY_ORGAN, TableRule


def sole_organ(kind: Kind) -> tuple[Slot, ...]:
    """The place of the organ that all rules behind a kind are on ("the steatosis grade": only the liver's is graded).

    Empty for kinds that do not ask rules about an organ, and where several organs have rules of the topic.
    """
    organ = _by_kind().get(kind.id)
    return (Slot((organ,), -1, -1),) if organ else ()


@cache
def _by_kind() -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in load_kinds().values():
        topics = {step.topic for step in kind.chain if step.topic is not None}
        rules = [rule for rule in load_rules().values() if rule.topic in topics]
        organs = {rule.structure for rule in rules}
        on_organs = not any(isinstance(rule, TableRule) and rule.lesion for rule in rules)
        if len(organs) == 1 and on_organs and ANY_ORGAN not in organs and kind.structures.max == 1:
            found[kind.id] = organs.pop()
    return found
