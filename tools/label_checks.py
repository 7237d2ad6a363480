"""What the labels say about themselves: their source, and what limits every result that rests on them."""

from __future__ import annotations

from tools.base import Case, Maker, tool
from tools.types import Evidence, State


@tool(
    version="1",
    reads=("labels", "label_source"),
    says={
        "labels": {
            "measured": "The structures come from {value}.",
            "not_assessed": "No structure was assessed: {reason}.",
        }
    },
)
def label_checks(case: Case, make: Maker) -> list[Evidence]:
    """Source and limitations of the labels."""
    method = "as found when the labels were read"
    if case.labels is None:
        reason = "no label map or segmentation was given"
        return [make("labels", "scan", state=State.NOT_ASSESSED, reason=reason, method=method)]
    # What a person added where nothing had looked denies nothing.
    declared = sorted(case.labels.entries.keys() - case.labels.drawn)
    return [
        make(
            "labels", "scan", state=State.MEASURED, value=case.labels.source, method=method,
            details={"notes": list(case.labels.notes), "declared": declared},
        )
    ]  # fmt: skip
