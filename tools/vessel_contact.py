"""How far around a vessel a lesion touches it, and over which length."""

from __future__ import annotations

from typing import Any

import numpy as np

from agent.errors import ToolError
from tools.base import Case, Maker, tool
from tools.contact import Contact, contact
from tools.look import Look
from tools.ontology import load_ontology
from tools.seen import seen
from tools.types import Evidence, State
from tools.volume import FloatArray

_METHOD = (
    "planes perpendicular to the vessel's course; rays from its centre to its wall, beyond which the lesion begins"
)
# Fewer voxels have no course: a vessel of which no more is labelled is not one that was looked at.
_FEWEST = 3
_UNITS = {"contact_angle": "deg", "contact_length": "mm"}


def _says(what: str, measured: str) -> dict[str, str]:
    return {
        "measured": measured + ".{note}",
        "not_measurable": f"The {what} of the {{target}} cannot be measured: {{reason}}.{{at_least}}",
        "not_assessed": f"The {what} of the {{target}} was not assessed: {{reason}}.",
        "absent": f"There is no {what} of the {{target}}: {{reason}}.",
    }


@tool(
    version="1",
    reads=("scan", "labels", "settings"),
    says={
        "contact_angle": _says(
            "contact", "The contact of the {target} is {value}{pm} of the vessel's circumference{on_slice}"
        ),
        "contact_length": _says(
            "length of contact", "The contact of the {target} has a length of {value}{pm} along the vessel"
        ),
    },
)
def vessel_contact(case: Case, make: Maker, *, structure: str, vessel: str) -> list[Evidence]:
    """Greatest part of a vessel's circumference that a lesion touches, in degrees, and the length of contact in mm.

    The angle is the greatest over planes perpendicular to the vessel's own course; all lesions of the class count
    together. It is zero where both are labelled and do not touch. A lesion that is cut off gives a lower bound.

    Args:
        structure: canonical identifier of a lesion class, of one lesion, or of an organ.
        vessel: canonical identifier of a vessel.

    Raises:
        ToolError: if the vessel is none.
    """
    ontology = load_ontology()
    named = ontology.get(vessel)
    if named.kind == "lesion" or vessel == structure:
        raise ToolError(f"contact is measured around a vessel, which the {named.name} is not")
    target = f"{structure}+{vessel}"
    touching, tube = seen(case, structure), seen(case, vessel)
    for one, name in ((touching, structure), (tube, vessel)):
        if one.region is None:
            state, reason = one.state, f"{ontology.get(name).name}: {one.reason}"
            if one is tube and state is State.ABSENT:
                state = State.NOT_MEASURABLE  # there is a vessel, seen or not
            return [make(q, target, unit=u, state=state, reason=reason, method=_METHOD) for q, u in _UNITS.items()]
    assert touching.region is not None
    assert tube.region is not None
    found = contact(tube.region, touching.region, case.scan.grid)
    if found is not None and found.angle == 0 and tube.region.voxels < _FEWEST:
        # So little is no vessel: what was not labelled of it may touch.
        reason = f"too little of the {named.name} is labelled"
        return [
            make(q, target, unit=u, state=State.NOT_MEASURABLE, reason=reason, method=_METHOD)
            for q, u in _UNITS.items()
        ]
    if found is None:
        reason = "they touch, but too little of the vessel is labelled to tell its course"
        return [
            make(q, target, unit=u, state=State.NOT_MEASURABLE, reason=reason, method=_METHOD)
            for q, u in _UNITS.items()
        ]
    return _told(case, make, target, found, _more(touching, tube))


def _more(touching: Look, tube: Look) -> str | None:
    """Why there may be more contact than is seen; None where all of it is seen.

    A vessel that leaves the scan hides no contact with a lesion that doesn't.
    """
    if touching.incomplete_reason:
        return f"of the lesion only a part is seen, since {touching.incomplete_reason}"
    if tube.missing:
        return f"of the vessel only a part is seen, since {tube.incomplete_reason}"
    return None


def _told(case: Case, make: Maker, target: str, found: Contact, more: str | None) -> list[Evidence]:
    place = found.place
    details: dict[str, Any] = {}
    at: int | None = None
    note = "they do not touch" if found.angle == 0 else touching_note(found)
    if place is not None:
        details = {
            "radius_mm": round(place.radius, 3),
            "direction_ras": [round(float(x), 4) for x in place.direction],
            "centre_ras_mm": [round(float(x), 2) for x in place.centre],
            "course_clear": place.clear,
        }
        at = _slice(case, place.centre) if found.angle > 0 else None
    rows = (
        ("contact_angle", round(found.angle, 2), round(found.uncertainty, 2), at, more and found.angle < 360),
        ("contact_length", round(found.length, 3), round(found.length_uncertainty, 3), at, more),
    )
    return [
        make(
            quantity, target, unit=_UNITS[quantity], method=_METHOD, slice=where, details=details,
            state=State.NOT_MEASURABLE if open_ else State.MEASURED, value=None if open_ else value,
            lower_bound=value if open_ else None, uncertainty=None if open_ else margin,
            reason=more if open_ else note,
        )
        for quantity, value, margin, where, open_ in rows
    ]  # fmt: skip


def touching_note(found: Contact) -> str | None:
    """What limits a measured contact."""
    if found.place is not None and not found.place.clear:
        return "the vessel's course is not clear there, its label being short or branching"
    return None


def _slice(case: Case, centre: FloatArray) -> int:
    """Index in the user's file of the slice in which a world point lies."""
    grid = case.scan.grid
    k = round(float((np.linalg.inv(grid.affine[:3, :3]) @ (centre - grid.affine[:3, 3]))[2]))
    return case.scan.orientation.file_slice(min(max(k, 0), grid.shape[2] - 1))
