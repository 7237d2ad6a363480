"""The largest lesion of a class: where along the scan it lies, its extent, attenuation, shape and margin."""

from __future__ import annotations

import math
from typing import Any

from tools.base import Case, Maker, tool
from tools.lesion_facts import LesionFacts, depth
from tools.lesion_list import METHOD, Lesion, LesionList, lesion_list, none_counts
from tools.types import Evidence, State
from tools.units import quantity_text

_UNITS: dict[str, str | None] = {
    "largest_lesion_slice": None,
    "largest_lesion_depth": "%",
    "largest_lesion_feret": "mm",
    "largest_lesion_hu_mean": "HU",
    "largest_lesion_hu_sd": "HU",
    "largest_lesion_sphericity": "1",
    "largest_lesion_margin": "HU/mm",
    "largest_to_second_volume": "1",
}
_LARGEST = METHOD + "; largest by volume"


def _says(what: str) -> dict[str, str]:
    return {
        "measured": f"The {what} is {{value}}{{pm}}.{{borderline}}{{note}}",
        "not_measurable": f"The {what} cannot be measured: {{reason}}.{{at_least}}",
        "not_assessed": f"The {what} was not assessed: {{reason}}.",
        "absent": "No {target} was found: {reason}.",
    }


@tool(
    version="1",
    reads=("scan", "labels", "settings"),
    says={
        "largest_lesion_slice": {
            **_says("slice on which the largest {target} has its longest diameter"),
            "measured": "The largest {target} has its longest axial diameter on slice {value}, counted in the order of "
            "the file from zero; that is at {num.depth_percent} of the scan's depth.{borderline}{note}",
        },
        "largest_lesion_depth": {
            **_says("place of the largest {target} along the scan"),
            "measured": "The slice with the longest axial diameter of the largest {target} lies at {value} of the "
            "scan's depth, counted in the order of the file.{borderline}{note}",
        },
        "largest_lesion_feret": _says("longest extent in space of the largest {target}"),
        "largest_lesion_hu_mean": _says("mean attenuation of the largest {target}"),
        "largest_lesion_hu_sd": _says("standard deviation of the attenuation of the largest {target}"),
        "largest_lesion_sphericity": _says("sphericity of the largest {target}"),
        "largest_lesion_margin": _says("sharpness of the margin of the largest {target}"),
        "largest_to_second_volume": _says("volume of the largest {target} over that of the second largest"),
    },
)
def largest_lesion(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Slice, depth, extent in space, attenuation, sphericity and margin of the largest lesion (by volume).

    Slice and depth are counted in the order of the file: depth is 100 · (slice + ½) / number of slices. Where
    lesions are as large within the resolution, the details hold the reading of each. A lesion that is cut off may
    be the largest, whatever is seen of it: then nothing of the largest is certain.

    Args:
        structure: canonical identifier of a lesion class.
    """
    found = lesion_list(case, structure)
    none = none_counts(case, structure, found)
    if none is not None:
        state, reason = none
        return [make(q, structure, unit=u, state=state, reason=reason, method=_LARGEST) for q, u in _UNITS.items()]
    facts = LesionFacts(case, structure)
    candidates = [found.every[0], *rivals(found)]
    rows = [_readings(case, facts, one) for one in candidates]
    made = []
    for quantity, unit in list(_UNITS.items())[:-1]:
        made.append(_evidence(make, structure, quantity, unit, found, rows))
    return [*made, _to_second(make, structure, found)]


def rivals(found: LesionList) -> list[Lesion]:
    """Lesions besides the first that may be the largest: cut off, or as large within the resolution.

    Which of two lesions of one scan is larger is more certain than either volume: what blurs the border makes both
    too large or too small. What is left is the rounding of each border voxel, which adds up as its square root.
    """
    first, *others = found.every
    low = first.volume - first.rounding
    return [one for one in others if one.cut or one.volume + one.rounding >= low]


def uncertain_largest(found: LesionList) -> str | None:
    """Why nothing of the largest lesion is certain, None where it is among those that are wholly seen."""
    if not any(one.cut for one in found.every):
        return None
    first = found.every[0]
    return "it is cut off by the field of view" if first.cut else "a lesion is cut off by the field of view"


def _readings(case: Case, facts: LesionFacts, one: Lesion) -> dict[str, tuple[Any, float | None, dict[str, Any]]]:
    """Value, uncertainty and details of every quantity of one lesion."""
    k = one.axes.k
    slices = case.scan.grid.shape[2]
    at = {"depth_percent": depth(case, k), "slices": slices, "z_mm": round(facts.height(one), 4)}
    extent, hu = facts.feret(one), facts.hu(one)
    shape, shape_pm = facts.sphericity(one), facts.sphericity_pm(one)
    edge = facts.margin(one, facts.host(facts.place(one)))
    beside = {"against": "organ" if edge.against_organ else "surroundings"} if edge else {}
    return {
        "largest_lesion_slice": (case.scan.orientation.file_slice(k), None, at),
        "largest_lesion_depth": (depth(case, k), round(50 / slices, 4), at),
        "largest_lesion_feret": (round(extent.length, 6), round(extent.uncertainty, 6), {}),
        "largest_lesion_hu_mean": (round(hu.mean, 4), round(hu.error, 4), {}) if hu else (None, None, {}),
        "largest_lesion_hu_sd": (round(hu.sd, 4), None, {}) if hu else (None, None, {}),
        "largest_lesion_sphericity": (round(shape, 6), round(shape_pm, 6), {}),
        "largest_lesion_margin": (
            round(edge.slope, 4) if edge else None,
            round(edge.error, 4) if edge else None,
            beside,
        ),
    }


def _evidence(
    make: Maker, structure: str, quantity: str, unit: str | None, found: LesionList, rows: list[dict[str, Any]]
) -> Evidence:
    value, uncertainty, details = rows[0][quantity]
    at = rows[0]["largest_lesion_slice"][0] if quantity in {"largest_lesion_slice", "largest_lesion_depth"} else None
    common: dict[str, Any] = {"unit": unit, "method": _LARGEST, "slice": at}
    problem = uncertain_largest(found)
    if problem is not None:
        # The largest by volume need not be the longest: only what holds for each candidate is certain.
        bound = min(row[quantity][0] for row in rows) if quantity == "largest_lesion_feret" else None
        common |= {"slice": None, "lower_bound": bound}
        return make(quantity, structure, state=State.NOT_MEASURABLE, reason=problem, **common)
    if value is None:
        reason = "too little of it, or of its border, lies inside of the reconstruction"
        return make(quantity, structure, state=State.NOT_MEASURABLE, reason=reason, **common)
    readings = [row[quantity][0] for row in rows if row[quantity][0] is not None]
    texts = list(dict.fromkeys(quantity_text(one, unit) for one in readings))
    if len(texts) > 1:
        details = {**details, "borderline": texts, "readings": readings}
    note = f"only what is seen counts: {found.cut}" if found.cut else None
    return make(
        quantity, structure, state=State.MEASURED, value=value, uncertainty=uncertainty, details=details, reason=note,
        **common,
    )  # fmt: skip


def _to_second(make: Maker, structure: str, found: LesionList) -> Evidence:
    common: dict[str, Any] = {"unit": "1", "method": METHOD + "; volumes of the two largest"}
    quantity = "largest_to_second_volume"
    problem = uncertain_largest(found)
    if problem is None and len(found.lesions) < 2:
        problem = "there is only one of that size, and no second to compare it with"
    if problem is not None:
        return make(quantity, structure, state=State.NOT_MEASURABLE, reason=problem, **common)
    first, second = found.lesions[:2]
    ratio = first.volume / second.volume
    note = f"only what is seen counts: {found.cut}" if found.cut else None
    return make(
        quantity, structure, state=State.MEASURED, value=round(ratio, 6), reason=note,
        uncertainty=round(ratio * math.hypot(*(one.volume_pm / one.volume for one in (first, second))), 6), **common,
    )  # fmt: skip
