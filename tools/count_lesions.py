"""How many of the lesions that were listed one by one are larger or smaller than a size."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.compare import Comparator, holds
from tools.intervals import Interval, cited, interval
from tools.types import Evidence, State
from tools.units import convert, dimension

_Rows = Annotated[list[EvidenceId], Field(min_length=1, max_length=256)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_WORDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
_OF = "The number of {targets} whose {detail.what} is {detail.how} {in1.value}{detail.joined}{detail.upper_text}"


@tool(
    version="1",
    reads=("evidence",),
    says={
        "threshold": {"measured": "The number to compare with is {value}."},
        "lesion_count_sized": {
            "measured": _OF + " is {value}.{note}",
            "not_measurable": _OF + " cannot be told: {reason}.{at_least}",
            "not_assessed": "The {targets} were not assessed: {reason}.",
            "absent": "No {target} was found: {reason}.",
        },
    },
)
def count_lesions(
    case: Facts,
    make: Maker,
    *,
    items: _Rows,
    comparator: Comparator,
    number: _Number,
    unit: str | None = None,
    upper: _Number | None = None,
) -> list[Evidence]:
    """Count the lesions of a list by size: by the longest axial diameter for a length, by the volume for a volume.

    A lesion that is cut off counts where what is seen of it decides. Lesions whose interval holds the limit are told
    in the details as borderline.

    Args:
        items: evidence ids of a lesion table and of its lesions.
        comparator: gt, lt, ge or le.
        number: the limit.
        unit: its unit (a length or a volume); None for mm.
        upper: upper limit, included, where a range is asked for.

    Raises:
        ToolError: without a lesion table, or for a unit of another dimension.
    """
    rows = [cited(case, item) for item in items]
    table = next((row for row in rows if row.quantity == "lesion_table"), None)
    if table is None:
        raise ToolError("lesions can be counted by size only from a list of them")
    own = unit or "mm"
    if dimension(own) not in {dimension("mm"), dimension("cm3")}:
        raise ToolError(f"the size of a lesion cannot be compared with a number in {own}")
    by_volume = dimension(own) == dimension("cm3")
    limits = [convert(limit, own, "cm3" if by_volume else "mm") for limit in (number, upper) if limit is not None]
    asked = [
        make("threshold", table.target, state=State.MEASURED, value=limit, unit=own, method="named in the question")
        for limit in (number, upper) if limit is not None
    ]  # fmt: skip
    lesions = [row for row in rows if row.quantity == "lesion"]
    inputs = (table.id, *(one.id for one in asked), *(row.id for row in lesions))
    common: dict[str, Any] = {"unit": "1", "inputs": inputs, "method": "count of the listed lesions by size"}
    details: dict[str, Any] = {
        "what": "volume" if by_volume else "longest axial diameter", "how": _WORDS[comparator],
        "joined": " and at most " if upper is not None else "",
        "upper_text": f"{upper:g} {own}" if upper is not None else "",
    }  # fmt: skip
    if table.state is not State.MEASURED:
        value = 0 if table.state is State.ABSENT else None
        return [*asked, make("lesion_count_sized", table.target, state=table.state, value=value, reason=table.reason,
                             details=details, **common)]  # fmt: skip
    told = [_counts(_size(row, by_volume=by_volume), comparator, limits) for row in lesions]
    sure = sum(one is True for one in told)
    details["borderline"] = any(_near(_size(row, by_volume=by_volume), limits) for row in lesions)
    if any(one is None for one in told) or table.details.get("unlisted"):
        reason = "a lesion is cut off or not listed, and what is seen of it does not decide"
        return [*asked, make("lesion_count_sized", table.target, state=State.NOT_MEASURABLE, lower_bound=float(sure),
                             reason=reason, details=details, **common)]  # fmt: skip
    return [*asked, make("lesion_count_sized", table.target, state=State.MEASURED, value=sure, reason=table.reason,
                         details=details, **common)]  # fmt: skip


def _size(row: Evidence, *, by_volume: bool) -> Interval | None:
    """Volume in cm³ or longest axial diameter in mm; of a lesion that is cut off only a lower bound."""
    if by_volume:
        return interval(row)
    value, margin = row.details.get("long_axis_mm"), row.details.get("long_axis_pm_mm")
    if not isinstance(value, int | float):
        return None
    if row.state is not State.MEASURED:
        return Interval(None, float(value), math.inf)
    pm = float(margin) if isinstance(margin, int | float) else 0.0
    return Interval(float(value), float(value) - pm, float(value) + pm)


def _counts(size: Interval | None, comparator: Comparator, limits: list[float]) -> bool | None:
    """Whether a size counts; None where that is open."""
    if size is None:
        return None
    told = [holds(size, Interval(limits[0], limits[0], limits[0]), comparator)]
    if len(limits) > 1:
        told.append(holds(size, Interval(limits[1], limits[1], limits[1]), "le"))
    if any(one is False for one in told):
        return False
    return True if all(told) else None


def _near(size: Interval | None, limits: list[float]) -> bool:
    return size is not None and size.value is not None and any(size.low <= limit <= size.high for limit in limits)
