"""Exclusions that a question's own words imply ("a kidney tumour, not counting cysts"); others refuse it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.interpret.items import Item
from agent.interpret.lexicon import load_lexicon
from agent.interpret.places import is_lesion, related_type, within
from tools.ontology import load_ontology

_BEFORE, _AFTER = ("WITHOUT",), ("LEFT_OUT",)
_OF_ORGANS = frozenset({"VOLUME", "SIZE", "HU", "BURDEN", "PERCENT", "RATIO", "DIFFERENCE", "FILLED", "MINUS"})
_TISSUE = frozenset({"HU", "MEAN", "MEDIAN", "SD", "RATIO", "DIFFERENCE", "MINUS", "THAN"})


def without_exclusions(items: Sequence[Item]) -> list[Item]:
    """Items in which a clause says nothing that excludes what the class asked about does not hold.

    Cysts are no tumours, and attenuation is that of the organ's tissue without its lesions. Any other exclusion
    keeps its words, which no kind of question takes.
    """
    items = list(items)
    for at, item in enumerate(items):
        concepts = item.group.concepts if item.group else ()
        if concepts == _BEFORE:
            start, stop = at, _list_end(items, at + 1)
            named = items[at + 1 : stop]
            if item.text == "leaving":
                stop += 1
                if stop > len(items) or items[stop - 1].text not in {"aside", "out"}:
                    continue
        elif concepts == _AFTER:
            start, stop = _list_begin(items, at), at + 1
            named = items[start:at]
            if start > 0 and items[start - 1].text == "with":
                start -= 1
        else:
            continue
        rest = [*items[:start], *items[stop:]]
        excluded = [i for one in named if one.role == "structure" for i in one.structures]
        behind = next((one for one in items[stop:] if not one.is_filler("article", "preposition", "pronoun")), None)
        ends = behind is None or behind.is_filler("joint", "mark", "aux", "polite", "scan") or start == 0
        if excluded and ends and _implied(excluded, rest):
            filler = load_lexicon().fillers_of[("please",)]
            text = " ".join(one.text for one in items[start:stop])
            aside = replace(
                items[start], role="filler", text=text, end=items[stop - 1].end, fillers=filler, group=None,
                structures=(), plural=False, unit=None, value=None,
            )  # fmt: skip
            return [*items[:start], aside, *items[stop:]]
    return items


def _list_end(items: Sequence[Item], at: int) -> int:
    """One past the structures of a list that begins here."""
    end = at
    while at < len(items) and (
        items[at].role == "structure" or items[at].is_filler("joint", "article") or items[at].text in {"any", "all"}
    ):
        at += 1
        if items[at - 1].role == "structure":
            end = at
        elif items[at - 1].text == "," and end > 0 and items[end - 1].role == "structure":
            break
    return end


def _list_begin(items: Sequence[Item], at: int) -> int:
    """The first of the structures of a list that ends here."""
    begin = at
    while at > 0 and (items[at - 1].role == "structure" or items[at - 1].text in {"and", "or", "any", "all", "the"}):
        at -= 1
        if items[at].role == "structure":
            begin = at
    return begin


def _implied(excluded: Sequence[str], rest: Sequence[Item]) -> bool:
    ontology = load_ontology()
    left_out = [ontology.get(i) for i in excluded]
    asked = [ontology.get(i) for item in rest if item.role == "structure" for i in item.structures]
    lesions = [one for one in asked if one.kind == "lesion"]
    if any(one.kind != "lesion" for one in left_out) or not asked:
        return False
    spoken = {c for item in rest if item.group for c in item.group.concepts}
    if lesions and len(lesions) < len(asked) and spoken & _OF_ORGANS:
        return False  # the organ's own volume holds its cysts
    if lesions:
        types = {one.lesion_type or one.id for one in lesions}
        return not any(related_type(kind, one.lesion_type or one.id) for kind in types for one in left_out)
    same = all(one.organ is None or any(within(host.id, one.organ) for host in asked) for one in left_out)
    general = all(one.lesion_type == "lesion" or one.id == "lesion" for one in left_out)
    return general and same and "HU" in spoken and spoken <= _TISSUE and not any(is_lesion(one.id) for one in asked)
