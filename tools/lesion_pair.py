"""Two lesions side by side: which is larger, and how their diameters and attenuations differ."""

from __future__ import annotations

from typing import Any

from tools.base import Case, Maker, tool
from tools.lesion_facts import LesionFacts
from tools.lesion_list import METHOD, lesion_list, none_counts
from tools.one_lesion import ROW_SAYS, lesion_row
from tools.ontology import load_ontology
from tools.types import Evidence, State

_HOW = METHOD + "; compared by volume"
_NAME_IT = "please name one by its number in the lesion table"
_NOT_TWO = {
    False: "there are more than two above the size limit; please name two by their numbers in the lesion table",
    True: "there is only one above the size limit",
}


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "lesion": ROW_SAYS,
        "lesion_pair": {
            "measured": "By volume, the larger of {detail.both} is the {value}: {num.larger_cm3} against "
            "{num.smaller_cm3}.{borderline} The longest axial diameter of the {detail.first} is {num.first_mm}, that "
            "of the {detail.second} {num.second_mm}; their mean attenuations are {num.first_hu} and {num.second_hu}.",
            "not_measurable": "A comparison of {detail.both} cannot be made: {reason}.",
            "not_assessed": "A comparison of {detail.both} was not assessed: {reason}.",
            "absent": "There is nothing to compare: {reason}.",
        },
    },
)
def lesion_pair(case: Case, make: Maker, *, structure: str, second: str | None = None) -> list[Evidence]:
    """Compare two lesions by volume, longest axial diameter and mean attenuation.

    Args:
        structure: lesion class with a number ("liver_metastasis#1"); without one, the two lesions of the class.
        second: the other lesion, with its number; without one, the only lesion of its class.
    """
    names = [structure, second] if second is not None else [f"{structure}#1", f"{structure}#2"]
    target = "+".join(names) if second is not None else structure
    rows: list[Evidence] = []
    for ident in names:
        name, _, digits = ident.partition("#")
        found = lesion_list(case, name)
        none = none_counts(case, name, found)
        number = int(digits or 1) or len(found.lesions)
        reason: str | None
        if none is not None:
            state, reason = none
        elif second is None and len(found.lesions) != 2:
            state, reason = State.NOT_MEASURABLE, _NOT_TWO[len(found.lesions) == 1]
        elif not digits and len(found.lesions) > 1:
            state, reason = State.NOT_MEASURABLE, f"there are several {load_ontology().get(name).names}; {_NAME_IT}"
        elif number > len(found.lesions):
            state = State.NOT_MEASURABLE
            reason = f"there is no {load_ontology().get(ident).name} above the size limit"
        else:
            rows.append(lesion_row(case, make, LesionFacts(case, name), name, found, number))
            continue
        details = {"both": _both(names) if second is not None else f"two {load_ontology().get(structure).names}"}
        return [make("lesion_pair", target, state=state, reason=reason, method=_HOW, details=details)]
    return [_compared(make, rows), *rows]


def _both(idents: list[str]) -> str:
    return " and ".join(load_ontology().get(ident).name for ident in idents)


def _compared(make: Maker, rows: list[Evidence]) -> Evidence:
    target = "+".join(one.target for one in rows)
    both = {"both": _both([one.target for one in rows])}
    cut = next((one for one in rows if one.state is not State.MEASURED), None)
    if cut is not None:
        reason = f"the {load_ontology().get(cut.target).name} is cut off by the field of view"
        return make("lesion_pair", target, state=State.NOT_MEASURABLE, reason=reason, method=_HOW, details=both)
    if rows[0].target == rows[1].target:
        return make(
            "lesion_pair", target, state=State.NOT_MEASURABLE, reason="they are the same", method=_HOW, details=both
        )
    names = [load_ontology().get(one.target).name for one in rows]
    sizes = [(float(str(one.value)), float(one.uncertainty or 0.0)) for one in rows]
    large = 0 if sizes[0][0] >= sizes[1][0] else 1
    (high, high_pm), (low, low_pm) = sizes[large], sizes[1 - large]
    details: dict[str, Any] = {
        **both, "first": names[0], "second": names[1], "larger_cm3": high, "smaller_cm3": low,
        "first_mm": rows[0].details["long_axis_mm"], "second_mm": rows[1].details["long_axis_mm"],
        "first_hu": rows[0].details["hu_mean"], "second_hu": rows[1].details["hu_mean"],
    }  # fmt: skip
    if low + low_pm >= high - high_pm:
        details["borderline"] = names
    return make("lesion_pair", target, state=State.MEASURED, value=names[large], details=details, method=_HOW)
