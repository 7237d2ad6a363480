"""All lesions of all classes in one order, the largest first, and the organ that holds the largest."""

from __future__ import annotations

from typing import Any

from tools.base import Case, Maker, tool
from tools.lesion_classes import lesion_classes, overlap
from tools.lesion_facts import LesionFacts
from tools.lesion_list import METHOD, Lesion, LesionList, lesion_list, none_counts, nothing
from tools.one_lesion import ROW_SAYS, lesion_row
from tools.ontology import load_ontology
from tools.types import Evidence, State

_Row = tuple[Lesion, str, int]
"""A lesion, its class, and its number in the class."""
_LISTED = 200
_HOW = METHOD + "; all labelled classes, largest volume first"
_ONLY = "only lesions of labelled classes are compared"


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "lesion": ROW_SAYS,
        "lesions_by_size": {
            "measured": "The number of lesions that are listed by size is {value}.{note}",
            "not_measurable": "The lesions cannot be listed by size: {reason}.",
            "not_assessed": "The lesions were not assessed: {reason}.",
        },
        "largest_of_all": {
            "measured": "The largest lesion by volume is the {target}, of {num.volume_cm3}: it lies {detail.lies}"
            "{on_slice}.{borderline}{note}",
            "not_measurable": "Which lesion is the largest cannot be told: {reason}.",
            "not_assessed": "Which lesion is the largest was not assessed: {reason}.",
        },
    },
)
def lesions_by_size(case: Case, make: Maker, *, structure: str = "lesion") -> list[Evidence]:
    """Every lesion of every labelled class, largest first, under the number that it has in its own class.

    A lesion of several classes ("liver metastasis", "liver lesion") is listed once, by the most special one.

    Args:
        structure: what engines look for.
    """
    names = lesion_classes(case)
    found = {name: lesion_list(case, name) for name in names}
    every = _each_once(found)
    if not every:
        state, reason = _none(case, names, found)
        return [
            make(quantity, structure, unit=unit, state=state, reason=reason, method=_HOW)
            for quantity, unit in (("lesions_by_size", "1"), ("largest_of_all", None))
        ]
    every.sort(key=lambda row: (-row[0].volume, names.index(row[1]), row[2]))
    facts = {name: LesionFacts(case, name) for name in found}
    rows = [lesion_row(case, make, facts[name], name, found[name], n) for _, name, n in every[:_LISTED]]
    note = _note(case, found)
    return [_listed(make, structure, found, every, rows, note), _largest(make, structure, every, rows, note), *rows]


def _note(case: Case, found: dict[str, LesionList]) -> str:
    """What is to be said beside the list: what is not in it, and where there may be more, or larger ones."""
    ontology = load_ontology()
    open_ = [name for name, one in found.items() if one.cut or _unseen(case, name, one)]
    places = [ontology.get(ontology.get(name).organ or name).name for name in open_]
    parts = [_ONLY]
    if places:
        parts.append(
            f"not all of these was seen, so there may be more or larger ones: {', '.join(dict.fromkeys(places))}"
        )
    if any(one.below for one in found.values()):
        parts.append("components below the size limit are left out")
    return "; ".join(parts)


def _unseen(case: Case, name: str, one: LesionList) -> bool:
    """Whether a class is empty where not all was seen that it would be in."""
    return one.found.region is None and nothing(case, name, one.found)[0] is State.NOT_MEASURABLE


def _each_once(found: dict[str, LesionList]) -> list[_Row]:
    """Each lesion with its class and its number there; one of several classes under the most special."""
    kept: list[_Row] = []
    for name, listed in found.items():
        new = [
            (one, name, number)
            for number, one in enumerate(listed.lesions, start=1)
            if not any(overlap(one.region, other.region) for other, _, _ in kept)
        ]
        kept += new
    return kept


def _none(case: Case, names: list[str], found: dict[str, LesionList]) -> tuple[State, str]:
    """Why there is nothing to list: what no class could show is never absent."""
    if not names:
        return State.NOT_ASSESSED, "the labels have no class for any lesion, so nothing looked for one"
    told = [none for name in names if (none := none_counts(case, name, found[name])) is not None]
    small = next((one for one in told if one[0] is State.NOT_MEASURABLE), None)
    if small is not None:
        return State.NOT_MEASURABLE, small[1] or "no reason is recorded"
    return State.NOT_ASSESSED, "none was found in the classes that the labels have, and other organs were not looked at"


def _listed(
    make: Maker, structure: str, found: dict[str, LesionList], every: list[_Row], rows: list[Evidence], note: str
) -> Evidence:
    below = sum(one.below for one in found.values())
    return make(
        "lesions_by_size", structure, unit="1", state=State.MEASURED, value=len(rows), reason=note, method=_HOW,
        details={"below_limit": below, "unlisted": len(every) - len(rows)},
    )  # fmt: skip


def _largest(make: Maker, structure: str, every: list[_Row], rows: list[Evidence], note: str) -> Evidence:
    first, *others = every
    cut = next((f"{name}#{n}" for one, name, n in every if one.cut), None)
    if cut is not None:
        reason = f"the {load_ontology().get(cut).name} is cut off by the field of view"
        return make("largest_of_all", structure, state=State.NOT_MEASURABLE, reason=reason, method=_HOW)
    low = first[0].volume - first[0].rounding
    rivals = [f"{name}#{n}" for one, name, n in others if one.volume + one.rounding >= low]
    details: dict[str, Any] = {
        "volume_cm3": rows[0].value, "lies": rows[0].details["lies"], "structure": rows[0].details["organ"],
    }  # fmt: skip
    if rivals:
        details["borderline"] = [load_ontology().get(ident).name for ident in (rows[0].target, *rivals)]
    return make(
        "largest_of_all", rows[0].target, state=State.MEASURED, value=str(rows[0].details["place"]), reason=note,
        method=_HOW, slice=rows[0].slice, details=details,
    )  # fmt: skip
