"""Places that stand for more than they name: "the one in the right kidney", "which lobe", "left or right"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agent.interpret.lexicon import Group
from agent.interpret.meaning import Slot
from agent.interpret.senses import Sensed
from agent.interpret.slots import on_side
from tools.ontology import is_pair, load_ontology

_NOUNS = frozenset({"the one in", "the one of", "the ones in", "the ones of", "one in"})
_DETERMINERS = frozenset({"that of", "that in", "those of", "those in"})
_QUANTITIES = frozenset({"VOLUME", "SIZE", "HU", "MEAN", "DIAMETER", "LONG_AXIS", "BURDEN", "COUNT"})
_MOST = frozenset({"HIGHEST", "HIGHER", "LOWEST", "LOWER", "COUNT", "VOLUME", "BURDEN", "BURDENED", "MAJORITY"})
_BETWEEN = frozenset({"DISTANCE", "ANGLE", "DIFFERENCE", "RATIO", "LENGTH", "TOUCHES"})
_CHOICE = frozenset({
    "LARGER", "SMALLER", "LARGEST", "SMALLEST", "DENSER", "LESS_DENSE", "DENSEST", "LEAST_DENSE", "LONGER", "SHORTER",
})  # fmt: skip
_LISTED = re.compile(r"^\S+( \S+)? (in|of|within|inside) .*\b(and|or)\b")
_OF = re.compile(r"\b(in|within|inside)\b.*\b(and|or) of\b")
_TISSUE = frozenset({
    "parenchyma", "parenchymal", "tissue", "surrounding", "background", "uninvolved", "healthy", "adjacent",
    "remaining",
})  # fmt: skip
_LOBES = ("liver_left_lobe", "liver_right_lobe")
_EITHER = re.compile(r"\b(left|right) or (in )?(the )?(left|right)\b")
_LOBE = re.compile(r"\blobes?\b")


def carried(kept: Sequence[Sensed], slots: Sequence[Slot], groups: Sequence[Group]) -> tuple[tuple[Slot, ...], bool]:
    """The lesion that "the one in the right kidney" means, after "the tumour in the left kidney".

    Returns:
        the places, and whether it is unclear what one of them stands for: beside a quantity, "that of the right
        kidney" may be the kidney's or that of the lesion in it.
    """
    ontology = load_ontology()
    measured = any(_QUANTITIES & set(group.concepts) for group in groups)
    found, unclear = list(slots), False
    for item, _ in kept:
        if item.text not in _NOUNS | _DETERMINERS:
            continue
        at = next((k for k, slot in enumerate(found) if slot.at >= item.end and slot.role == "structure"), None)
        lesion = (
            next((s for s in reversed(found[:at]) if ontology.get(s.ids[0]).kind == "lesion"), None) if at else None
        )
        if at is None or lesion is None or ontology.get(found[at].ids[0]).kind != "organ":
            continue
        here, first = found[at].ids[0], ontology.get(lesion.ids[0])
        counterpart = here in {on_side(first.organ, side) for side in ("left", "right")} if first.organ else True
        if item.text in _NOUNS or (not measured and counterpart):
            kind = first.lesion_type or first.id
            found[at] = replace(found[at], ids=(ontology.lesion_id(kind, here),))
        else:
            unclear = unclear or (counterpart and here != first.organ)
    return tuple(found), unclear


def shared(kept: Sequence[Sensed], slots: Sequence[Slot], groups: Sequence[Group]) -> tuple[tuple[Slot, ...], bool]:
    """Organs after "the tumour in the liver and …": lesions in them too, or the organs themselves.

    "The distance between the tumour in the liver and the stomach" is one to the stomach, and "which is larger, the
    tumour in the liver or the spleen?" may compare with the spleen.

    Returns:
        the places, and whether it is unclear what one of them is.
    """
    ontology = load_ontology()
    spoken = {c for group in groups for c in group.concepts}
    between = any(item.text in {"between", "in between"} for item, _ in kept) and bool(spoken & _BETWEEN)
    found: list[Slot] = []
    unclear = False
    for slot in slots:
        item = next((item for item, _ in kept if item.start == slot.at), None)
        ones = [ontology.get(i) for i in slot.ids]
        apart = len({ontology.get(one.organ).base for one in ones if one.organ}) == len(ones) > 1
        listed = item is not None and not item.plural and _LISTED.search(item.text) is not None
        if not (apart and listed and all(one.kind == "lesion" for one in ones)):
            found.append(slot)
        elif between and len(ones) == 2:
            organ = str(ones[1].organ)
            found += [replace(slot, ids=slot.ids[:1]), Slot((organ,), slot.end - 1, slot.end, related=True)]
        else:
            found.append(slot)
            unclear = unclear or bool(spoken & _CHOICE) or _OF.search(item.text if item else "") is not None
    return tuple(found), unclear


def in_its_organ(kept: Sequence[Sensed], slots: tuple[Slot, ...], groups: Sequence[Group]) -> tuple[Slot, ...]:
    """The tumour of an organ where "tumour minus parenchyma" names the organ whose tissue it is compared with."""
    ontology = load_ontology()
    attenuation = any({"HU", "DENSER", "LESS_DENSE"} & set(group.concepts) for group in groups)
    tissue = any(item.text in _TISSUE and role in {"article", "scan"} for item, role in kept)
    if not (attenuation and tissue) or len(slots) != 2 or any(len(slot.ids) != 1 for slot in slots):
        return slots
    first, second = (ontology.get(slot.ids[0]) for slot in slots)
    if first.kind != "lesion" or first.organ is not None or second.kind != "organ":
        return slots
    return (replace(slots[0], ids=(ontology.lesion_id(first.lesion_type or first.id, second.id),)), slots[1])


def in_lobes(kept: Sequence[Sensed], slots: tuple[Slot, ...], groups: Sequence[Group]) -> tuple[Slot, ...]:
    """The two lobes of the liver where "which lobe" is asked for and not "which segment"."""
    ontology = load_ontology()
    spoken = {c for group in groups for c in group.concepts}
    lobe = any(role == "concept" and _LOBE.search(item.text) for item, role in kept)
    named = [slot for slot in slots if slot.role == "structure"]
    if not lobe or not {"WHICH", "PART"} <= spoken or not spoken & _MOST or not named:
        return slots
    ids = [ontology.get(i) for slot in named for i in slot.ids]
    if any("liver" not in {one.id, one.organ} and (one.kind != "lesion" or one.organ) for one in ids):
        return slots
    kinds = [one.lesion_type or one.id for one in ids if one.kind == "lesion"]
    if len(kinds) > 1 or not any("liver" in {one.id, one.organ} for one in ids):
        return slots
    lobes = [ontology.lesion_id(kinds[0], lobe) if kinds else lobe for lobe in _LOBES]
    first = named[0]
    return tuple(replace(first, ids=(ident,), joined=n > 0, related=n > 0) for n, ident in enumerate(lobes))


def on_either_side(kept: Sequence[Sensed], slots: Sequence[Slot], groups: Sequence[Group]) -> Slot | None:
    """The lesion whose side is asked for by naming both ("is the cyst left or right?").

    "Is there a cyst in the left or right kidney?" asks something else.
    """
    ontology = load_ontology()
    if not slots or slots[0].role != "structure" or ontology.get(slots[0].ids[0]).kind != "lesion":
        return None
    lesion = ontology.get(slots[0].ids[0])
    told = {c for group in groups for c in group.concepts} - {"LARGEST"}
    text = next((item.text for item, _ in kept if item.start == slots[-1].at), "")
    if len(slots) == 1:
        paired = lesion.organ is not None and is_pair(lesion.organ)
        return slots[0] if paired and not told and _EITHER.search(text) else None
    if [slot.role for slot in slots[1:]] == ["side", "side"]:
        return slots[0] if slots[2].joined and slots[1].ids != slots[2].ids else None
    if len(slots) != 2 or len(slots[1].ids) != 1 or not is_pair(slots[1].ids[0]):
        return None
    if told or not _EITHER.search(text) or lesion.organ not in {None, slots[1].ids[0]}:
        return None
    return replace(slots[0], ids=(ontology.lesion_id(lesion.lesion_type or lesion.id, slots[1].ids[0]),))


def single_largest(
    kept: Sequence[Sensed], slots: tuple[Slot, ...], groups: list[Group]
) -> tuple[tuple[Slot, ...], list[Group]]:
    """The largest lesion of a class as a structure of its own, where its distance from another structure is asked for.

    Where the organ of the lesion is not told with it ("the largest cyst"), the word stays, and no kind takes it.
    """
    ontology = load_ontology()
    if not any("DISTANCE" in group.concepts for group in groups):
        return slots, groups
    told = [item for item, _ in kept if not (item.is_filler("article") and item.group is None)]
    for item, then in pairwise(told):
        at = next((n for n, slot in enumerate(slots) if slot.at == then.start), None)
        largest = item.group is not None and item.group.concepts == ("LARGEST",)
        if not largest or at is None or len(slots[at].ids) != 1 or then.plural:
            continue
        lesion = ontology.get(slots[at].ids[0])
        if lesion.kind == "lesion" and lesion.organ is not None and "#" not in lesion.id:
            numbered = replace(slots[at], ids=(f"{lesion.id}#1",))
            rest = [group for group in groups if group is not item.group]
            return (*slots[:at], numbered, *slots[at + 1 :]), rest
    return slots, groups
