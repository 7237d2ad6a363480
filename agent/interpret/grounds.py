"""What a question wants an answer to rest on: "based on the spleen's volume, …" asks nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.interpret.items import Item
from agent.interpret.lexicon import Group, load_lexicon

GROUNDS = frozenset(
    {"CRITERIA", "HU_BASED", "SIZE_BASED", "VESSEL_BASED", "PRIOR", "RECIST", "FLEISCHNER", "RELATIVE", "PLAIN"}
)
"""Concepts that say by what a question is to be answered, in front of it or behind it."""
_BY = frozenset(
    {"based on", "judging by", "judging from", "given", "considering", "on the basis of", "according to", "going by"}
)
_MATCHING = frozenset({"corresponds to", "correspond to", "corresponding to", "matches", "match", "follows from"})
_INDICATE = frozenset({"indicate", "indicates", "suggest", "suggests", "support", "point to"})
_HU = frozenset({"HU", "RATIO"})
_SIZE = frozenset({"VOLUME", "SIZE", "DIAMETER", "LONG_AXIS", "SHORT_AXIS"})
_BESIDE = frozenset({"MEAN", "MEDIAN", "TOTAL", "LARGEST", "THAN", *_HU, *_SIZE})
# A fatty organ is judged on plain scans alone.
_PLAIN = frozenset({"unenhanced", "native", "non contrast", "noncontrast", "non enhanced", "plain"})
_SAYS_NOTHING = ("article", "preposition", "request", "scan", "what")


def without_grounds(items: Sequence[Item]) -> list[Item]:
    """Items in which "based on the liver's HU" is one concept, so that its quantity is not taken for the question.

    The structure that it names stays where the rest names none, and must be among those of the rest otherwise.
    """
    items = _indicating(items)
    graded = any(item.group is not None and {"GRADE", "FATTY"} & set(item.group.concepts) for item in items)
    by = _BY | _MATCHING if graded else _BY
    found: list[Item] = []
    at = 0
    while at < len(items):
        end = _end(items, at) if items[at].text in by else at
        concepts = {c for item in items[at:end] if item.group for c in item.group.concepts}
        if not concepts & (_HU | _SIZE):
            found.append(items[at])
            at += 1
            continue
        named = {i for item in items[at:end] if item.role == "structure" for i in item.structures}
        rest = {i for item in (*items[:at], *items[end:]) for i in item.structures}
        if named and rest and not named & rest and not any(i.startswith(f"{n}_") for i in rest for n in named):
            return list(items)
        name = "HU_BASED" if concepts & _HU else "SIZE_BASED"
        kept = tuple(sorted(named)) if named and not rest and len(named) == 1 else ()
        found.append(replace(
            items[at], role="concept", end=items[end - 1].end, structures=kept, fillers=(),
            text=" ".join(item.text for item in items[at:end]), group=Group(concepts=(name,), structures=kept),
        ))  # fmt: skip
        at = end
    return found


def _indicating(items: Sequence[Item]) -> list[Item]:
    """Items in which "does the liver HU indicate …" begins with one ground."""
    at = next((n for n, item in enumerate(items) if item.text in _INDICATE), None)
    if at is None or at < 2 or items[0].text not in {"does", "do"} or _end(items, 0, at) != at:
        return list(items)
    concepts = {c for item in items[1:at] if item.group for c in item.group.concepts}
    named = {i for item in items[1:at] if item.role == "structure" for i in item.structures}
    rest = {i for item in items[at:] for i in item.structures}
    if not concepts & (_HU | _SIZE) or (named and rest and not named & rest):
        return list(items)
    group = Group(concepts=("HU_BASED" if concepts & _HU else "SIZE_BASED",))
    kept = tuple(sorted(named)) if named and not rest and len(named) == 1 else ()
    text = " ".join(item.text for item in items[1:at])
    ground = Item("concept", items[1].start, items[at].end, text, kept, group)
    return [items[0], ground, *items[at + 1 :]]


def with_nor(items: Sequence[Item]) -> list[Item]:
    """Items in which "neither enlarged nor fatty" is "not enlarged and not fatty"; of structures, "nor" is "and"."""
    at = next((n for n, item in enumerate(items) if item.text == "neither"), None)
    if at is None or not any(item.text == "nor" for item in items[at:]):
        return list(items)
    following = next((item for item in items[at + 1 :] if not item.is_filler("article")), None)
    of_structures = following is not None and following.role == "structure"
    lexicon = load_lexicon()
    found: list[Item] = []
    for item in items:
        if item.text == "neither":
            group = lexicon.groups_of[("neither",) if of_structures else ("not",)]
            found.append(replace(item, role="concept", group=group, fillers=()))
        elif item.text == "nor":
            found.append(Item("filler", item.start, item.end, "and", fillers=lexicon.fillers_of[("and",)]))
            if not of_structures:
                found.append(Item("concept", item.end, item.end, "not", group=lexicon.groups_of[("not",)]))
        else:
            found.append(item)
    return found


def _end(items: Sequence[Item], at: int, stop: int | None = None) -> int:
    """One past the last item that belongs to a ground that begins here."""
    for n in range(at + 1, len(items) if stop is None else stop):
        one = items[n]
        quantity = one.group is not None and set(one.group.concepts) <= _BESIDE
        if not (
            quantity
            or one.role in {"structure", "side", "unit"}
            or one.is_filler(*_SAYS_NOTHING)
            or one.text in {"to", "and", "its"}
            or (one.group is not None and one.group.concepts == ("PLAIN",))
            or (one.text in _PLAIN and any(each.group and "FATTY" in each.group.concepts for each in items))
        ):
            return n
    return len(items) if stop is None else stop
