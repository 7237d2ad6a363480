"""What the verdict of a rule means for the question that rules on another topic decide."""

from __future__ import annotations

from typing import Any

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import cited
from tools.rules.implied import implied_by
from tools.rules.model import get_rule, quantity_of, verdict_key
from tools.rules.table import Implied, Verdict
from tools.types import Evidence, State

_OPEN = dict.fromkeys(("not_measurable", "not_assessed", "absent"), "{input_sentences}")


@tool(
    version="1",
    reads=("evidence",),
    says={
        "*": {
            "true": "{input_sentences} For what is asked here, this means yes.",
            "false": "{input_sentences} For what is asked here, this means no.",
            "measured": "{input_sentences} For what is asked here, this means: {value}.",
            **_OPEN,
        }
    },
)
def implied_verdict(case: Facts, make: Maker, *, topic: str, verdict: EvidenceId) -> list[Evidence]:
    """The verdict on a topic that follows from the verdict of a rule on another, as that rule's file declares it.

    A verdict that is still open between several decides here if all of them mean the same.

    Args:
        topic: what is asked.
        verdict: evidence id of the other rule's verdict.

    Raises:
        ToolError: where the rule behind the verdict implies nothing on the topic.
    """
    one = cited(case, verdict)
    rule = get_rule(str(one.details.get("rule")))
    implied = implied_by(rule, topic)
    if implied is None:
        raise ToolError(f"rule {rule.id} implies nothing on {topic}")
    details: dict[str, Any] = {
        "rule": rule.id, "rule_version": rule.version, "source": rule.source, "implied_by": rule.topic,
    }  # fmt: skip
    common: dict[str, Any] = {"inputs": (verdict,), "method": one.method, "details": details}
    meant = _meant(implied, one)
    quantity = quantity_of(topic)
    value = meant[0] if len(meant) == 1 else None
    if value is None:
        state, reason = one.state, one.reason
        if state is State.MEASURED:
            state, reason = State.NOT_MEASURABLE, "the verdict of the rule says nothing on what is asked"
        return [make(quantity, one.target, state=state, reason=reason, **common)]
    details["normal"] = bool(one.details.get("normal", one.value in rule.normal))
    if "text" in one.details:
        details["text"] = one.details["text"]
    readings = one.details.get("borderline")
    within = _all(implied, readings) if isinstance(readings, list) else []
    details["borderline"] = sorted(str(reading) for reading in within) if len(within) > 1 else []
    return [make(quantity, one.target, state=State.MEASURED, value=value, **common)]


def _meant(implied: Implied, one: Evidence) -> list[Verdict | None]:
    """What the verdict, or each that it may still turn out to be, means; empty where that is not known."""
    if one.value is not None:
        return _all(implied, [one.value])
    possible = one.details.get("possible")
    if not isinstance(possible, list) or one.details.get("unlisted") or one.details.get("refused"):
        return []
    return _all(implied, possible)


def _all(implied: Implied, verdicts: list[Any]) -> list[Verdict | None]:
    # Rules of thresholds list a yes or no by its name.
    keys = [verdict_key(one) if isinstance(one, bool) else str(one) for one in verdicts]
    return list(dict.fromkeys(implied.verdicts.get(key, implied.verdicts.get(key.lower())) for key in keys))
