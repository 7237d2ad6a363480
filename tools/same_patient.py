"""Whether the earlier scan is known to be of the same patient."""

from __future__ import annotations

from agent.errors import ToolError
from tools.base import Case, Maker, tool
from tools.types import Evidence, State


@tool(
    version="1",
    reads=("prior",),
    says={
        "same_patient": {
            "true": "By the headers of their files, the earlier scan is of the same patient.",
            "not_assessed": "Whether the earlier scan is of the same patient was not assessed: {reason}.",
        }
    },
)
def same_patient(case: Case, make: Maker) -> list[Evidence]:
    """Whether the headers of both scans name the same patient; another one is refused when the scans are opened.

    Raises:
        ToolError: without an earlier scan.
    """
    if case.prior is None:
        raise ToolError("no earlier scan was given (--prior)")
    method = "patient's number, birth date and sex in the headers of both scans, compared and not kept"
    if case.same_patient:
        return [make("same_patient", "scan", state=State.MEASURED, value=True, method=method)]
    reason = "the two scans were taken to be of the same patient, which their files do not tell"
    return [make("same_patient", "scan", state=State.NOT_ASSESSED, reason=reason, method=method)]
