"""Rules that speak on a question which rules on another topic decide."""

from __future__ import annotations

from tools.rules.model import AnyRule, load_rules, rules_for
from tools.rules.table import Implied


def implied_on(topic: str, structure: str, lesion: str | None = None) -> list[AnyRule]:
    """Rules on other topics whose verdicts mean something for this one; arguments and order as in `rules_for`."""
    topics = sorted({one.topic for one in load_rules().values() if implied_by(one, topic) is not None})
    found = [rule for other in topics for rule in rules_for(other, structure, lesion)]
    return sorted((rule for rule in found if implied_by(rule, topic)), key=lambda rule: (rule.priority, rule.id))


def implied_by(rule: AnyRule, topic: str) -> Implied | None:
    """What a rule's verdicts mean for another topic; None where they mean nothing."""
    return next((one for one in rule.implies if one.topic == topic), None)
