"""From places for structures to structures: pronouns and sides resolved, and given to a kind of question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.interpret.meaning import Meaning, Slot, is_plural_pronoun
from agent.query import Kind
from tools.ontology import is_pair, load_ontology

Assignment = tuple[tuple[str, ...], ...]
_STAGE = re.compile(r"vertebrae_T[1-4]")
_TOGETHER = frozenset({"TOTAL", "SUM"})
_COMPARING = frozenset({"THAN", "WHICH", "RATIO", "DIFFERENCE", "EXCEEDS"})


@dataclass(frozen=True)
class Unresolved:
    """Why the places cannot be filled, as one sentence."""

    reason: str


def resolve(meaning: Meaning, before: Sequence[str]) -> tuple[Slot, ...] | Unresolved:
    """Fill pronouns and sides from the clause itself or from the structures asked about before.

    A place that repeats a structure is dropped, and so is a pair of which the sides are named as well
    ("which kidney is larger, the left or the right?").
    """
    named = [slot for slot in meaning.slots if slot.role == "structure"]
    found: list[Slot] = []
    for slot in meaning.slots:
        if slot.role not in {"pronoun", "side"}:
            filled: Slot | Unresolved = slot
        elif slot.role == "pronoun":
            filled = _pronoun(slot, [s for s in named if s.at < slot.at], before)
        else:
            filled = _side(slot, meaning, named, before)
        if isinstance(filled, Unresolved):
            return filled
        found.append(filled)
    return _without_repeats(found)


def _pronoun(slot: Slot, earlier: Sequence[Slot], before: Sequence[str]) -> Slot | Unresolved:
    word = slot.ids[0]
    ids = [i for s in earlier for i in s.ids] or list(before)
    if not ids:
        return Unresolved(f'"{word}" refers to something named earlier, but nothing was')
    if len(ids) > 1 and not is_plural_pronoun(word):
        names = " or ".join(load_ontology().get(i).name for i in ids)
        return Unresolved(f'"{word}" may stand for {names}')
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
            return Unresolved(f'"{side}" refers to something named earlier, but nothing was')
        return Unresolved(f'It is unclear what "{side}" belongs to')
    return replace(slot, ids=(str(bases.pop()),), role="resolved")


def on_side(ident: str, side: str) -> str | None:
    """The counterpart of a structure on a side (or the pair, for "both"); None where it has no sides."""
    ontology = load_ontology()
    one = ontology.get(ident)
    if one.kind == "lesion":
        located = on_side(one.organ, side) if one.organ else None
        return ontology.lesion_id(one.lesion_type or "lesion", located) if located else None
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


def assign(kind: Kind, slots: Sequence[Slot], concepts: frozenset[str]) -> tuple[Assignment, bool] | None:
    """The structures of each query of this kind, and whether it takes them as they are (not one query each).

    None where the kind does not take these structures.
    """
    need = kind.structures
    if need.max == 0:
        return (((),), True) if not any(slot.role != "referred" for slot in slots) else None
    if any(step.args.get("structure") == "$lesion" for step in kind.chain):
        share = _share(slots, concepts)
        return ((share,), True) if share and _allowed(kind, share) else None
    ids = [ident for slot in slots for ident in slot.ids]
    if "organ" not in need.kinds and need.kinds:
        ids = _lesions_within(slots) or ids
    listed = all(slot.joined for slot in slots[1:]) or len(ids) != sum(len(slot.ids) for slot in slots)
    if "EACH" in concepts:
        return _each(kind, ids) if listed else None
    if need.parts and len(ids) == 1 and need.min == 2:
        ids = list(load_ontology().get(ids[0]).parts)
    apart = len(slots) > 1 and not (listed or all(slot.related for slot in slots[1:]))
    if len(ids) > 1 and (apart or (not listed and (concepts & _TOGETHER or kind.answer.form == "name"))):
        return None
    if need.min <= len(ids) <= need.max:
        return ((tuple(ids),), True) if _allowed(kind, ids) else None
    if need.each and len(ids) > need.max and listed and not concepts & _TOGETHER:
        return (tuple((i,) for i in ids), False) if all(_allowed(kind, (i,)) for i in ids) else None
    return None


def _each(kind: Kind, ids: Sequence[str]) -> tuple[Assignment, bool] | None:
    ontology = load_ontology()
    single = [part for ident in ids for part in (ontology.get(ident).parts or _lesions_by_side(ident) or (ident,))]
    if len(single) < 2 or kind.structures.max != 1 or not kind.structures.each:
        return None
    return (tuple((i,) for i in single), False) if all(_allowed(kind, (i,)) for i in single) else None


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
    return len(set(ids)) == len(ids) and all(not need.kinds or ontology.get(i).kind in need.kinds for i in ids)


def _split(slots: Sequence[Slot]) -> tuple[list[Slot], list[Slot]] | None:
    """Places of organs and places of lesions; None where a list mixes them ("the liver and the tumour")."""
    ontology = load_ontology()
    organs: list[Slot] = []
    lesions: list[Slot] = []
    for slot in slots:
        into = lesions if ontology.get(slot.ids[0]).kind == "lesion" else organs
        if slot.joined and not into:
            return None
        into.append(slot)
    return organs, lesions


def _lesions_within(slots: Sequence[Slot]) -> list[str] | None:
    """Lesions named apart from their organ: "does the liver have cysts?"."""
    ontology, split = load_ontology(), _split(slots)
    if split is None or not all(split):
        return None
    organs = [i for slot in split[0] for i in slot.ids]
    lesions = [i for slot in split[1] for i in slot.ids]
    if min(len(organs), len(lesions)) != 1 or any(ontology.get(i).organ for i in lesions):
        return None
    if any(_STAGE.fullmatch(slot.ids[0]) and slot.end - slot.at == 1 for slot in split[0]):
        return None  # "is the tumour T1?" asks for its stage
    if any(ontology.get(i).kind not in {"organ", "vessel", "bone", "muscle", "cavity"} for i in organs):
        return None
    return [ontology.lesion_id(ontology.get(i).lesion_type or i, organ) for organ in organs for i in lesions]


def _share(slots: Sequence[Slot], concepts: frozenset[str]) -> tuple[str, str] | None:
    """Lesion and organ of a share: named both, or one of them where the other follows from it."""
    ontology, split = load_ontology(), _split(slots)
    if split is None or any(len(slot.ids) > 1 for slot in slots) or max(map(len, split)) > 1:
        return None
    organs, lesions = split
    if not lesions:
        return (
            (ontology.lesion_id("lesion", organs[0].ids[0]), organs[0].ids[0])
            if organs and "BURDEN" in concepts else None
        )  # fmt: skip
    lesion = ontology.get(lesions[0].ids[0])
    if not organs:
        return (lesion.id, lesion.organ) if lesion.organ else None
    organ = organs[0].ids[0]
    if "PERCENT" in concepts and "BURDEN" not in concepts and lesions[0].at < organs[0].at:
        return None  # "what share of the tumour is in the liver?" asks for another share
    if lesion.organ is None:
        return ontology.lesion_id(lesion.lesion_type or lesion.id, organ), organ
    return (lesion.id, organ) if organ in {lesion.organ, ontology.get(lesion.organ).base} else None
