"""Lesions and where they are: lesions and organs named apart, shares, vessels, and types offered as answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agent.interpret.meaning import Slot
from agent.query import StructureNeed
from tools.ontology import is_pair, load_ontology

_STAGE = re.compile(r"vertebrae_T[1-4]")
_HOSTS = frozenset({"organ", "vessel", "bone", "muscle", "cavity"})
ANY_TUMOR = "tumor"


@dataclass(frozen=True)
class Offered:
    """Lesion types that a question offers as answers: the slots left, and the types in order."""

    slots: tuple[Slot, ...]
    types: tuple[str, ...] = ()


def within(inner: str, outer: str) -> bool:
    """Whether a structure is another one, or lies in it: a side of a pair, a segment, a lobe, a pole."""
    parts = load_ontology().get(inner).parts
    if inner in load_ontology().get(outer).parts:
        return True
    return outer in _around(inner) or (bool(parts) and all(outer in _around(part) for part in parts))


def _around(ident: str) -> set[str]:
    """A structure and all that it is a part, a side or a region of."""
    ontology, found, queue = load_ontology(), set[str](), [ident]
    while queue:
        here = queue.pop()
        if here in found:
            continue
        found.add(here)
        one = ontology.get(here)
        queue += [above for above in (one.part_of, one.base if one.side else None) if above]
    return found


def split(slots: Sequence[Slot]) -> tuple[list[Slot], list[Slot]] | None:
    """Places of organs and places of lesions; None where a list mixes them ("the liver and the tumour")."""
    organs: list[Slot] = []
    lesions: list[Slot] = []
    for slot in slots:
        into = lesions if is_lesion(slot.ids[0]) else organs
        if slot.joined and not into:
            return None
        into.append(slot)
    return organs, lesions


def is_lesion(ident: str) -> bool:
    """Whether an identifier is that of a lesion class."""
    return load_ontology().get(ident).kind == "lesion"


def placed(slots: Sequence[Slot], need: StructureNeed, concepts: frozenset[str]) -> tuple[Slot, ...] | None:
    """Lesions named apart from their organ or its regions, put together: "does the liver have cysts?".

    Organs alone stand for the lesions in them where `need` says so. None where it is unclear what lies where.
    """
    organs = [slot for slot in slots if not is_lesion(slot.ids[0])]
    lesions = [slot for slot in slots if is_lesion(slot.ids[0])]
    if any(before.ids and slot.owned and not is_lesion(before.ids[0]) for before, slot in pairwise(slots)):
        return None  # "the liver and its lesions"
    if _apart(slots):
        return None  # "the liver and liver metastasis 2"
    if len(organs) > 2 or (len(organs) > 1 and not organs[1].joined):
        organs = [slot for slot in organs if not _holds_the_others(slot, organs)]
    if not organs:
        return tuple(lesions)
    if not lesions:
        speaks = concepts & {"BURDEN", "BURDENED", "OF_LESIONS"}
        if not need.lesions or not speaks:
            return None
        return tuple(_moved(slot, "lesion") for slot in organs)
    if any(load_ontology().get(i).kind not in _HOSTS for slot in organs for i in slot.ids):
        return None
    if any(_STAGE.fullmatch(slot.ids[0]) and slot.end - slot.at == 1 for slot in organs):
        return None  # "is the tumour T1?" asks for its stage
    return _united(organs, lesions, need)


def _apart(slots: Sequence[Slot]) -> bool:
    """Whether an organ and a lesion stand side by side, each for itself: joined by "and", or the lesion numbered."""
    return any(
        after.joined and is_lesion(before.ids[0]) != is_lesion(after.ids[0])
        and (after.added or any("#" in ident for ident in (*before.ids, *after.ids)))
        for before, after in pairwise(slots)
    )  # fmt: skip


def _holds_the_others(slot: Slot, organs: Sequence[Slot]) -> bool:
    """Whether a place is the whole of which all others are parts ("which liver segment …, 4 or 8?")."""
    return all(other is slot or (other.ids != slot.ids and within(other.ids[0], slot.ids[0])) for other in organs)


def _united(organs: list[Slot], lesions: list[Slot], need: StructureNeed) -> tuple[Slot, ...] | None:
    numbers = {ident.partition("#")[2] for slot in lesions for ident in slot.ids}
    united = _united_classes(organs, [_class(slot) for slot in lesions], need)
    if united is None or numbers == {""}:
        return united
    ids = [ident for slot in united for ident in slot.ids]
    # "Lesion 2 in the liver" is the second of the liver's lesions; of several, or in several places, none is meant.
    alone = len(ids) == len(numbers) == 1 and load_ontology().get(ids[0]).kind == "lesion"
    return (replace(united[0], ids=(f"{ids[0]}#{numbers.pop()}",)),) if alone else None


def _class(slot: Slot) -> Slot:
    """A place for lesions without their numbers."""
    return replace(slot, ids=tuple(ident.partition("#")[0] for ident in slot.ids))


def _united_classes(organs: list[Slot], lesions: list[Slot], need: StructureNeed) -> tuple[Slot, ...] | None:
    ontology = load_ontology()
    kinds = {(ontology.get(i).lesion_type or i, ontology.get(i).organ) for slot in lesions for i in slot.ids}
    hosts = {organ for _, organ in kinds}
    types = list(dict.fromkeys(ontology.get(i).lesion_type or i for slot in lesions for i in slot.ids))
    if hosts == {None}:
        if min(sum(len(s.ids) for s in organs), len(types)) != 1 or (len(organs) > 1 and len(types) > 1):
            return None
        if len(types) == 1:
            return tuple(_moved(slot, types[0]) for slot in organs)
        return tuple(
            replace(slot, ids=tuple(ontology.lesion_id(ontology.get(i).lesion_type or i, organs[0].ids[0])
                                    for i in slot.ids)) for slot in lesions
        )  # fmt: skip
    if len(hosts) != 1 or len(types) != 1:
        return None
    host = str(next(iter(hosts)))
    inside = [all(within(i, host) for i in slot.ids) for slot in organs]
    around = [all(within(host, i) for i in slot.ids) for slot in organs]
    if all(inside):
        places = [slot for slot in organs if slot.ids != (host,)]
        if not places and (organs[0].joined or lesions[0].joined):
            return None  # "the liver and the liver metastases": no place of them, it is asked about itself
        return tuple(_moved(slot, types[0]) for slot in places) if places else tuple(lesions)
    if all(around):
        return tuple(lesions)
    if need.lesions and not any(inside) and not any(around):
        both = [*lesions, *(_moved(slot, types[0]) for slot in organs)]
        return tuple(sorted(both, key=lambda slot: slot.at))
    return None


def _moved(slot: Slot, lesion_type: str) -> Slot:
    ontology = load_ontology()
    return replace(slot, ids=tuple(ontology.lesion_id(lesion_type, organ) for organ in slot.ids))


def share(slots: Sequence[Slot], concepts: frozenset[str]) -> tuple[str, str] | None:
    """Lesion and organ of a share: named both, or one of them where the other follows from it."""
    ontology, parted = load_ontology(), split(slots)
    if parted is None or any(len(slot.ids) > 1 for slot in slots) or max(map(len, parted)) > 1:
        return None
    organs, lesions = parted
    if not lesions:
        return (
            (ontology.lesion_id("lesion", organs[0].ids[0]), organs[0].ids[0])
            if organs and "BURDEN" in concepts else None
        )  # fmt: skip
    lesion = ontology.get(lesions[0].ids[0])
    if not organs:
        return (lesion.id, lesion.organ) if lesion.organ else None
    organ = organs[0].ids[0]
    if "PERCENT" in concepts and not concepts & {"BURDEN", "RATIO"} and lesions[0].at < organs[0].at:
        return None  # "what share of the tumour is in the liver?" asks for another share
    if lesion.organ is None:
        return ontology.lesion_id(lesion.lesion_type or lesion.id, organ), organ
    if organ in {lesion.organ, ontology.get(lesion.organ).base}:
        return lesion.id, organ
    return (ontology.lesion_id(lesion.lesion_type or lesion.id, organ), organ) if within(organ, lesion.organ) else None


def with_vessels(slots: Sequence[Slot]) -> tuple[tuple[str, str], ...] | None:
    """Lesion and vessel, for each vessel named; any tumour where the question names no lesion."""
    ontology = load_ontology()
    vessels = [i for slot in slots for i in slot.ids if ontology.get(i).kind == "vessel"]
    others = [slot for slot in slots if ontology.get(slot.ids[0]).kind != "vessel"]
    if any(slot.joined and not is_lesion(slot.ids[0]) for slot in others):
        return None  # "does it touch the artery or the stomach?"
    lesions = placed(others, StructureNeed(), frozenset()) if others else ()
    if not vessels or lesions is None or any(ontology.get(i).kind != "lesion" for s in lesions for i in s.ids):
        return None
    ids = [i for slot in lesions for i in slot.ids] or [ANY_TUMOR]
    return tuple((ids[0], vessel) for vessel in dict.fromkeys(vessels)) if len(ids) == 1 else None


def offered(slots: Sequence[Slot], need: StructureNeed) -> Offered:
    """Lesion types that stand as possible answers beside a more general lesion, or several in a row by themselves."""
    ontology = load_ontology()
    kinds = [ontology.get(slot.ids[0]).lesion_type if len(slot.ids) == 1 else None for slot in slots]
    named = [n for n, kind in enumerate(kinds) if kind in need.choices]
    for subject, general in enumerate(kinds):
        special = [n for n in named if kinds[n] != general and general in ontology.ancestors(str(kinds[n]))]
        answers = [n for n in special if n > subject] or (special if len(special) > 1 else [])
        # "The lesion and the cyst" are two things, "the lesion, a cyst or a tumor" is one.
        if general is not None and answers and (len(answers) > 1 or not slots[answers[0]].joined):
            rest = [slot for n, slot in enumerate(slots) if n not in answers]
            return Offered(tuple(replace(slot, joined=False) for slot in rest), tuple(str(kinds[n]) for n in answers))
    if len(named) > 1 and len(named) == sum(kind is not None for kind in kinds):
        rest = [slot for n, slot in enumerate(slots) if n not in named]
        return Offered(tuple(rest), tuple(str(kinds[n]) for n in named))
    return Offered(tuple(slots))


def without_general(slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Leave out "lesion" in "what type of lesion is the kidney lesion?": one of no organ beside one that is told."""
    ontology = load_ontology()
    told = {ontology.get(i).lesion_type for slot in slots for i in slot.ids if ontology.get(i).organ}
    kept = tuple(
        slot for slot in slots
        if not is_lesion(slot.ids[0]) or ontology.get(slot.ids[0]).organ or slot.joined
        or not any(slot.ids[0] in ontology.ancestors(str(kind)) for kind in told)
    )  # fmt: skip
    return kept or tuple(slots)


def offered_places(slots: Sequence[Slot]) -> Offered:
    """Regions of a lesion's organ that stand as possible answers after it: "is the tumour in the head or the tail?"."""
    ontology = load_ontology()
    lesions = [slot for slot in slots if is_lesion(slot.ids[0])]
    if len(lesions) != 1 or len(lesions[0].ids) != 1 or not slots or slots[0] is not lesions[0]:
        return Offered(tuple(slots))
    organ = ontology.get(lesions[0].ids[0]).organ
    after = [i for slot in slots[1:] for i in slot.ids]
    if organ is None or not after or not all(within(i, organ) for i in after):
        return Offered(tuple(slots))
    sides = ontology.get(organ).parts if is_pair(organ) and organ in after else ()
    return Offered(tuple(lesions), (*sides, *(i for i in after if i != organ)))


def related_type(one: str, other: str) -> bool:
    """Whether a lesion type is another one, more special, or more general."""
    ontology = load_ontology()
    return one in ontology.ancestors(other) or other in ontology.ancestors(one)
