"""From places for structures to structures: pronouns and sides resolved, and given to a kind of question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.interpret.meaning import Meaning, Slot, is_plural_pronoun
from agent.interpret.numbered import takes_number
from agent.interpret.places import (
    Offered,
    is_lesion,
    offered,
    offered_places,
    placed,
    related_type,
    share,
    with_vessels,
    within,
    without_general,
)
from agent.query import Kind, StructureNeed
from tools.ontology import is_pair, load_ontology

Assignment = tuple[tuple[str, ...], ...]
_NO_HOSTS = frozenset({"vessel", "finding"})
_TOGETHER = frozenset({"TOTAL", "SUM"})
_LOBE = re.compile(r"(\w+)_(?:left|right)_lobe")
_COMPARING = frozenset({"THAN", "WHICH", "RATIO", "DIFFERENCE", "EXCEEDS", "COMPARE", "SAME", "MINUS", "ASYMMETRY"})


_INSIDE = frozenset({"in", "within", "inside"})
_HAVING = frozenset(
    {"has", "have", "got", "had", "contain", "contains", "show", "shows", "hold", "holds", "carry", "carries"}
)


@dataclass(frozen=True)
class Unresolved:
    """Why the places cannot be filled, as one sentence.

    `meant` are the structures of which one is meant, none where nothing was named; None where that is not the question.
    """

    reason: str
    meant: tuple[str, ...] | None = None


def resolve(meaning: Meaning, before: Sequence[str]) -> tuple[Slot, ...] | Unresolved:
    """Fill pronouns and sides from the clause itself or from the structures asked about before.

    A place that repeats a structure is dropped, and so is a pair of which the sides are named as well
    ("which kidney is larger, the left or the right?").
    """
    named = [slot for slot in meaning.slots if slot.role == "structure"]
    found: list[Slot] = []
    if (narrowed := _on_its_side(meaning, named)) is not None:
        return narrowed
    for slot in meaning.slots:
        if slot.role not in {"pronoun", "side"}:
            filled: Slot | Unresolved = slot
        elif slot.role == "pronoun":
            filled = _pronoun(slot, _holders(slot, meaning, [s for s in named if s.at < slot.at], before), before)
        else:
            filled = _side(slot, meaning, named, before)
        if isinstance(filled, Unresolved):
            return filled
        found.append(filled)
    return _without_repeats(found)


def _on_its_side(meaning: Meaning, named: Sequence[Slot]) -> tuple[Slot, ...] | None:
    """The one pair that a question names, on the side that follows it ("nephromegaly on the left?")."""
    sides = [slot for slot in meaning.slots if slot.role == "side"]
    if len(sides) != 1 or len(named) != 1 or len(meaning.slots) != 2 or len(named[0].ids) != 1:
        return None
    if sides[0].at < named[0].end or sides[0].ids == ("both",) or meaning.concepts() & _COMPARING or meaning.chosen:
        return None
    pair, side = load_ontology().get(named[0].ids[0]), sides[0].ids[0]
    ident = on_side(pair.id, side) if pair.side is None and is_pair(pair.organ or pair.id) else None
    between = [item for item in meaning.items if named[0].end <= item.start < sides[0].at]
    beside = all(item.role == "filler" and not item.is_filler("joint", "pronoun") for item in between)
    return (replace(named[0], ids=(ident,), end=sides[0].end),) if ident and beside else None


def _holders(slot: Slot, meaning: Meaning, earlier: Sequence[Slot], before: Sequence[str]) -> list[Slot]:
    """The organs named before "in it", where lesions are named as well: those are in it.

    Where lesions only are named ("any lesions in it?", "how many cysts does it have?"), it is the organ that was spoken
    of before.
    """
    inside = any(
        (item.end == slot.at and item.text in _INSIDE) or (item.start == slot.end and item.text in _HAVING)
        for item in meaning.items
    )
    organs = [one for one in earlier if not any(map(is_lesion, one.ids))]
    spoken_of = bool(before) and all(load_ontology().get(i).kind == "organ" for i in before)
    return organs if inside and (organs or spoken_of) else list(earlier)


def _pronoun(slot: Slot, earlier: Sequence[Slot], before: Sequence[str]) -> Slot | Unresolved:
    word = slot.ids[0]
    ids = [i for s in earlier for i in s.ids] or list(before)
    if not ids:
        return Unresolved(f'"{word}" refers to something named earlier, but nothing was', ())
    if len(ids) > 1 and not is_plural_pronoun(word):
        names = " or ".join(load_ontology().get(i).name for i in ids)
        return Unresolved(f'"{word}" may stand for {names}', tuple(ids))
    return replace(slot, ids=tuple(ids), role="referred")


def _side(slot: Slot, meaning: Meaning, named: Sequence[Slot], before: Sequence[str]) -> Slot | Unresolved:
    side = slot.ids[0]
    around = [i for s in named for i in s.ids if on_side(i, side)]
    if named and not (meaning.concepts() & _COMPARING or meaning.chosen):
        return Unresolved(f'It is unclear what "{side}" belongs to')
    ids = around or [] if named else [i for i in before if on_side(i, side)]
    bases = {on_side(i, side) for i in ids}
    if len(bases) != 1:
        if not named and not before:
            return Unresolved(f'"{side}" refers to something named earlier, but nothing was', ())
        meant = tuple(str(base) for base in bases) if bases and not named else None
        return Unresolved(f'It is unclear what "{side}" belongs to', meant)
    return replace(slot, ids=(str(bases.pop()),), role="resolved")


def on_side(ident: str, side: str) -> str | None:
    """The counterpart of a structure on a side (or the pair, for "both"); None where it has no sides."""
    ontology = load_ontology()
    one = ontology.get(ident)
    if one.kind == "lesion":
        located = on_side(one.organ, side) if one.organ else None
        return ontology.lesion_id(one.lesion_type or "lesion", located) if located else None
    if lobe := _LOBE.fullmatch(ident):
        other = f"{lobe.group(1)}_{side}_lobe"
        return other if other in ontology.structures else None
    paired = f"{one.base}_left" in ontology.structures and one.base in ontology.structures
    if not paired:
        return None
    return one.base if side == "both" else f"{one.base}_{side}"


def _without_repeats(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    ontology = load_ontology()
    kept: list[Slot] = []
    seen: list[str] = []
    slots = list(slots)
    everything = [i for slot in slots for i in slot.ids]
    for slot in slots:
        ids = []
        for ident in slot.ids:
            parts = ontology.get(ident).parts
            spelled_out = bool(parts) and all(part in everything for part in parts)
            if ident not in seen and not spelled_out:
                ids.append(ident)
                seen.append(ident)
        if ids:
            kept.append(replace(slot, ids=tuple(ids)))
    return tuple(kept)


@dataclass(frozen=True)
class Assigned:
    """The structures of each query of a kind.

    Attributes:
        structures: of each query.
        whole: whether the kind takes them as they are, not one query each.
        slots: the places after lesions and organs named apart were put together.
        types: lesion types that the question offers as answers.
    """

    structures: Assignment
    whole: bool
    slots: tuple[Slot, ...]
    types: tuple[str, ...] = ()


def assign(kind: Kind, slots: Sequence[Slot], concepts: frozenset[str]) -> Assigned | None:
    """The structures of each query of this kind; None where the kind does not take these structures."""
    need = kind.structures
    slots = tuple(slots)
    if need.max == 0:
        return Assigned(((),), True, ()) if not any(slot.role != "referred" for slot in slots) else None
    if need.share:
        pair = share(slots, concepts)
        return Assigned((pair,), True, slots) if pair and _allowed(kind, pair) else None
    if need.vessel:
        pairs = with_vessels(slots)
        numbered = pairs is not None and any("#" in ident for pair in pairs for ident in pair)
        return Assigned(pairs, len(pairs) == 1, slots) if pairs and not numbered else None
    slots, types = _asked_of(need, slots)
    united = slots
    if "organ" not in need.kinds and need.kinds:
        united = placed(slots, need, concepts) or slots
        if united == slots and _mixed(slots):
            return None
    elif need.max > 1 and kind.answer.form == "name" and _unplaced(slots):
        return None
    ids = [ident for slot in united for ident in slot.ids]
    listed = all(slot.joined for slot in united[1:]) or len(ids) != sum(len(slot.ids) for slot in slots)
    if "EACH" in concepts and not any("EACH" in alt for alt in kind.requires):
        return _each(kind, ids, united) if listed else None
    if need.parts and len(ids) == 1 and need.min == 2:
        ids = list(_sides(ids[0]))
    apart = len(united) > 1 and not (listed or all(slot.related for slot in united[1:]))
    named = kind.answer.form == "name" and (need.max > need.min or not all(slot.related for slot in united[1:]))
    if len(ids) > 1 and (apart or (not listed and (concepts & _TOGETHER or named))):
        return None
    if need.min <= len(ids) <= need.max:
        return Assigned((tuple(ids),), True, united, types) if _allowed(kind, ids) else None
    if need.each and len(ids) > need.max and listed and not concepts & _TOGETHER:
        single = tuple((i,) for i in ids)
        return Assigned(single, False, united, types) if all(_allowed(kind, one) for one in single) else None
    return None


def _asked_of(need: StructureNeed, slots: tuple[Slot, ...]) -> tuple[tuple[Slot, ...], tuple[str, ...]]:
    """The places that a kind asks of, and the answers that the question offers by naming types or regions."""
    if need.located and need.max == 1:
        slots = without_general(slots)
    found = Offered(slots)
    if need.choices:
        found = offered(slots, need)
    elif need.places:
        found = offered_places(slots)
    if found.types and not found.slots:
        return (Slot((_subject(need, found.types, slots),), -1, -1),), found.types
    if not found.slots and need.default:
        return (Slot((need.default,), -1, -1),), found.types
    return found.slots, found.types


def _subject(need: StructureNeed, types: Sequence[str], slots: Sequence[Slot]) -> str:
    """The lesion whose type is asked for where only the possible answers are named ("PDAC or PNET?")."""
    ontology = load_ontology()
    named = {organ for slot in slots for i in slot.ids if (organ := ontology.get(i).organ) is not None}
    if need.of:
        elsewhere = named - {ontology.get(need.of[0]).organ}  # "PDAC or PNET in the head?"
        return ontology.lesion_id("lesion", sorted(elsewhere)[0]) if elsewhere else need.of[0]
    organs: set[str | None] = {*named} or {ontology.lesion_types[one].organ for one in types}
    return ontology.lesion_id("lesion", next(iter(organs)) if len(organs) == 1 else None)


def _mixed(slots: Sequence[Slot]) -> bool:
    """Whether lesions of a known organ stand beside others of none ("more cysts than tumours in the kidneys")."""
    ontology = load_ontology()
    ones = [ontology.get(i) for slot in slots for i in slot.ids]
    return len({one.organ is None for one in ones}) > 1 and all(one.kind == "lesion" for one in ones)


def _unplaced(slots: Sequence[Slot]) -> bool:
    """Whether a lesion of no known organ stands among organs ("the lesion volume of segment 4 or 8")."""
    ontology = load_ontology()
    lesions = [ontology.get(i) for slot in slots for i in slot.ids if is_lesion(i)]
    return any(one.organ is None for one in lesions) and len(lesions) < sum(len(slot.ids) for slot in slots)


def _sides(ident: str) -> tuple[str, ...]:
    """Both sides of a pair, or of the lesions in one."""
    if is_pair(ident):
        return load_ontology().get(ident).parts
    return _lesions_by_side(ident) or (ident,)


def _each(kind: Kind, ids: Sequence[str], slots: tuple[Slot, ...]) -> Assigned | None:
    single = tuple((part,) for ident in ids for part in _sides(ident))
    if len(single) < 2 or kind.structures.max != 1 or not kind.structures.each:
        return None
    return Assigned(single, False, slots) if all(_allowed(kind, one) for one in single) else None


def _lesions_by_side(ident: str) -> tuple[str, ...]:
    """The lesions of each side of a paired organ; none for other lesions and structures."""
    ontology = load_ontology()
    one = ontology.get(ident)
    if one.kind != "lesion" or one.organ is None or not is_pair(one.organ):
        return ()
    return tuple(ontology.lesion_id(one.lesion_type or "lesion", side) for side in ontology.get(one.organ).parts)


def _allowed(kind: Kind, ids: Sequence[str]) -> bool:
    need, ontology = kind.structures, load_ontology()
    if need.only and tuple(ids) not in need.only:
        return False
    if need.of and any(i not in need.of for i in ids):
        return False
    for ident in ids:
        one = ontology.get(ident)
        if one.organ and ontology.get(one.organ).kind in _NO_HOSTS:
            return False  # "is the artery free of tumour?" asks whether a tumour touches it
        if not takes_number(need, ident) if "#" in ident else need.kinds and one.kind not in need.kinds:
            return False  # "how big is lesion 2?" is not asked of the class
        if need.types and one.lesion_type and not any(related_type(one.lesion_type, kind) for kind in need.types):
            return False
        organ = one.organ if one.kind == "lesion" else ident
        if need.regions and (organ is None or not ontology.get(organ).regions):
            return False
        if (need.located or need.organs) and organ is None:
            return False
        if need.organs and organ is not None and not any(within(organ, base) for base in need.organs):
            return False
    if need.max > need.min and "numbered" in need.kinds and any("#" in i for i in ids) != (len(ids) == need.max):
        return False  # two lesions by their numbers, or the two of a class
    hosts = [ontology.get(i).organ or i for i in ids]
    if kind.answer.form == "name" and any(a != b and within(a, b) for a in hosts for b in hosts):
        return False  # "more in the left kidney or in both?"
    return len(set(ids)) == len(ids)
