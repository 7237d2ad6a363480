"""One lesion of a class by its number in the lesion table: size, place, slice and attenuation of that one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.base import Case, Maker, tool
from tools.lesion_classes import labelled_as
from tools.lesion_facts import LesionFacts, depth
from tools.lesion_list import METHOD, Lesion, LesionList, lesion_list, none_counts
from tools.lesion_row import MEASURED, cut_off, place_of_row, row_evidence
from tools.ontology import load_ontology
from tools.types import Evidence, State

_UNITS: dict[str, str | None] = {
    "lesion": "cm3", "volume": "cm3", "long_axis": "mm", "hu_mean": "HU", "lesion_slice": None, "lesion_place": None,
}  # fmt: skip
_HOW = METHOD + "; numbered by volume, the largest being the first"
_VISIBLE = "only what is seen of it counts: it is cut off by the field of view"


def _says(what: str, measured: str) -> dict[str, str]:
    return {
        "measured": measured,
        "absent": "There is no {target}: {reason}.",
        "not_measurable": f"The {what} of the {{target}} cannot be told: {{reason}}.{{at_least}}",
        "not_assessed": f"The {what} of the {{target}} was not assessed: {{reason}}.",
    }


ROW_SAYS = {
    **_says("size", MEASURED),
    "not_measurable": "The {target} cannot be measured as a whole: {reason}.{at_least}",
    "not_assessed": "The {target} was not assessed: {reason}.",
}
"""Sentences of one lesion with all that is told of it."""


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "lesion": ROW_SAYS,
        "volume": _says("volume", "The volume of the {target} is {value}{pm}.{note}"),
        "long_axis": _says(
            "longest axial diameter",
            "The longest axial diameter of the {target} is {value}{pm}{on_slice}; the short axis there is "
            "{num.short_axis_mm}, the volume {num.volume_cm3}.{note}",
        ),
        "hu_mean": _says("mean attenuation", "The mean attenuation of the {target} is {value}{pm}.{note}"),
        "lesion_slice": _says(
            "slice",
            "The {target} has its longest axial diameter on slice {value}, counted in the order of the file from zero; "
            "that is at {num.depth_percent} of the scan's depth.{note}",
        ),
        "lesion_place": _says("place", "The {target} lies {detail.lies}{on_slice}.{borderline}{note}"),
    },
)
def one_lesion(case: Case, make: Maker, *, structure: str, other: bool = False) -> list[Evidence]:
    """Size, place, slice and attenuation of one lesion, by its number in the lesion table.

    Where the lesion is cut off, its volume and diameter are lower bounds, its slice is not known, and place and
    attenuation are those of the part that is seen.

    Args:
        structure: lesion class with a number ("liver_metastasis#2"), the largest being 1; 0 stands for the smallest.
        other: the other one is meant, where there are just two.
    """
    name, _, digits = structure.rpartition("#")
    found = lesion_list(case, name)
    asked = int(digits)
    number = _other(found, asked) if other else asked or len(found.lesions)
    if number is None or not 1 <= number <= len(found.lesions):
        meant = f"{name}#{3 - asked}" if other and asked in {1, 2} else structure
        return _missing(case, make, meant, found, other=other)
    return _told(case, make, name, found, number)


def _other(found: LesionList, asked: int) -> int | None:
    """The number of the other of two; None where there are not just two."""
    return 3 - asked if len(found.lesions) == 2 and asked in {1, 2} else None


def _missing(case: Case, make: Maker, target: str, found: LesionList, *, other: bool) -> list[Evidence]:
    """Why there is no lesion of this number."""
    none = none_counts(case, target.partition("#")[0], found)
    if none is not None:
        target = target.partition("#")[0]
        state, reason = none
    elif other and len(found.lesions) > 1:
        state, reason = State.NOT_MEASURABLE, "there are several others; please give its number in the lesion table"
    elif found.cut is not None:
        state, reason = State.NOT_MEASURABLE, f"no lesion of that number is seen, and {found.cut}"
    else:
        state = State.ABSENT
        reason = (
            "only one was found above the size limit" if len(found.lesions) == 1
            else "fewer than that were found above the size limit"
        )  # fmt: skip
    return [make(q, target, unit=unit, state=state, reason=reason, method=_HOW) for q, unit in _UNITS.items()]


@dataclass(frozen=True)
class _Row:
    """A lesion, what is told of it, and how it is named."""

    target: str
    one: Lesion
    details: dict[str, Any]
    slice: int
    label: str | None


def _row(case: Case, facts: LesionFacts, name: str, found: LesionList, number: int) -> _Row:
    one = found.lesions[number - 1]
    details = facts.row(one)
    details["place"], details["lies"] = place_of_row(details, apart=facts.apart(one))
    # Lower case, it follows other words; as a sentence of its own it begins with a capital.
    details["where"] = f"It lies {details['lies']}"
    label = labelled_as(case, name, one)
    return _Row(f"{name}#{number}", one, details, case.scan.orientation.file_slice(one.axes.k), label)


def lesion_row(case: Case, make: Maker, facts: LesionFacts, name: str, found: LesionList, number: int) -> Evidence:
    """All that is told of one lesion, as `lesion_table` tells it."""
    return _whole(make, _row(case, facts, name, found, number))


def _whole(make: Maker, row: _Row) -> Evidence:
    return row_evidence(make, row.target, row.one, row.details, row.slice, row.label)


def _also(*reasons: str | None) -> str | None:
    return "; ".join(one for one in reasons if one) or None


def _told(case: Case, make: Maker, name: str, found: LesionList, number: int) -> list[Evidence]:
    facts = LesionFacts(case, name)
    row = _row(case, facts, name, found, number)
    one = row.one
    cut = _also(cut_off(one), row.label) if one.cut else None
    sized: dict[str, Any] = {"state": State.NOT_MEASURABLE if cut else State.MEASURED, "reason": cut or row.label}
    seen: dict[str, Any] = {
        "state": State.MEASURED, "reason": _also(_VISIBLE if cut else None, row.label), "method": _HOW,
    }  # fmt: skip
    volume, axis = round(one.volume, 6), round(one.axes.long_axis, 6)
    short = {"short_axis_mm": round(one.axes.short_axis, 4), "volume_cm3": volume}
    where = facts.place(one)
    rivals = [load_ontology().get(ident).name for ident in (where.main, *where.rivals) if ident] if where else []
    hu = facts.hu(one)
    return [
        _whole(make, row),
        make(
            "volume", row.target, unit="cm3", method=_HOW, value=None if cut else volume,
            lower_bound=volume if cut else None, uncertainty=None if cut else round(one.volume_pm, 6), **sized,
        ),
        make(
            "long_axis", row.target, unit="mm", method=_HOW, value=None if cut else axis, slice=row.slice,
            lower_bound=axis if cut else None, uncertainty=None if cut else row.details["long_axis_pm_mm"],
            details=short, **sized,
        ),
        make("hu_mean", row.target, unit="HU", value=round(hu.mean, 4), uncertainty=round(hu.error, 4), **seen)
        if hu is not None
        else make(
            "hu_mean", row.target, unit="HU", state=State.NOT_MEASURABLE, method=_HOW,
            reason="no voxel of it is left after padding is excluded",
        ),
        make(
            "lesion_slice", row.target, method=_HOW, value=None if cut else row.slice, slice=row.slice,
            details={"depth_percent": depth(case, one.axes.k)}, **sized,
        ),
        make(
            "lesion_place", row.target, value=row.details["place"], slice=row.slice,
            details={
                "lies": row.details["lies"],
                "regions": row.details["regions"],
                **({"borderline": rivals} if len(rivals) > 1 else {}),
            },
            **seen,
        ),
    ]  # fmt: skip
