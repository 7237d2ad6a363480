"""One lesion by its number in the lesion table: "liver metastasis 2", "the second largest", "the smaller one".

The largest lesion of a class is the first. A numbered lesion is the class with its number behind it
(``liver_metastasis#2``); 0 stands for the smallest, whose number the question does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.interpret.items import Item
from agent.interpret.lexicon import load_lexicon
from agent.interpret.ordinals import CARDINALS, MOST
from agent.interpret.scan_words import Token
from agent.query import Query, StructureNeed
from tools.ontology import load_ontology

_EXTREMES: dict[tuple[str, ...], int] = {("LARGEST",): 1, ("SMALLEST",): 0}
_COMPARING = frozenset({"COMPARE", "DIFFERENCE", "DISTANCE"})
_MARKER = re.compile(r"#(\d+|next|other|large|small)")
_THEY = frozenset({"they", "them", "these", "those"})
_AFTER_LARGEST = frozenset({
    "lesion_diameter", "lesion_largest_volume", "lesion_location", "lesion_slice", "lesion_hu", "lesion_short_axis",
})  # fmt: skip


@dataclass(frozen=True)
class Past:
    """The lesions that the question before was about.

    Attributes:
        name: their class.
        numbers: those that it named; none where it was about the class.
        largest: whether it was about the largest.
    """

    name: str
    numbers: tuple[int, ...]
    largest: bool


def past_of(queries: Sequence[Query]) -> Past | None:
    """The lesions of the last question; None where it was about none, or about several classes."""
    ids = [i for query in queries for i in query.structures]
    names = {i.partition("#")[0] for i in ids}
    if len(names) != 1 or load_ontology().get(name := names.pop()).kind != "lesion":
        return None
    numbers = tuple(int(i.partition("#")[2]) for i in ids if "#" in i)
    return Past(name, numbers, not numbers and queries[-1].kind in _AFTER_LARGEST)


def spoken_of(previous: Sequence[Query]) -> list[Query]:
    """What was asked before, "the other one" as the lesion that it was; where it was none, nothing was asked."""
    kept: list[Query] = []
    for query in previous:
        if query.kind != "other_lesion":
            kept.append(query)
            continue
        name, _, number = query.structures[0].partition("#")
        if number in {"1", "2"}:
            other = (f"{name}#{3 - int(number)}",)
            kept.append(query.model_copy(update={"kind": "lesion_numbered", "structures": other}))
        else:
            kept.clear()
    return kept


def numbered(items: Sequence[Item], past: Past | None, classes: Sequence[str] = ()) -> list[Item] | None:
    """The items of a sentence with single lesions in place of classes with a number.

    Args:
        items: what the words are, the marks of `counted` among them.
        past: the lesions that were spoken of before.
        classes: lesion classes of the scan; where one of them only can be meant, "lesion 2" is one of it.

    Returns:
        the items; None where the sentence names no single lesion, or one that cannot be told.
    """
    found: list[Item] = []
    told = False
    at = 0
    while at < len(items):
        one = _of_class(items, at, past) or _alone(items, at, past, found)
        if one is None:
            found.append(items[at])
            at += 1
            continue
        made, at = one
        told = True
        found += made
    return [_located(as_named(item), classes) for item in _extremes(found)] if told else None


def _extremes(items: Sequence[Item]) -> list[Item]:
    """The items with "the largest and" in front of a numbered lesion as the first lesion of its class."""
    found = list(items)
    for n in range(len(items) - 3, -1, -1):
        here, then = items[n], items[n + 1 :]
        extreme = _EXTREMES.get(here.group.concepts) if here.group else None
        if extreme is None or not then[0].is_filler("joint"):
            continue
        after = next((item for item in then[1:] if not item.is_filler("article")), None)
        if after is not None and after.role == "structure" and "#" in after.structures[0]:
            found[n] = _single([here], after.structures[0].partition("#")[0], extreme)
    return found


def as_named(item: Item) -> Item:
    """An organ that stands in a list before a lesion ("the spleen and liver cysts"), as itself and not as a class."""
    if item.role != "structure" or "#" in item.structures[0]:
        return item
    ontology = load_ontology()
    alone = [one.structure for one in ontology.mentions(item.text.split()) if not one.side_only]
    lesions = all(ontology.get(ident).kind == "lesion" for ident in item.structures)
    organs = bool(alone) and all(ontology.get(ident).kind != "lesion" for ident in alone)
    return replace(item, structures=tuple(alone)) if lesions and organs else item


def _located(item: Item, classes: Sequence[str]) -> Item:
    """A lesion that no organ is told of, as that of the only class that it may belong to."""
    meant = may_be(item, classes)
    if len(meant) != 1:
        return item
    return replace(item, structures=(f"{meant[0]}#{item.structures[0].partition('#')[2]}",))


def may_be(item: Item, classes: Sequence[str]) -> list[str]:
    """The classes of a scan that a numbered lesion of no organ may belong to; none for anything else."""
    ontology = load_ontology()
    if item.role != "structure" or "#" not in item.structures[0]:
        return []
    one = ontology.get(item.structures[0])
    if one.organ is not None:
        return []
    kinds = {name: ontology.get(name).lesion_type or "lesion" for name in classes}
    return [name for name, kind in kinds.items() if one.lesion_type in ontology.ancestors(kind)]


def together(tokens: Sequence[Token], past: Past | None) -> list[Token]:
    """The words of a sentence with "them" in place of "the two" and "both" at its end, which say no more."""
    texts = [token.text for token in tokens]
    for end in (["the", "two", "of", "them"], ["both", "of", "them"], ["the", "two"], ["the", "2"], ["both"]):
        if past is not None and texts[-len(end) :] == end:
            kept = list(tokens[: -len(end)])
            return [*kept, Token("them", tokens[-len(end)].start, tokens[-1].end)]
    return list(tokens)


def all_of(items: Sequence[Item], past: Past | None) -> list[Item] | None:
    """The items with the lesions that were spoken of in place of "they"; None where nothing stands for them."""
    at = [n for n, item in enumerate(items) if item.text in _THEY and item.is_filler("pronoun")]
    if past is None or len(at) != 1 or any(item.role == "structure" for item in items):
        return None
    here = items[at[0]]
    ids = tuple(f"{past.name}#{number}" for number in past.numbers) if len(past.numbers) > 1 else (past.name,)
    lesions = Item("structure", here.start, here.end, here.text, ids, plural=True)
    return [*items[: at[0]], lesions, *items[at[0] + 1 :]]


def _of_class(items: Sequence[Item], at: int, past: Past | None) -> tuple[list[Item], int] | None:
    """A class with a number before or behind it, and one past its last item."""
    here = items[at]
    if (name := _lesion(here, past)) is not None:
        after = at + 1
        if after < len(items) and (number := _number_of(items[after], past)) is not None:
            return [_single(items[at : after + 1], name, number)], after + 1
        return None
    number = _number_of(here, past) if here.role != "number" else None
    # "The largest liver lesion and the spleen" may be the spleen itself, or the largest lesion in it.
    single = not any(item.is_filler("joint") for item in items)
    extreme = _EXTREMES.get(here.group.concepts) if here.group and single else None
    after = at + 1
    if after < len(items) and items[after].text in {"of", "of the", "single"}:
        after += 1
    if (number is None and extreme is None) or after >= len(items):
        return None
    name = _lesion(items[after], past)
    if name is None or (items[after].plural and after == at + 1):
        return None
    return [_single(items[at : after + 1], name, number if number is not None else int(extreme or 0))], after + 1


def _alone(items: Sequence[Item], at: int, past: Past | None, found: Sequence[Item]) -> tuple[list[Item], int] | None:
    """A number by itself: of the lesion named before it in a list, or else of those spoken of before."""
    here = items[at]
    before = next((one for one in reversed(found) if one.role == "structure" and "#" in one.structures[0]), None)
    if before is not None:
        number = _number_of(here, past)
        joined = bool(found) and (found[-1].is_filler("joint") or found[-1].text in {"vs", "versus", "with", "to"})
        if number is None or not joined:
            return None
        return [_single([here], before.structures[0].partition("#")[0], number)], _past_one(items, at)
    others = any(item.role == "structure" for item in items)
    if past is None or others or _counts_else(items, at):
        return None
    if here.text == "#other":
        number = past.numbers[-1] if past.numbers else 1
        if len(past.numbers) > 1 or not 1 <= number <= MOST:
            return None
        group = load_lexicon().groups_of[("the", "other", "one", "beside")]
        concept = replace(here, role="concept", group=group, fillers=())
        return [concept, _single([here], past.name, number)], _past_one(items, at)
    number = _number_of(here, past)
    if number is None:
        return None
    return [_single([here], past.name, number)], _past_one(items, at)


def _counts_else(items: Sequence[Item], at: int) -> bool:
    """Whether a number does not stand for a lesion: "slice 20", "the 2", "2 of them", "a second", "first, is it …"."""
    led = items[at - 1] if at else None
    follows = items[at + 1].text if at + 1 < len(items) else ""
    concepts = {concept for item in items if item.group for concept in item.group.concepts}
    bare = items[at].role == "number"
    if led is not None and led.group is not None and "SLICE" in led.group.concepts:
        return True
    if led is not None and (led.text in {"a", "an"} or (bare and led.is_filler("article"))):
        return True
    if bare and follows in {"of", "of them", "of these", "of those"}:
        return True
    pronoun = any(item.is_filler("pronoun") and n != at for n, item in enumerate(items))
    return pronoun and follows not in {"one", "ones"} and not concepts & _COMPARING


def _past_one(items: Sequence[Item], at: int) -> int:
    """One past the item, and past the "one" behind it."""
    return at + 1 + (at + 1 < len(items) and items[at + 1].text in {"one", "ones"})


def _lesion(item: Item, past: Past | None) -> str | None:
    """The class that an item names; "the lesion" is one of those that were spoken of before."""
    if item.role != "structure" or len(item.structures) != 1 or "#" in item.structures[0]:
        return None
    ontology = load_ontology()
    one = ontology.get(item.structures[0])
    if one.kind != "lesion":
        return None
    if one.organ is None and past is not None:
        known = ontology.get(past.name)
        if known.organ is not None and one.lesion_type in ontology.ancestors(known.lesion_type or "lesion"):
            return past.name
    return one.id


def _number_of(item: Item, past: Past | None) -> int | None:
    """The number that an item gives to a lesion."""
    if item.role == "number":
        whole = item.unit is None and item.upper is None and item.value is not None and item.value.is_integer()
        return int(item.value) if whole and item.value is not None and 1 <= item.value <= MOST else None
    mark = _MARKER.fullmatch(item.text)
    if mark is None:
        cardinal = CARDINALS.get(item.text) if item.text != "one" else None
        return cardinal if item.role == "unknown" else None
    said = mark.group(1)
    if said.isdecimal():
        return int(said) if 1 <= int(said) <= MOST else None
    if said == "next" and past is not None and (past.largest or len(past.numbers) == 1):
        number = past.numbers[0] if past.numbers else 1
        return number + 1 if number else None
    if said in {"large", "small"} and past is not None and len(past.numbers) > 1:
        return None if 0 in past.numbers else (min if said == "large" else max)(past.numbers)
    return {"large": 1, "small": 0}.get(said)


def _single(items: Sequence[Item], name: str, number: int) -> Item:
    text = " ".join(item.text for item in items)
    ids = (f"{name}#{number}",)
    return Item("structure", items[0].start, items[-1].end, text, ids)


def same_numbers(items: Sequence[Item], structures: Sequence[Sequence[str]]) -> bool:
    """Whether every numbered lesion that a sentence names is still one in what it was read as."""
    named = {i.partition("#")[2] for item in items for i in item.structures if "#" in i}
    read = {i.partition("#")[2] for one in structures for i in one if "#" in i}
    return named <= read


def takes_number(need: StructureNeed, ident: str) -> bool:
    """Whether a numbered lesion may be asked about; the smallest, whose number is not told, only by itself."""
    located = load_ontology().get(ident).organ is not None
    return located and "numbered" in need.kinds and (not ident.endswith("#0") or need.kinds == ("numbered",))
