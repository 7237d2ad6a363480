"""Analysing a clause: from its items to what they say together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agent.interpret.grounds import GROUNDS
from agent.interpret.items import Item
from agent.interpret.lexicon import Group, load_lexicon
from agent.interpret.meaning import Meaning, Slot
from agent.interpret.senses import Sensed, senses, slots_of, without_lead
from agent.interpret.standing_for import carried, in_its_organ, in_lobes, on_either_side, shared, single_largest
from tools.ontology import is_pair, load_ontology

_OPENERS = frozenset({"is", "are", "do", "does", "can", "has", "have", "was", "were", "did", "could"})
_COUNTED = frozenset({("COUNT",), ("PERCENT",)})
_WHY = ("WHY",)
_BARE = frozenset({"structure", "side", "article", "preposition", "joint", "polite", "mark", "one"})

_COUNTED_UNITS = frozenset({"hu", "hounsfield units", "percent", "per cent", "%"})


def analyse(items: Sequence[Item]) -> Meaning:
    """Put the items of one clause together."""
    lexicon = load_lexicon()
    items, led = without_lead(items)
    numbers = [item for item in items if item.role == "number"]
    kept = senses(items)
    groups = [item.group for item, role in kept if role == "concept" and item.group]
    counted = _counted_units(kept)
    units = [item.unit for item, role in kept if role == "unit" and item.unit]
    units += [
        "HU" for n, (item, role) in enumerate(kept[1:])
        if role == "concept" and item.text in {"hu", "hounsfield units"} and kept[n][0].text == "in"
    ]  # fmt: skip
    implied = {lexicon.implied[d] for u in units if (d := lexicon.dimension(u)) in lexicon.implied}
    if numbers and (dimension := lexicon.dimension(numbers[0].unit)) in lexicon.implied:
        implied.add(lexicon.implied[dimension])
    if any(lexicon.dimension(unit) == "volume" for unit in units):
        implied.add("IN_VOLUME")
    if counted:
        groups = [g for g in groups if g.concepts != ("COUNT",)]
        implied.add("HOW_MUCH")
    denials = _denials(kept, groups)
    flips = denials + sum(g.negates for g in groups)
    slots, either = shared(kept, slots_of(kept), groups)
    slots, unclear = carried(kept, slots, groups)
    slots = in_its_organ(kept, slots, groups)
    slots = in_lobes(kept, _in_segments(kept, slots), groups)
    slots, groups = single_largest(kept, slots, groups)
    asks = _asks(kept, groups, counted)
    if _asks_side(kept):
        implied.add("SIDE")
    elif lesion := on_either_side(kept, slots, groups):
        slots, asks = (lesion,), "name"
        implied |= {"WHICH", "SIDE"}
    if any(item.role == "structure" and "volume" in item.text.split() for item in items):
        implied.add("VOLUME")
    if any(item.plural and any(load_ontology().get(i).kind == "lesion" for i in item.structures) for item in items):
        implied.add("PLURAL")
    explain = any(g.concepts == _WHY for g in groups)
    return Meaning(
        items=tuple(items),
        groups=tuple(g for g in groups if g.concepts not in {("NOT",), ("NT",), _WHY}),
        implied=frozenset(implied),
        slots=slots,
        value=numbers[0].value if numbers else None,
        upper=numbers[0].upper if numbers else None,
        value_unit=numbers[0].unit if numbers else None,
        numbers=len(numbers),
        unit=units[0] if units else None,
        units=len(set(units)),
        negated=flips % 2 == 1,
        denials=denials,
        asks=asks,
        request=any(role in {"what", "request"} for _, role in kept) or any(g.asks for g in groups),
        scan=any(role == "scan" for _, role in kept),
        led=led,
        explain=explain,
        bare=all(role in _BARE for _, role in kept) and bool(slots),
        chosen=_chosen(items, slots),
        unknown=(
            *(item.text for item, role in kept if role == "unknown"),
            *_change(kept),
            *_spread(kept),
            *_counted_organs(kept),
            *(["that of"] if unclear else []),
            *_listed(kept, either),
        ),
    )


def _counted_units(kept: Sequence[Sensed]) -> bool:
    """Whether "how many" counts a unit ("how many ml") and not lesions."""
    for (first, role), (then, other) in pairwise(kept):
        if role == "concept" and first.group and first.group.concepts == ("COUNT",):
            return other == "unit" or (other == "concept" and then.text in _COUNTED_UNITS)
    return False


def _listed(kept: Sequence[Sensed], unclear: bool) -> tuple[str, ...]:
    """The lesion and organs of which it is unclear whether the lesion is in all of them."""
    return tuple(item.text for item, _ in kept if unclear and len(item.structures) > 1)


def _counted_organs(kept: Sequence[Sensed]) -> tuple[str, ...]:
    """Words that count organs ("how many kidneys have a cyst?"), which are no lesions."""
    told = [item for item, role in kept if role not in {"article", "preposition"}]
    ontology = load_ontology()
    return tuple(
        f"{first.text} {then.text}" for first, then in pairwise(told)
        if first.text == "how many" and then.role == "structure" and then.plural
        and all(ontology.get(i).kind != "lesion" for i in then.structures)
    )  # fmt: skip


def _denials(kept: Sequence[Sensed], groups: Sequence[Group]) -> int:
    """How many words deny; more than one where it is unclear what they deny.

    "Isn't the liver enlarged?" denies nothing: it asks what "is the liver enlarged?" asks.
    """
    told = [item for item, role in kept if role != "polite"]
    opening = told[1].text if len(told) > 1 and told[0].text in _OPENERS else None
    denials = sum(g.concepts in {("NOT",), ("NT",)} for g in groups) - (opening == "nt")
    rest = [item for item in told[2:] if not item.is_filler("article")]
    unclear = (
        (opening == "nt" and denials > 0)  # "isn't there no ascites?"
        or (opening == "not" and bool(rest) and rest[0].role == "structure")  # "is not the liver enlarged?"
        or _another_begins([item for item, _ in kept])  # "is there no lesion here and a cyst there?"
    )
    return denials + 1 if denials and unclear else denials


def _another_begins(items: Sequence[Item]) -> bool:
    """Whether a later part of a list has an article of its own, so that what goes before may end with it."""
    return any(
        joint.is_filler("joint") and article.text in {"a", "an", "any", "some"} for joint, article in pairwise(items)
    )


def _change(kept: Sequence[Sensed]) -> tuple[str, ...]:
    """Words that ask for a change ("has the liver enlarged?"), which "has he an enlarged liver?" does not."""
    told = [item for item, role in kept if role not in {"polite", "article"}]
    if len(told) < 3 or told[0].text not in {"has", "have"} or told[1].role != "structure":
        return ()
    changes = told[2].group is not None and told[2].group.concepts == ("ENLARGED",) and not told[2].structures
    return (f"{told[0].text} … {told[2].text}",) if changes else ()


def _spread(kept: Sequence[Sensed]) -> tuple[str, ...]:
    """ "Has the cancer spread?" asks for metastases, "is it spread over the liver?" how its lesions are distributed."""
    told = [item for item, role in kept if role not in {"polite", "article"}]
    begins = bool(told) and told[0].text in {"has", "have", "did"}
    return ("spread",) if begins and told[-1].text == "spread" else ()


def _asks(kept: Sequence[Sensed], groups: Sequence[Group], counted: bool) -> str | None:
    told = [
        (item, role) for item, role in kept
        if role not in {"polite", "joint", "mark"} and not (item.group and set(item.group.concepts) <= GROUNDS)
    ]  # fmt: skip
    opens = bool(told) and told[0][1] in {"aux", "concept"} and told[0][0].text.split()[0] in _OPENERS
    opens = opens and not (told[0][0].group and told[0][0].group.asks == "value")  # "can you count the lesions?"
    compared = opens and any(item.role == "number" for item, _ in kept)
    depth = any("DEPTH" in g.concepts for g in groups)  # "where is it, as a percentage of the depth?"
    asked = {
        g.asks for g in groups
        if g.asks and not (depth and g.concepts == ("PLACE",))
        and not (opens and g.concepts in _COUNTED) and not (compared and g.asks == "value")
    }  # fmt: skip
    if "name" in asked:
        return "name"
    if asked or counted or any(role == "what" for _, role in kept):
        return "value"
    return "yesno" if opens else None


def _in_segments(kept: Sequence[Sensed], slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Lesions of the liver where segments are spoken of and no organ ("which segment has the most lesions?")."""
    segments = any(role == "concept" and re.search(r"\bsegments?\b", item.text) for item, role in kept)
    ontology = load_ontology()
    structures = [ontology.get(i) for slot in slots if slot.role == "structure" for i in slot.ids]
    if not segments or any(one.kind != "lesion" or one.organ is not None for one in structures):
        return slots
    if not slots:
        return (Slot(("liver",), kept[-1][0].end, kept[-1][0].end),)
    return tuple(
        replace(slot, ids=tuple(ontology.lesion_id(ontology.get(i).lesion_type or i, "liver") for i in slot.ids))
        if slot.role == "structure" else slot for slot in slots
    )  # fmt: skip


def _asks_side(kept: Sequence[Sensed]) -> bool:
    """Whether "which" belongs to something with sides ("which kidney has the cyst?")."""
    return any(
        item.group is not None and item.group.concepts == ("WHICH",)
        and any(is_pair(i) for i in then.structures)
        for (item, _), (then, _) in pairwise(kept)
    )  # fmt: skip


def _chosen(items: Sequence[Item], slots: Sequence[Slot]) -> bool:
    spans = [(slots[0].at, slots[-1].end)] if slots else []
    return any(
        start <= item.start < end and "or" in item.text.split() for item in items for start, end in spans
    ) or any(is_pair(i) and " or " in f" {item.text} " for item in items for i in item.structures)
