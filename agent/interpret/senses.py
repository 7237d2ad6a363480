"""The sense of each item of a clause: a word may be a concept in one question and a filler in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.interpret.items import Item
from agent.interpret.lexicon import Filler, load_lexicon
from agent.interpret.meaning import Slot

Sensed = tuple[Item, str]
_RELATING = frozenset({"to", "from"})
_QUANTITIES = frozenset(
    {"VOLUME", "SIZE", "HU", "MEAN", "MEDIAN", "SD", "DIAMETER", "LONG_AXIS", "SHORT_AXIS", "TOTAL", "LARGEST"}
)


def senses(items: Sequence[Item]) -> list[Sensed]:
    """Each item with its sense: its own role, or the class of the filler that it is here."""
    lexicon = load_lexicon()
    concepts = Counter(c for item in items if item.group for c in set(item.group.concepts))
    concepts.update(
        lexicon.implied[dimension]
        for item in items
        if item.unit and (dimension := lexicon.dimension(item.unit)) in lexicon.implied
    )
    return [(item, _sense(item, n, items, concepts)) for n, item in enumerate(items)]


def _sense(item: Item, n: int, items: Sequence[Item], concepts: Counter[str]) -> str:
    if item.text in {"one", "ones"} and n and items[n - 1].role == "side":
        return "one"
    if n == 0 and item.text == "show":
        return "request"
    following = items[n + 1].group if n + 1 < len(items) else None
    if item.text == "which" and following is not None and set(following.concepts) <= _QUANTITIES:
        return "what"
    if item.text == "mean" and n == len(items) - 1 and any(other.text in {"do", "does"} for other in items):
        return "unknown"  # "what does HU mean?" asks for a definition
    if item.fillers:
        others = concepts - Counter(set(item.group.concepts) if item.group else ())
        for filler in item.fillers:
            if filler.beside and not others.keys().isdisjoint(filler.beside):
                if filler.without_number and any(other.role == "number" for other in items):
                    continue
                if filler.beside_structures and not any(other.role == "structure" for other in items):
                    continue
                return _filler_role(filler, item, n, items)
    if item.group:
        return "concept"
    for filler in item.fillers:
        numbered = filler.without_number and any(other.role == "number" for other in items)
        if not filler.beside and not numbered:
            return _filler_role(filler, item, n, items)
    return "unknown" if item.role in {"filler", "unknown"} else item.role


def _filler_role(filler: Filler, item: Item, n: int, items: Sequence[Item]) -> str:
    following = items[n + 1] if n + 1 < len(items) else None
    if filler.role == "pronoun":
        if item.text == "itself" and n and items[n - 1].role == "structure":
            return "article"  # "the colon itself"
        determines = following is not None and (following.role == "structure" or following.is_filler("scan"))
        if item.text in {"this", "that", "these", "those", "their"} and determines:
            return "article"
        return "pronoun"
    if filler.role in {"about", "stop"}:
        return "unknown"
    return str(filler.role)


def without_lead(items: Sequence[Item]) -> tuple[list[Item], bool]:
    """A clause without the words that only lead into or out of it, and whether they continue ("and", "what about")."""
    led, at = False, 0
    while at < len(items) and items[at].is_filler("joint", "about", "mark", "polite", "stop"):
        if items[at].group and not items[at].is_filler("about"):
            break
        led = led or items[at].is_filler("about") or items[at].text == "and"
        at += 1
    rest = list(items[at:])
    while rest and rest[-1].is_filler("joint", "stop", "mark") and not rest[-1].group:
        rest.pop()
    return rest, led


def slots_of(kept: Sequence[Sensed]) -> tuple[Slot, ...]:
    """Places of structures, in order."""
    slots: list[Slot] = []
    linked, gap, related, relating, than, added = False, False, False, False, False, False
    for item, role in kept:
        relating = relating or (item.group is not None and item.group.relates)
        if role in {"structure", "side", "pronoun"} or (role == "concept" and item.structures):
            ids = item.structures or (item.text,)
            kind = "structure" if role == "concept" else role
            joined = bool(slots) and linked and not gap
            beside = bool(slots) and item.start == slots[-1].end
            owner = slots[-1] if slots and slots[-1].role == "pronoun" and not (gap or linked) else None
            owned = owner is not None and owner.joined and owner.ids[0] in {"its", "their"}
            slots.append(
                Slot(ids, item.start, item.end, kind, joined, related or linked or beside, owned, joined and added)
            )
            linked, gap, related, added = False, False, False, False
        elif role == "joint" or (role == "concept" and item.is_filler("joint")):
            linked = True
            added = item.text == "and"
        elif relating and role == "preposition" and item.text != "of":
            related = True
        elif item.text in _RELATING or (item.group and (item.group.marker or item.group.relates)):
            related = gap = True
            than = than or bool(item.group and item.group.marker)
        elif role == "concept" and item.group and set(item.group.concepts) <= _QUANTITIES:
            continue
        elif role == "aux" and than and slots:
            related = gap = True  # "how much darker than the liver is the lesion?"
        elif role not in {"article", "preposition", "polite", "mark"}:
            gap = True
    return tuple(slots)
