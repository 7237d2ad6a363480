"""Where structures lie to each other: the distance between their surfaces, and what lies next to a structure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from agent.errors import ToolError
from tools.base import Case, Maker, tool
from tools.look import Look, look
from tools.ontology import Ontology, load_ontology
from tools.seen import seen
from tools.structure_parts import holds, parts_of, region_host
from tools.structures import resolve
from tools.surface import Gap, Surface, beyond, gap, reached
from tools.types import Evidence, State
from tools.volume import Box, LabelSet, Region

Kinds = Annotated[list[Literal["organ", "vessel", "bone", "muscle", "cavity"]], Field(min_length=1)]
NONE_NEAR = "none of those looked at"
_METHOD = "shortest way between the surfaces of both masks, voxels taken with their extent"
_DISTANCE = {
    "measured": "The distance between the {target} is {value}{pm}.{note}",
    "not_measurable": "The distance between the {target} cannot be measured: {reason}.{at_most}",
    "not_assessed": "The distance between the {target} was not assessed: {reason}.",
    "absent": "There is no distance between the {target} to measure: {reason}.",
}


@tool(version="2", reads=("scan", "labels", "settings"), says={"distance": _DISTANCE})
def surface_distance(case: Case, make: Maker, *, first: str, second: str) -> list[Evidence]:
    """Shortest distance between the surfaces of two structures in mm; zero where they touch.

    Organs are taken with their lesions. Where one of them is cut off and its unseen part may be nearer, the distance
    is only an upper bound.

    Args:
        first: canonical identifier.
        second: canonical identifier of another structure.

    Raises:
        ToolError: if both are the same, or one of them contains the other by definition.
    """
    ontology = load_ontology()
    if first == second or holds(first, second, ontology) or holds(second, first, ontology):
        raise ToolError("a distance needs two structures of which neither is part of the other")
    target = f"{first}+{second}"
    looks = seen(case, first), seen(case, second)
    for state in (State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE):
        for name, one in zip((first, second), looks, strict=True):
            if one.region is None and one.state is state:
                reason = f"{ontology.get(name).name}: {one.reason}"
                return [make("distance", target, unit="mm", state=state, reason=reason, method=_METHOD)]
    a, b = looks
    assert a.region is not None
    assert b.region is not None
    found = gap(a.region, b.region, case.scan.grid)
    return [_distance(make, target, found, _nearer_unseen(case, (first, a), (second, b), found))]


@tool(
    version="2",
    reads=("scan", "labels", "settings"),
    says={
        "adjacent": {
            "measured": "Within {num.within_mm} of the {target}: {value}. Looked at: {names.looked}. "
            "Within the uncertainty of the measurement this may be otherwise for: {names.at_the_limit}.{note}",
            "not_measurable": "What lies next to the {target} cannot be told: {reason}.",
            "not_assessed": "What lies next to the {target} was not assessed: {reason}.",
            "absent": "No {target} was found: {reason}.",
        },
        "distance": _DISTANCE,
    },
)
def adjacent_structures(
    case: Case,
    make: Maker,
    *,
    structure: str,
    within_mm: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 4.0,
    kinds: Kinds = ["organ"],  # noqa: B006  (never changed; pydantic copies it)
) -> list[Evidence]:
    """Labelled structures whose surface lies within a few mm, nearest first, and the distance of each.

    Only what is labelled is looked at, and the evidence says what that was. Left out are the organ itself with its
    parts and regions, and lesions. The default of 4 mm is the distance by which RadGPT (Bassi 2025) grows a lesion
    to find its neighbours.

    Args:
        structure: canonical identifier of a lesion or an organ.
        within_mm: largest distance that counts as next to it.
        kinds: kinds of structures to look at.
    """
    ontology = load_ontology()
    method = f"{_METHOD}; labelled structures of these kinds: {', '.join(kinds)}"
    found = seen(case, structure)
    if found.region is None or case.labels is None:
        return [make("adjacent", structure, state=found.state, reason=found.reason, method=method)]
    # Some slack, so that what lies just beyond the limit can be named as open.
    limit = within_mm + sum(case.scan.grid.spacing)
    box = reached(found.region, case.scan.grid, limit)
    around = _around(case, structure, tuple(kinds), box, ontology)
    if not around:
        reason = "nothing else of the kind asked for is labelled"
        return [make("adjacent", structure, state=State.NOT_ASSESSED, reason=reason, method=method)]
    gaps = _gaps(case, found.region, around, limit)
    order = sorted((name for name in gaps if gaps[name].mm <= within_mm), key=lambda name: (gaps[name].mm, name))
    details: dict[str, Any] = {
        "structures": order,
        "distances": {name: round(gaps[name].mm, 4) for name in order},
        "looked": sorted(around),
        "within_mm": within_mm,
        "at_the_limit": sorted(n for n, one in gaps.items() if abs(one.mm - within_mm) < one.uncertainty),
    }
    names = ", ".join(ontology.get(name).name for name in order) or NONE_NEAR
    note = found.incomplete_reason
    near = make(
        "adjacent", structure, state=State.MEASURED, value=names, details=details, method=method,
        reason=f"there may be more beyond what is seen: {note}" if note else None,
    )  # fmt: skip
    made = [near]
    for name in order:
        other = around[name]
        assert other is not None
        unseen = _nearer_unseen(case, (structure, found), (name, other), gaps[name])
        made.append(_distance(make, f"{structure}+{name}", gaps[name], unseen))
    return made


def _distance(make: Maker, target: str, found: Gap, unseen: str | None) -> Evidence:
    length = round(found.mm, 4)
    if unseen is not None:
        details = {"upper_bound": length, "seen_pm_mm": round(found.uncertainty, 4)}
        return make(
            "distance", target, unit="mm", state=State.NOT_MEASURABLE, reason=unseen, details=details, method=_METHOD
        )
    return make(
        "distance", target, unit="mm", state=State.MEASURED, value=length, method=_METHOD,
        uncertainty=round(found.uncertainty, 4), reason="they touch" if length == 0 else None,
    )  # fmt: skip


def _nearer_unseen(case: Case, first: tuple[str, Look], second: tuple[str, Look], found: Gap) -> str | None:
    """Why an unseen part of either structure may be nearer than what is seen; None where none can be."""
    if found.mm == 0:
        return None
    for (name, one), (_, other) in ((first, second), (second, first)):
        assert other.region is not None
        if one.missing or beyond(one.cut, other.region, case.scan.grid) < found.mm:
            return f"nearer parts of the {load_ontology().get(name).name} may be unseen: {one.incomplete_reason}"
    return None


def _around(
    case: Case, structure: str, kinds: tuple[str, ...], near: Box, ontology: Ontology
) -> dict[str, Look | None]:
    """Labelled structures of some kinds that are neither the structure's own organ nor a part of it.

    Regions of an organ stand for the organ. Those whose labels lie outside of the box `near` are not looked at more
    closely: None.
    """
    assert case.labels is not None
    asked = ontology.get(structure)
    own = asked.organ if asked.kind == "lesion" else structure
    wholes: dict[str, None] = {}
    for ident in case.labels.entries:
        whole = ident
        while (above := region_host(whole, ontology)) is not None:
            whole = above
        if ontology.get(whole).kind in kinds:
            wholes[whole] = None
    found: dict[str, Look | None] = {}
    for ident in wholes:
        if own is not None and _same_place(own, ident, ontology):
            continue
        # Both sides together say less than each side, where each has its own label.
        if any(part != ident and part in wholes for part in parts_of(ident, ontology)):
            continue
        boxes = _boxes(case.labels, ident)
        if not any(_meet(box, near) for box in boxes):
            if boxes:
                found[ident] = None
            continue
        one = look(case, ident, with_lesions=True)
        if one.region is not None:
            found[ident] = one
    return found


def _boxes(labels: LabelSet, structure: str) -> list[Box]:
    """Boxes of all labels that a structure, with its lesions, may have voxels of."""
    resolved = resolve(labels, structure, with_lesions=True)
    keys = (*resolved.keys, *(key for one in resolved.shared for key in labels.entries[one]))
    return [labels.boxes[key] for key in keys if key in labels.boxes]


def _meet(first: Box, second: Box) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))


def _same_place(own: str, other: str, ontology: Ontology) -> bool:
    """Whether two structures are, by definition, not apart: one holds the other, or they share a part."""
    if holds(own, other, ontology) or holds(other, own, ontology):
        return True
    return bool(parts_of(own, ontology) & parts_of(other, ontology))


def _gaps(case: Case, region: Region, around: dict[str, Look | None], limit: float) -> dict[str, Gap]:
    surface = Surface(region, case.scan.grid)
    found = {}
    for name, one in around.items():
        distance = surface.gap_within(one.region, limit) if one is not None and one.region is not None else None
        if distance is not None:
            found[name] = distance
    return found
