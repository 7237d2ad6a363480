"""What stands beside a question's own words: lists that share an organ, contrasts, and how a difference is formed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.interpret.items import Item
from agent.interpret.lexicon import load_lexicon
from agent.interpret.places import is_lesion, related_type, within
from agent.interpret.slots import on_side
from tools.ontology import load_ontology

_PLACED = re.compile(r"\b(in|of|within|inside)\b")
_LISTING = frozenset({"or", "and", "and or"})
_FORMED = frozenset({"computed", "calculated", "defined", "taken", "formed", "measured", "obtained", "determined"})
_FORMED_AS = frozenset({"expressed as", "given as", "reported as", "stated as", "written as"})
_CONTRASTS = (("and", "not"), ("but", "not"), ("not",), ("rather", "than"), ("instead", "of"), ("as", "opposed", "to"))
_TOGETHER = frozenset({"total", "combined", "sum", "together", "altogether", "many"})
_REMARK = re.compile(
    r"((?:the |this |that )?\w+(?: \w+)?) ((?:looks?|looked|seems?|seemed|appears?|appeared)(?: to be)?"
    r"(?: (?:pretty|quite|fairly|completely|perfectly|mostly|rather|entirely))? (?:clean|clear|fine|normal|ok|okay|"
    r"unremarkable|good|all right|alright|healthy)(?: to (?:me|us))?(?: at first (?:glance|sight))?(?: , but| but)?) "
    r"(?:, )?(?:did|do|does|is|are|can|could|have|has|any) "
)
_FOCAL = frozenset({"finding", "findings", "process", "processes", "anomaly", "anomalies"})


def plain_words(texts: list[str]) -> list[str]:
    """Words in which "anything focal" and "any focal finding" are "any lesion"; their number stays the same."""
    for at in range(len(texts) - 1):
        if texts[at] in {"anything", "something"} and texts[at + 1] == "focal":
            texts[at : at + 2] = ["any", "lesion"]
        elif texts[at] == "focal" and texts[at + 1] in _FOCAL:
            texts[at + 1] = "lesions" if texts[at + 1][-2:] in {"gs", "es"} else "lesion"
    return texts


def both_sides(texts: Sequence[str]) -> dict[int, int]:
    """Where "both sides" only repeats that the sides are taken together: its first word, and one past its last."""
    if not _TOGETHER & set(texts):
        return {}
    return {
        at: at + 2 for at in range(len(texts) - 1)
        if list(texts[at : at + 2]) == ["both", "sides"] and (at == 0 or texts[at - 1] not in {"on", "of", "from"})
    }  # fmt: skip


def remark(texts: Sequence[str]) -> dict[int, int]:
    """Where "the liver looks clean to me, did you find …" gives an opinion before its question: its words.

    The structure stays, since the question may go on to speak of "it".
    """
    told = _REMARK.match(" ".join(texts) + " ")
    if told is None:
        return {}
    at = len(told.group(1).split())
    return {at: at + len(told.group(2).split())}


def in_one_place(items: Sequence[Item]) -> list[Item]:
    """Items in which "a cyst or tumour in the right kidney" has the cyst in the right kidney as well."""
    ontology, found = load_ontology(), list(items)
    for end in range(len(found) - 1, 0, -1):
        last = found[end]
        if not (_one_lesion(last) and _PLACED.search(last.text)):
            continue
        organ, at = ontology.get(last.structures[0]).organ, end
        while organ is not None and (before := _listed_before(found, at, last=at == end)) is not None:
            if not _one_lesion(found[before]):
                break
            kind = ontology.get(found[before].structures[0])
            own = ontology.lesion_types.get(kind.lesion_type or kind.id)
            if kind.organ is not None and (own is None or kind.organ != own.organ or not within(organ, kind.organ)):
                break
            placed = ontology.lesion_id(kind.lesion_type or kind.id, organ)
            found[before] = replace(found[before], structures=(placed,))
            at = before
    return found


def _one_lesion(item: Item) -> bool:
    return item.role == "structure" and len(item.structures) == 1 and is_lesion(item.structures[0])


def _listed_before(items: Sequence[Item], at: int, *, last: bool) -> int | None:
    """The place before "or [a]" (before the last of a list) or before a comma."""
    joint = at - 1
    while joint > 0 and items[joint].text in {"a", "an", "any"}:
        joint -= 1
    fits = joint > 0 and (items[joint].text in _LISTING or (not last and items[joint].text == ","))
    return joint - 1 if fits else None


def sides_behind(items: Sequence[Item]) -> list[Item]:
    """Items in which "kidney volume, left" is "left kidney volume", and "…, left and right" asks of both in turn."""
    end = len(items)
    while end > 0 and (items[end - 1].role == "side" or items[end - 1].text == "and"):
        end -= 1
    tail = [item for item in items[end:] if item.role == "side"]
    told = [n for n, item in enumerate(items[:end]) if item.role in {"structure", "side", "unknown"} or item.structures]
    comma = end > 0 and items[end - 1].text in {",", ":"}
    asked = any(item.is_filler("aux", "pronoun") or (item.group and item.group.comparator) for item in items)
    opens = comma and bool(items) and items[0].is_filler("what", "request")
    if not tail or len(told) != 1 or (asked and not opens) or len(items[told[0]].structures) != 1:
        return list(items)
    named = items[told[0]]
    sided = [on_side(named.structures[0], item.structures[0]) for item in tail]
    if load_ontology().get(named.structures[0]).side is not None or not all(sided):
        return list(items)
    text = " and ".join(item.text for item in tail)
    found = replace(named, structures=tuple(str(one) for one in sided), text=f"{text} {named.text}")
    kept = [*items[: told[0]], found, *items[told[0] + 1 : end - comma]]
    return [*kept, _aside(items[end - comma :])]


def without_contrast(items: Sequence[Item]) -> list[Item]:
    """Items in which "why did you call it a cyst and not a tumour?" asks why it was called a cyst.

    Only where the reason of a verdict is asked for: it is the same whatever the verdict is set against.
    """
    if not any(item.group is not None and item.group.concepts == ("WHY",) for item in items):
        return list(items)
    for at in range(2, len(items) - 1):
        size = next((len(one) for one in _CONTRASTS if tuple(i.text for i in items[at : at + len(one)]) == one), 0)
        told = [item for item in items[at + size :] if not item.is_filler("article")]
        named = len(told) == 1 and (_one_lesion(told[0]) or (told[0].group is not None and told[0].group.category))
        if size and named:
            return [*items[:at], _aside(items[at:])]
    return list(items)


def without_formula(items: Sequence[Item]) -> list[Item]:
    """Items in which "the difference between A and B, computed as A minus B" says the order that it has anyway."""
    at = next(
        (
            n for n in range(1, len(items) - 2)
            if items[n].text in _FORMED_AS or (items[n].text in _FORMED and items[n + 1].text == "as")
        ),
        None,
    )  # fmt: skip
    if at is None or not any(item.group and "DIFFERENCE" in item.group.concepts for item in items[:at]):
        return list(items)
    tail = [item for item in items[at + (1 if items[at].text in _FORMED_AS else 2) :] if not item.is_filler("article")]
    minus = len(tail) == 3 and tail[1].group is not None and tail[1].group.concepts == ("MINUS",)
    named = [item for item in items[:at] if item.role == "structure" and len(item.structures) == 1]
    if not minus or len(named) != 2 or not all(map(_again, (tail[0], tail[2]), named)):
        return list(items)
    return [*items[:at], _aside(items[at:])]


def _again(repeated: Item, named: Item) -> bool:
    """Whether an item names what another one did, perhaps in short ("the tumour" of the pancreatic tumour)."""
    if repeated.role != "structure" or len(repeated.structures) != 1:
        return False
    short, full = (load_ontology().get(item.structures[0]) for item in (repeated, named))
    lesions = short.kind == full.kind == "lesion" and short.organ is None
    alike = lesions and related_type(short.lesion_type or short.id, full.lesion_type or full.id)
    return short.id == full.id or alike or short.base == full.base == short.id


def _aside(items: Sequence[Item]) -> Item:
    text = " ".join(item.text for item in items)
    return Item("filler", items[0].start, items[-1].end, text, fillers=load_lexicon().fillers_of[("please",)])
