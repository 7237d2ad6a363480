"""What the words of one clause say together, before any kind of question is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.interpret.lexicon import Filler, Group, load_lexicon
from agent.interpret.reading import Item
from agent.query import AnswerForm, Comparator, Query, load_kinds
from tools.ontology import load_ontology

_OPENERS = frozenset({"is", "are", "do", "does", "can", "has", "have", "was", "were", "did", "could"})
_RELATING = frozenset({"to", "from"})
_QUANTITIES = frozenset(
    {"VOLUME", "SIZE", "HU", "MEAN", "MEDIAN", "SD", "DIAMETER", "LONG_AXIS", "SHORT_AXIS", "TOTAL", "LARGEST"}
)
_PLURAL_PRONOUNS = frozenset({"them", "they", "their", "these", "those"})


@dataclass(frozen=True)
class Slot:
    """A place for a structure: a mention, a side ("the left one"), or a pronoun, at word `at`.

    `joined` says that it follows the slot before it in a list ("liver and spleen"), `related` that at least a
    word relates the two ("from the liver to the spleen").
    """

    ids: tuple[str, ...]
    at: int
    end: int
    role: str = "structure"
    joined: bool = False
    related: bool = False


@dataclass(frozen=True)
class Meaning:
    """A clause, analysed.

    Attributes:
        groups: the concept phrases.
        implied: concepts that only a unit says ("how many ml").
        slots: places for structures, in order.
        value: the number and `value_unit` its unit, `numbers` how many there are.
        unit: unit asked for, `units` how many different ones.
        negated: parity of the words that negate, `denials` how many of them are "not" or "no".
        asks: "value" (what, how much), "name" (which), "yesno" (is, does), or None for a fragment.
        request: the clause demands something ("give me", "what is") rather than names it.
        scan: the clause names the scan or the patient, so that a missing structure can't be filled in.
        led: it begins as a continuation ("and …", "what about …").
        bare: it has nothing but structures and articles.
        chosen: "or" stands between structures.
        unknown: words of no known meaning.
        given: concepts of an earlier question whose words are not here, and `direction` its comparator.
    """

    items: tuple[Item, ...]
    groups: tuple[Group, ...] = ()
    implied: frozenset[str] = frozenset()
    slots: tuple[Slot, ...] = ()
    value: float | None = None
    value_unit: str | None = None
    numbers: int = 0
    unit: str | None = None
    units: int = 0
    negated: bool = False
    denials: int = 0
    asks: str | None = None
    request: bool = False
    scan: bool = False
    led: bool = False
    bare: bool = False
    chosen: bool = False
    unknown: tuple[str, ...] = ()
    given: frozenset[str] | None = None
    direction: Comparator | None = None

    def concepts(self, form: AnswerForm | None = None) -> frozenset[str]:
        """Concepts that the question says; for a form of answer, without those that may say nothing there."""
        if self.given is not None:
            return self.given
        found = {c for g in self.groups if form is None or form not in g.weak for c in g.concepts}
        return _sized(frozenset(found), self)

    def soft(self) -> frozenset[str]:
        """Concepts that may be meant without having to be."""
        weak = {c for g in self.groups if g.weak for c in g.concepts}
        return frozenset(weak) | self.implied


def _sized(found: frozenset[str], meaning: Meaning) -> frozenset[str]:
    """A size in millilitres is a volume."""
    lexicon = load_lexicon()
    asked = {lexicon.dimension(meaning.unit), lexicon.dimension(meaning.value_unit)}
    return (found - {"SIZE"}) | {"VOLUME"} if "SIZE" in found and "volume" in asked else found


def analyse(items: Sequence[Item]) -> Meaning:
    """Put the items of one clause together."""
    lexicon = load_lexicon()
    items, led = _without_lead(items)
    numbers = [item for item in items if item.role == "number"]
    concepts = {c for item in items if item.group for c in item.group.concepts}
    concepts |= {
        lexicon.implied[d] for item in items if item.unit and (d := lexicon.dimension(item.unit)) in lexicon.implied
    }
    sense = [_sense(item, n, items, concepts, bool(numbers)) for n, item in enumerate(items)]
    kept = [(item, role) for item, role in zip(items, sense, strict=True)]
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
    if counted:
        groups = [g for g in groups if g.concepts != ("COUNT",)]
        implied.add("HOW_MUCH")
    plain_nt, open_not = _opening_negation(kept)
    denials = sum(
        g.concepts == ("NOT",) or (g.concepts == ("NT",) and not plain_nt) for g in groups
    )
    if plain_nt and denials:
        denials += 1  # "isn't there no ascites?"
    flips = denials + sum(g.negates for g in groups)
    slots = _slots(kept)
    asks = _asks(kept, groups, counted)
    if _asks_side(kept):
        implied.add("SIDE")
    elif lesion := _lesion_on_either_side(slots):
        slots, asks = (lesion,), "name"
        implied |= {"WHICH", "SIDE"}
    if any(item.role == "structure" and "volume" in item.text.split() for item in items):
        implied.add("VOLUME")
    return Meaning(
        items=tuple(items),
        groups=tuple(g for g in groups if g.concepts not in {("NOT",), ("NT",)}),
        implied=frozenset(implied),
        slots=slots,
        value=numbers[0].value if numbers else None,
        value_unit=numbers[0].unit if numbers else None,
        numbers=len(numbers),
        unit=units[0] if units else None,
        units=len(set(units)),
        negated=flips % 2 == 1,
        denials=denials + (2 if open_not else 0),
        asks=asks,
        request=any(role in {"what", "request"} for _, role in kept) or any(g.asks for g in groups),
        scan=any(role == "scan" for _, role in kept),
        led=led,
        bare=all(role in {"structure", "side", "article", "preposition", "joint", "polite", "mark", "one"}
                 for _, role in kept) and bool(slots),
        chosen=_chosen(items, slots),
        unknown=(*(item.text for item, role in kept if role == "unknown"), *_change(kept)),
    )  # fmt: skip


def of_query(query: Query, said: Meaning | None) -> Meaning:
    """The meaning of an earlier question without its structures, for a follow-up to fill.

    `said` is the reading of that question's own words; where those leave the concepts out because it was a
    follow-up itself, the kind's first alternative stands for them.
    """
    kind = load_kinds()[query.kind]
    known = said.concepts() | said.soft() if said else frozenset()
    allowed = known & ({c for alt in kind.requires for c in alt} | set(kind.optional))
    fitting = [alt for alt in kind.requires if alt and set(alt) <= known]
    concepts = frozenset(max(fitting, key=len)) if fitting else frozenset(kind.requires[0])
    return Meaning(
        items=(), given=concepts | (allowed & set(kind.optional) if fitting else frozenset()),
        value=query.threshold, value_unit=query.threshold_unit, numbers=int(query.threshold is not None),
        unit=query.unit, units=int(query.unit is not None), negated=query.negated, direction=query.comparator,
    )  # fmt: skip


def with_slots(meaning: Meaning, slots: Sequence[Slot]) -> Meaning:
    """The same meaning of other structures."""
    return replace(meaning, slots=tuple(slots))


def is_plural_pronoun(item_text: str) -> bool:
    """Whether a pronoun stands for several structures."""
    return item_text in _PLURAL_PRONOUNS


def _without_lead(items: Sequence[Item]) -> tuple[list[Item], bool]:
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


def _sense(item: Item, n: int, items: Sequence[Item], concepts: set[str], numbered: bool) -> str:
    """The role that an item plays here: its own, or the class of the filler that it is."""
    if item.text in {"one", "ones"} and n and items[n - 1].role == "side":
        return "one"
    others = {c for k, other in enumerate(items) if k != n and other.group for c in other.group.concepts}
    others |= concepts - set(item.group.concepts if item.group else ())
    named = any(other.role == "structure" for other in items)
    conditional = [
        f for f in item.fillers if f.beside and others & set(f.beside) and (named or not f.beside_structures)
    ]
    free = [f for f in item.fillers if not f.beside and not (f.without_number and numbered)]
    if conditional:
        return _filler_role(conditional[0], item, n, items)
    if item.group:
        return "concept"
    if free:
        return _filler_role(free[0], item, n, items)
    return "unknown" if item.role in {"filler", "unknown"} else item.role


def _filler_role(filler: Filler, item: Item, n: int, items: Sequence[Item]) -> str:
    following = items[n + 1] if n + 1 < len(items) else None
    if filler.role == "pronoun":
        determines = following is not None and (following.role == "structure" or following.is_filler("scan"))
        if item.text in {"this", "that", "these", "those", "their"} and determines:
            return "article"
        return "pronoun"
    if filler.role in {"about", "stop"}:
        return "unknown"
    return str(filler.role)


def _counted_units(kept: Sequence[tuple[Item, str]]) -> bool:
    """Whether "how many" counts a unit ("how many ml") and not lesions."""
    for (first, role), (then, other) in zip(kept, kept[1:], strict=False):
        if role == "concept" and first.group and first.group.concepts == ("COUNT",):
            return other == "unit" or (other == "concept" and then.text in {"hu", "hounsfield units"})
    return False


def _opening_negation(kept: Sequence[tuple[Item, str]]) -> tuple[bool, bool]:
    """"Isn't the liver enlarged?" asks what "is the liver enlarged?" asks; "is not the liver …" is unclear."""
    told = [item for item, role in kept if role != "polite"]
    if len(told) < 2 or told[0].text not in _OPENERS:
        return False, False
    rest = [item for item in told[2:] if not item.is_filler("article")]
    return told[1].text == "nt", told[1].text == "not" and bool(rest) and rest[0].role == "structure"


def _change(kept: Sequence[tuple[Item, str]]) -> tuple[str, ...]:
    """"Has the liver enlarged?" asks for a change, "has he an enlarged liver?" for a state."""
    told = [item for item, role in kept if role not in {"polite", "article"}]
    if len(told) < 3 or told[0].text not in {"has", "have"} or told[1].role != "structure":
        return ()
    changes = told[2].group is not None and told[2].group.concepts == ("ENLARGED",) and not told[2].structures
    return (f"{told[0].text} … {told[2].text}",) if changes else ()


def _asks(kept: Sequence[tuple[Item, str]], groups: Sequence[Group], counted: bool) -> str | None:
    asked = {g.asks for g in groups if g.asks}
    if "name" in asked:
        return "name"
    if asked or counted or any(role == "what" for _, role in kept):
        return "value"
    told = [(item, role) for item, role in kept if role not in {"polite", "joint", "mark"}]
    opens = told and told[0][1] in {"aux", "concept"} and told[0][0].text.split()[0] in _OPENERS
    return "yesno" if opens else None


def _slots(kept: Sequence[tuple[Item, str]]) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    linked, gap, related = False, False, False
    for item, role in kept:
        if role in {"structure", "side", "pronoun"} or (role == "concept" and item.structures):
            ids = item.structures or (item.text,)
            kind = "structure" if role == "concept" else role
            joined = bool(slots) and linked and not gap
            beside = bool(slots) and item.start == slots[-1].end
            slots.append(Slot(ids, item.start, item.end, kind, joined, related or linked or beside))
            linked, gap, related = False, False, False
        elif role == "joint":
            linked = True
        elif item.text in _RELATING or (item.group and item.group.marker):
            related = gap = True
        elif role == "concept" and item.group and set(item.group.concepts) <= _QUANTITIES:
            continue
        elif role not in {"article", "preposition", "polite", "mark"}:
            gap = True
    return tuple(slots)


def _asks_side(kept: Sequence[tuple[Item, str]]) -> bool:
    """"Which kidney has the cyst?" asks for a side."""
    return any(
        item.group is not None and item.group.concepts == ("WHICH",)
        and any(load_ontology().get(i).parts and f"{i}_left" in load_ontology().structures for i in then.structures)
        for (item, _), (then, _) in zip(kept, kept[1:], strict=False)
    )  # fmt: skip


def _lesion_on_either_side(slots: Sequence[Slot]) -> Slot | None:
    """"Is the kidney cyst left or right?" asks for a side."""
    if len(slots) != 3 or [slot.role for slot in slots] != ["structure", "side", "side"]:
        return None
    lesion = load_ontology().get(slots[0].ids[0]).kind == "lesion"
    return slots[0] if lesion and slots[2].joined and slots[1].ids != slots[2].ids else None


def _chosen(items: Sequence[Item], slots: Sequence[Slot]) -> bool:
    spans = [(slots[0].at, slots[-1].end)] if slots else []
    return any(
        start <= item.start < end and "or" in item.text.split() for item in items for start, end in spans
    ) or any(load_ontology().get(i).parts and " or " in f" {item.text} " for item in items for i in item.structures)
