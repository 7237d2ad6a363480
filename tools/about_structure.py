"""What there is to say about one structure, of all that was found: size, attenuation, lesions, rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import cited
from tools.ontology import is_pair, load_ontology
from tools.types import Evidence, State

Items = Annotated[list[EvidenceId], Field(min_length=1, max_length=5000)]
_HOW = "size, attenuation and completeness, lesions, verdicts of rules"
_MEASURED = ("volume", "complete", "hu_mean")
_NUMBERED = 5
# A person reads this: what comes after so many items is in the report.
_TOLD = 25
NOTHING = "nothing that was measured stands out"


@tool(
    version="2",
    reads=("evidence",),
    says={
        "about": {
            "measured": "About the {target}: {value}. {input_sentences}",
            "absent": "No {target} was found: {reason}.",
            "not_measurable": "Nothing can be said about the {target}: {reason}.",
            "not_assessed": "The {target} was not assessed: {reason}.",
        }
    },
)
def about_structure(
    case: Facts, make: Maker, *, structure: str, own: Items, looked: EvidenceId, items: Items
) -> list[Evidence]:
    """What was found of one structure, and of the lesions in it.

    First its size, completeness and attenuation, then its lesions one by one (the largest of each class), then what
    rules say of it and of them that stands out. What rules could not decide is not among it.

    Args:
        structure: canonical identifier.
        own: evidence ids of what was measured of it.
        looked: evidence id of whether there are lesions in it.
        items: evidence ids of all that was found.
    """
    given = list({ident: cited(case, ident) for ident in [*own, looked, *items]}.values())
    sides = _with_sides(structure)
    mine = [one for one in given if one.target in sides]
    sizes = [one for one in mine if one.quantity == "volume"]
    if not any(one.state is State.MEASURED or one.lower_bound is not None for one in sizes):
        why = next((one for one in sizes if one.reason), None)
        state = why.state if why is not None else State.NOT_ASSESSED
        reason = why.reason if why is not None else "nothing was measured"
        return [make("about", structure, state=state, reason=reason, method=_HOW)]
    lesions = list(_lesions(given, sides))
    verdicts = list(_verdicts(given, sides))
    told = [*_sizes(mine, structure), *lesions, *verdicts][:_TOLD]
    return [
        make(
            "about", structure, state=State.MEASURED, value=_headline(structure, mine, lesions, verdicts),
            method=_HOW,
            inputs=tuple(one.id for one in told),
        )
    ]  # fmt: skip


def _with_sides(structure: str) -> list[str]:
    return [structure, *load_ontology().get(structure).parts] if is_pair(structure) else [structure]


def _sizes(mine: Sequence[Evidence], structure: str) -> Iterator[Evidence]:
    """Size, completeness and attenuation: of the whole first, then of its sides."""
    for target in _with_sides(structure):
        # What is missing of a side is said by its volume.
        for quantity in _MEASURED if target == structure else ("volume", "hu_mean"):
            found = [one for one in mine if one.target == target and one.quantity == quantity]
            yield from (one for one in found[:1] if one.value is not None or quantity == "volume")


def _lesions(given: Sequence[Evidence], sides: Sequence[str]) -> Iterator[Evidence]:
    """Lesions one by one, the largest of each class; where there is none, whether any was looked for."""
    ontology = load_ontology()
    rows: dict[str, list[Evidence]] = {}
    for one in given:
        if one.quantity == "lesion" and _inside(one, sides):
            rows.setdefault(one.target.partition("#")[0], []).append(one)
    kinds = {name: ontology.get(name) for name in rows}
    for name, several in rows.items():
        general = any(
            more.organ == kinds[name].organ and more.id != name
            and (kinds[name].lesion_type or "lesion") in ontology.ancestors(more.lesion_type or "lesion")
            for more in kinds.values()
        )  # fmt: skip
        if not general:
            yield from several[:_NUMBERED]
            yield from _all_told(given, name, len(several))
    if rows:
        # Kinds that no class could show are told beside those that were found.
        yield from (
            one
            for one in given
            if one.quantity == "exists" and one.reason and one.target in _any_in(sides) and one.state is State.MEASURED
        )
        return
    if ontology.get(sides[0]).kind != "organ":
        return
    looked = {one.target: one for one in given if one.quantity == "exists" and _inside(one, sides)}
    yield from (one for one in looked.values() if ontology.get(one.target).lesion_type == "lesion")


def _all_told(given: Sequence[Evidence], name: str, number: int) -> Iterator[Evidence]:
    """How many there are, where not each is told, or where there may be more than are seen."""
    heads = (one for one in given if one.quantity == "lesion_table" and one.target == name)
    yield from (one for one in heads if number > _NUMBERED or one.reason)


def _any_in(sides: Sequence[str]) -> set[str]:
    """The classes of any lesion in a structure or its sides."""
    return {load_ontology().lesion_id("lesion", side) for side in sides}


def _verdicts(given: Sequence[Evidence], sides: Sequence[str]) -> Iterator[Evidence]:
    """What rules decided, of verdicts that were weighed the outcome.

    Of the structure that which is out of the norm, borderline or disputed, else one verdict; of its lesions what is
    out of the norm, and what has a name of its own (a category, a type).
    """
    used = {ident for one in given for ident in one.inputs}
    decided = [
        one for one in given
        if (one.details.get("rule") is not None or "chosen" in one.details)
        and one.id not in used and one.state is State.MEASURED and one.quantity != "threshold"
    ]  # fmt: skip
    for side in sides:
        own = [one for one in decided if one.target == side]
        yield from [one for one in own if _stands_out(one)] or own[:1]
    yield from (one for one in decided if _inside(one, sides) and (_stands_out(one) or isinstance(one.value, str)))


def _stands_out(one: Evidence) -> bool:
    return one.details.get("normal") is False or any(one.details.get(key) for key in ("borderline", "disagree"))


def _inside(one: Evidence, sides: Sequence[str]) -> bool:
    found = load_ontology().get(one.target)
    return found.kind == "lesion" and found.organ in sides


def _headline(
    structure: str, mine: Sequence[Evidence], lesions: Sequence[Evidence], verdicts: Sequence[Evidence]
) -> str:
    """What stands out, in words: a number here would have no unit and no uncertainty."""
    ontology = load_ontology()
    known = {one.id: one for one in mine}
    parts: list[str] = []
    for one in verdicts:
        if one.details.get("normal") is False and one.target in {of.target for of in mine}:
            chosen = known.get(str(one.details.get("chosen")), one)
            text = "rules disagree" if one.details.get("disagree") else str(chosen.details.get("text") or "")
            parts += [f"{ontology.get(one.target).name} {text}"] if text and not any(c.isdigit() for c in text) else []
    classes = [one.target.partition("#")[0] for one in lesions if one.quantity == "lesion"]
    named = [ontology.get(name).name for name in dict.fromkeys(classes)]
    parts += [f"with {', '.join(named)}"] if named else []
    if any(one.quantity == "complete" and one.value is False for one in mine):
        parts.append("not completely within the scan")
    organ = ontology.get(structure).kind == "organ"
    if organ and not named and not any(one.state is State.ABSENT for one in lesions):
        parts.append("lesions not assessed")
    return "; ".join(dict.fromkeys(parts)) if parts else NOTHING
