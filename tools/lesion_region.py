"""In which region of its organ the largest lesion lies, and how the lesions are spread over the regions."""

from __future__ import annotations

from typing import Any

from tools.base import Case, Maker, tool
from tools.landmarks import LANDMARKS
from tools.largest_lesion import rivals, uncertain_largest
from tools.lesion_facts import home, told
from tools.lesion_list import lesion_list, none_counts, nothing
from tools.lesion_place import place
from tools.lesion_spread import Spread, spread_of
from tools.ontology import load_ontology
from tools.subregions import Subregions, Untold
from tools.types import Evidence, State

_HOW = "share of the lesion's voxels in each region; voxels outside of all of them belong to the nearest"
_NO_ORGAN = "it belongs to no organ whose regions are known"


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "largest_lesion_region": {
            "measured": "The largest {target} lies in the {value}: {shares.shares}. The regions come from "
            "{detail.method}.{borderline}{note}",
            "absent": "No {target} was found: {reason}.",
            "not_measurable": "The region of the largest {target} cannot be told: {reason}.",
            "not_assessed": "The region of the largest {target} was not assessed: {reason}.",
        }
    },
    also=LANDMARKS,
)
def largest_lesion_region(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Region of its organ that holds the largest share of the largest lesion (by volume).

    All regions that hold more than a tenth of it are named. Where another region may hold as much within the
    uncertainty, or another lesion may be the largest, the answer is borderline and names all readings.

    Args:
        structure: canonical identifier of a lesion class.
    """
    quantity = "largest_lesion_region"
    found = lesion_list(case, structure)
    none = none_counts(case, structure, found)
    if none is not None:
        state, reason = none
        return [make(quantity, structure, state=state, reason=reason, method=_HOW)]
    regions = told(case, structure)
    if not isinstance(regions, Subregions):
        why = regions or Untold(State.NOT_ASSESSED, _NO_ORGAN)
        return [make(quantity, structure, state=why.state, reason=why.reason, method=_HOW)]
    where = place(found.every[0].region, regions)
    held = [one for one in where.held if one != where.main]
    details: dict[str, Any] = {
        "structure": where.main,
        "structures": [where.main, *held] if where.main else held,
        "shares": where.shares,
        "unplaced_percent": where.unplaced,
        "method": regions.method,
    }
    problem = uncertain_largest(found)
    if problem is None and where.main is None:
        problem = "most of it lies where no region is labelled: " + ", ".join(_name(one) for one in regions.missing)
        if where.apart:
            problem = f"it lies apart from the {_name(regions.organ)} as labelled, so one of the two labels is in doubt"
    if problem is not None or where.main is None:
        return [make(quantity, structure, state=State.NOT_MEASURABLE, reason=problem, method=_HOW, details=details)]
    readings = dict.fromkeys([where.main, *where.rivals])
    for one in rivals(found):
        other = place(one.region, regions)
        readings |= dict.fromkeys(ident for ident in (other.main, *other.rivals) if ident is not None)
    if len(readings) > 1:
        details["borderline"] = [_name(ident) for ident in readings]
    if where.doubtful:
        details["doubtful"] = where.doubtful
    note = f"only what is seen counts: {found.cut}" if found.cut else None
    return [
        make(
            quantity, structure, state=State.MEASURED, value=_name(where.main), reason=note, method=_HOW,
            details=details, slice=case.scan.orientation.file_slice(found.every[0].axes.k),
        )
    ]  # fmt: skip


def _says(what: str) -> dict[str, str]:
    return {
        "measured": f"The {what} is {{value}}{{pm}}.{{note}}",
        "not_measurable": f"The {what} cannot be measured: {{reason}}.{{at_least}}",
        "not_assessed": f"The {what} was not assessed: {{reason}}.",
        "absent": f"The {what} is nothing: {{reason}}.",
    }


def _most(what: str) -> dict[str, str]:
    return {
        "measured": f"The region with the {what} is the {{value}}.{{borderline}}{{note}}",
        "not_measurable": f"Which region has the {what} cannot be told: {{reason}}.",
        "not_assessed": f"Which region has the {what} was not assessed: {{reason}}.",
        "absent": "No {target} was found: {reason}.",
    }


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "region_lesion_count": _says("number of lesions in the {target}"),
        "region_lesion_volume": _says("volume of the lesions within the {target}"),
        "top_region_share": _says("share of the {targets} whose main region is the one with the most of them"),
        "top_two_region_share": _says("share of the {targets} whose main region is one of the two with the most"),
        "region_with_most_lesions": _most("most {targets}"),
        "region_with_most_lesion_volume": _most("greatest volume of {targets}"),
    },
    also=LANDMARKS,
)
def lesions_in_regions(case: Case, make: Maker, *, structure: str) -> list[Evidence]:
    """Number and volume of lesions in each region of the organ, and how unevenly they are spread.

    A lesion counts in every region that holds more than a tenth of it; the volume of a region is that of all
    lesion voxels in it. For the shares each lesion counts once, in its main region.

    Args:
        structure: canonical identifier of a lesion class.
    """
    found, regions = lesion_list(case, structure), told(case, structure)
    organ = home(structure)
    idents = regions.ids if isinstance(regions, Subregions) else load_ontology().get(organ or "").regions
    if found.found.region is None:
        state, reason = nothing(case, structure, found.found)
        return _all(make, structure, idents, state, reason)
    if not isinstance(regions, Subregions):
        why = regions or Untold(State.NOT_ASSESSED, _NO_ORGAN)
        return _all(make, structure, idents, why.state, why.reason)
    spread = spread_of(case, structure, found, regions)
    made = [one for ident in idents for one in _region(make, spread, ident)]
    for ident in regions.missing:
        made += _unknown(make, ident, State.NOT_ASSESSED, f"the labels do not tell the {_name(ident)} apart")
    return [
        *made,
        *_shares(make, structure, spread),
        _greatest(make, structure, "region_with_most_lesions", spread),
        _greatest(make, structure, "region_with_most_lesion_volume", spread),
    ]


def _name(ident: str) -> str:
    return load_ontology().get(ident).name


def _unknown(make: Maker, ident: str, state: State, reason: str | None) -> list[Evidence]:
    none = 0 if state is State.ABSENT else None
    common: dict[str, Any] = {"state": state, "reason": reason, "method": _HOW}
    return [
        make("region_lesion_count", ident, unit="1", value=none, **common),
        make("region_lesion_volume", ident, unit="cm3", **common),
    ]


def _all(make: Maker, structure: str, idents: tuple[str, ...], state: State, reason: str | None) -> list[Evidence]:
    made = [one for ident in idents for one in _unknown(make, ident, state, reason)]
    for quantity, unit in (
        ("top_region_share", "%"), ("top_two_region_share", "%"), ("region_with_most_lesions", None),
        ("region_with_most_lesion_volume", None),
    ):  # fmt: skip
        made.append(make(quantity, structure, unit=unit, state=state, reason=reason, method=_HOW))
    return made


def _region(make: Maker, spread: Spread, ident: str) -> list[Evidence]:
    made = []
    for quantity, unit, tally in (
        ("region_lesion_count", "1", spread.counts[ident]),
        ("region_lesion_volume", "cm3", spread.volumes[ident]),
    ):
        reason = spread.open.get(ident)
        value = int(tally.value) if unit == "1" else round(tally.value, 6)
        details: dict[str, Any] = {"method": spread.method}
        if unit == "1":
            details["lesions"] = spread.members[ident]
            if tally.low != tally.high:
                details["borderline"] = [int(tally.low), int(tally.high)]
        made.append(
            make(
                quantity, ident, unit=unit, method=_HOW, details=details, reason=reason or spread.note,
                state=State.NOT_MEASURABLE if reason else State.MEASURED, value=None if reason else value,
                lower_bound=round(tally.low, 6) if reason else None,
                uncertainty=None if reason else round(max(tally.high - tally.value, tally.value - tally.low), 6),
            )
        )  # fmt: skip
    return made


def _shares(make: Maker, structure: str, spread: Spread) -> list[Evidence]:
    made = []
    for quantity, regions in (("top_region_share", 1), ("top_two_region_share", 2)):
        common: dict[str, Any] = {"unit": "%", "method": _HOW + "; each lesion in its main region"}
        problem = spread.cut or spread.unclear
        if problem is not None:
            made.append(make(quantity, structure, state=State.NOT_MEASURABLE, reason=problem, **common))
            continue
        share = spread.top(regions)
        made.append(
            make(
                quantity, structure, state=State.MEASURED, value=round(share.value, 4), reason=spread.note,
                uncertainty=round(max(share.high - share.value, share.value - share.low), 4),
                details={"main_regions": spread.mains, "method": spread.method}, **common,
            )
        )  # fmt: skip
    return made


def _greatest(make: Maker, structure: str, quantity: str, spread: Spread) -> Evidence:
    rows = spread.counts if quantity == "region_with_most_lesions" else spread.volumes
    order = sorted(rows, key=lambda ident: -rows[ident].value)
    top = [ident for ident in order if rows[ident].value == rows[order[0]].value]
    common: dict[str, Any] = {"method": _HOW, "details": {"structures": top, "method": spread.method}}
    problem = spread.cut or spread.unclear
    if problem is None and rows[order[0]].value == 0:
        problem = "no lesion above the size limit was found"
    if problem is None and len(top) > 1:
        problem = "they are equal"
    if problem is not None:
        return make(quantity, structure, state=State.NOT_MEASURABLE, reason=problem, **common)
    first = order[0]
    common["details"] |= {"structure": first, "values": {ident: round(rows[ident].value, 6) for ident in order}}
    near = [ident for ident in order if ident != first and rows[ident].high >= rows[first].low]
    if near:
        common["details"]["borderline"] = [_name(ident) for ident in (first, *near)]
    return make(quantity, structure, state=State.MEASURED, value=_name(first), reason=spread.note, **common)
