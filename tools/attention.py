"""What to look at first: one order over all that was found, each item tied to its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import cited, interval
from tools.ontology import load_ontology
from tools.types import Evidence, State
from tools.units import convert, dimension

Items = Annotated[list[EvidenceId], Field(min_length=1, max_length=5000)]
# A person reads this: what comes after so many items is only counted.
_TOLD = 25
NOTHING = "nothing that was measured stands out"
_GROUPS = ("lesions", "against the norm", "borderline", "not measurable", "not assessed")
_LESIONS, _ABNORMAL, _BORDERLINE, _UNMEASURED, _UNASSESSED = _GROUPS
_OF_INTEREST = {"organ", "vessel", "lesion", "finding"}
# What says how large a lesion is, most telling first; last what only says that it is there.
_SIZES = {
    "largest_lesion_volume": 0, "volume": 0, "longest_lesion_axis": 1, "largest_lesion_long_axis": 1,
    "lesion_count": 2, "exists": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One thing to look at.

    Attributes:
        group: why.
        evidence: the evidence that says so.
        name: structure name, with a few words where they say more.
    """

    group: str
    evidence: Evidence
    name: str


@tool(
    version="2",
    reads=("evidence",),
    says={
        "attention": {
            "measured": "What to look at first: {value}. {input_sentences}",
            "absent": "What to look at first: {value}.",
            "not_assessed": "What to look at first cannot be said: {reason}.",
        }
    },
)
def attention(case: Facts, make: Maker, *, items: Items) -> list[Evidence]:
    """What to look at first, among all that was found.

    Lesions come first (largest first), then verdicts against the norm, then what is borderline, then what could not
    be measured or assessed. The inputs are the evidence of each item, in that order; a structure is named once per
    group.

    Args:
        items: evidence ids of all that was found.
    """
    given = list({ident: cited(case, ident) for ident in items}.values())
    ranked = rank(given)
    told = ranked[:_TOLD]
    method = "lesions by size, verdicts against the norm, borderline values, what was not measured or assessed"
    if not told and not any(one.state in {State.MEASURED, State.ABSENT} for one in given):
        return [make("attention", "scan", state=State.NOT_ASSESSED, reason="nothing was measured", method=method)]
    groups = [(group, [one.name for one in told if one.group == group]) for group in _GROUPS]
    text = "; ".join(f"{group}: {', '.join(names)}" for group, names in groups if names)
    return [
        make(
            "attention", "scan", state=State.MEASURED if told else State.ABSENT, value=text or NOTHING, method=method,
            inputs=tuple(one.evidence.id for one in told),
            details={
                "structures": list(dict.fromkeys(one.evidence.target for one in told)),
                "groups": {group: names for group, names in groups if names},
                "more": len(ranked) - len(told),
            },
        )
    ]  # fmt: skip


def rank(given: Sequence[Evidence]) -> list[Item]:
    """Items in the order in which to look at them; evidence that another of them was derived from is left out."""
    used = {ident for one in given for ident in one.inputs}
    last = [one for one in given if one.id not in used and one.quantity != "threshold"]
    ontology = load_ontology()
    ranked = _lesions(given)
    taken = {one.evidence.id for one in ranked}
    told = {one.id: one for one in given}
    abnormal = [
        one for one in last
        if one.state is State.MEASURED and one.details.get("normal") is False
        # what a rule says of a lesion comes with the lesion
        and ontology.get(one.target).kind != "lesion"
    ]  # fmt: skip
    ranked += _once(_item(_ABNORMAL, one, _words(one, told)) for one in abnormal)
    taken |= {one.id for one in abnormal}
    # A verdict that was weighed against others is still borderline.
    ranked += _once(_item(_BORDERLINE, one) for one in given if one.details.get("borderline") and one.id not in taken)
    for group, state in ((_UNMEASURED, State.NOT_MEASURABLE), (_UNASSESSED, State.NOT_ASSESSED)):
        open_ = [one for one in last if one.state is state and one.id not in taken]
        # What holds for the scan as a whole is said in its limitations; bones and muscles leave most scans.
        ranked += _once(_item(group, one) for one in open_ if ontology.get(one.target).kind in _OF_INTEREST)
    return ranked


def _words(one: Evidence, told: Mapping[str, Evidence]) -> str:
    """How a verdict completes "the structure …"; a weighed one has the words of the verdict that was chosen."""
    if one.details.get("disagree"):
        return "rules disagree"
    chosen = told.get(str(one.details.get("chosen")))
    text = one.details.get("text") or (chosen.details.get("text") if chosen else None)
    return str(text) if text else ""


def _said(one: Evidence, known: Mapping[str, Evidence]) -> str:
    """Words of the verdict that is against the norm: of several weighed ones, the one that is."""
    verdicts = [one, *(known[ident] for ident in one.inputs if ident in known)]
    against = [each for each in verdicts if each.details.get("normal") is False]
    texts = [str(each.details["text"]) for each in against if each.details.get("text")]
    values = [each.value for each in against if isinstance(each.value, str)]
    return next(iter([*texts, *values]), "")


def _lesions(given: Sequence[Evidence]) -> list[Item]:
    """Lesions that are there, the largest first; each class once, by the evidence that says most of its size."""
    ontology = load_ontology()
    best: dict[str, Evidence] = {}
    for one in given:
        if ontology.get(one.target).kind != "lesion" or "#" in one.target or not _there(one):
            continue
        known = best.get(one.target)
        if known is None or _SIZES[one.quantity] < _SIZES[known.quantity]:
            best[one.target] = one
    # "A lesion somewhere" says nothing beside the lesions of organs.
    within = {name: one for name, one in best.items() if ontology.get(name).organ}
    several = sorted((within or best).values(), key=lambda one: (_SIZES[one.quantity], _size(one), one.target))
    return [_item(_LESIONS, one) for one in several]


def _there(one: Evidence) -> bool:
    if one.quantity not in _SIZES:
        return False
    known = interval(one)
    return one.value is True if known is None else (known.value or known.low) > 0


def _size(one: Evidence) -> float:
    """Sort key: the larger, the earlier; a lower bound counts as it is."""
    known = interval(one)
    if known is None:
        return 0.0
    size = known.low if known.value is None else known.value
    if one.unit is not None and dimension(one.unit) == "volume":
        size = convert(size, one.unit, "mm3")
    return -size


def _item(group: str, one: Evidence, text: str = "") -> Item:
    ontology = load_ontology()
    name = " and ".join("scan" if part == "scan" else ontology.get(part).name for part in one.target.split("+"))
    # Only words: a number in the value would have no unit and no uncertainty.
    wordy = text and not any(character.isdigit() for character in text)
    return Item(group, one, f"{name} ({text})" if wordy else name)


def _once(items: Iterable[Item]) -> list[Item]:
    """The first item of each structure."""
    first: dict[str, Item] = {}
    for one in items:
        first.setdefault(one.evidence.target, one)
    return list(first.values())
