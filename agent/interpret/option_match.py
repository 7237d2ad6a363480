"""Which options say a value: a number, a yes or no, a structure, a category."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent.interpret.analysis import analyse
from agent.interpret.categories import category, covers, is_stage
from agent.interpret.lexicon import load_lexicon
from agent.interpret.option_values import Interval, base_value, interval, plain, unlabelled, yes_or_no
from agent.interpret.places import is_lesion, within
from agent.interpret.reading import read
from agent.interpret.scan_words import tokenise
from agent.interpret.short_names import short_names
from agent.query import Query, load_kinds
from tools.ontology import SIDES, is_pair, load_ontology
from tools.text import words

_RELATIVE_TOLERANCE = 0.05
_CLEARLY = 2.0
_ARTICLES = frozenset({"the", "a", "an", "one", "side", "it", "is", "in", "of", "lobe", "only"})
_DENYING = frozenset({"NOT", "NT", "NORMAL", "NORMAL_SIZE"})
_NEITHER = "neither has any"
_ALIKE = frozenset({"about the same", "symmetric", _NEITHER})
_OPPOSITE_OF_NORMAL = frozenset({"enlarged", "small", "steatosis"})
Found = tuple[list[int], list[int]]
"""Options that say the value, and options that could not be read."""


def by_number(
    texts: dict[int, str], value: float, unit: str | None, uncertainty: float | None, *, count: bool
) -> Found:
    """Options that name a number near enough to the value, in the unit of the answer, or a range that holds it."""
    target, dimension = base_value(value, unit)
    factor = abs(base_value(1.0, unit)[0])
    shared = _shared_unit(texts, unit)
    spans: dict[int, Interval] = {}
    for n, text in texts.items():
        span = interval(text, shared, count=count)
        if span is not None and span.dimension == dimension:
            spans[n] = span
    unread = [n for n in texts if n not in spans]
    within = [n for n, span in spans.items() if not span.single and span.holds(target)]
    if within:
        return within, unread
    points = sorted((abs(span.low - target), n) for n, span in spans.items() if span.single)
    if not points:
        return [], unread
    nearest, index = points[0]
    tolerance = max((uncertainty or 0.0) * factor, _RELATIVE_TOLERANCE * abs(target), spans[index].step, 1e-9)
    if nearest > tolerance:
        return [], unread
    rivals = [n for distance, n in points[1:] if distance <= max(_CLEARLY * nearest, 1e-9)]
    return [index, *rivals], unread


def _shared_unit(texts: dict[int, str], unit: str | None) -> str | None:
    """In "100", "200", "300 ml" one unit stands for all; otherwise a bare number is in the answer's unit."""
    named = {item.unit for text in texts.values() for item in read(tokenise(text), {}) if item.unit}
    return next(iter(named)) if len(named) == 1 else unit


def by_truth(texts: dict[int, str], value: bool, query: Query | None) -> Found:
    """Options that affirm or deny the question as the value does."""
    told = {n: _truth(text, query) for n, text in texts.items()}
    if None in told.values() and True in told.values() and len(told) == 2 and query is not None:
        # Of two options, "normal" is the opposite of "enlarged"; among more it may be the opposite of "small".
        normal = next(n for n, one in told.items() if one is None)
        if _is_normal(texts[normal], query) and query.kind in _OPPOSITE_OF_NORMAL:
            told[normal] = query.negated
    return [n for n, one in told.items() if one is value], [n for n, one in told.items() if one is None]


def _truth(text: str, query: Query | None) -> bool | None:
    """Whether an option affirms or denies the question; None if it says another thing."""
    plainly = yes_or_no(text)
    if plainly is not None or query is None:
        return plainly
    tokens = [token for token in tokenise(unlabelled(text)) if token.text not in {".", "!", "?", ";"}]
    meaning = analyse(read(tokens, {}))
    concepts, kind = meaning.concepts(), load_kinds()[query.kind]
    slots = {i for slot in meaning.slots for i in slot.ids}
    own = bool(slots) and slots <= set(query.structures)
    wanted = any(
        (alt or own) and set(alt) <= concepts and concepts - set(alt) <= set(kind.optional) for alt in kind.requires
    )
    if meaning.unknown or meaning.numbers or (slots and not own) or not wanted or meaning.denials > 1:
        return None
    return meaning.negated == query.negated


def _is_normal(text: str, query: Query) -> bool:
    """Whether an option says "normal", alone or of the structure asked about."""
    named = [token.text for token in tokenise(unlabelled(text)) if token.text not in {".", "size", "in", "of", "the"}]
    ontology = load_ontology()
    rest = " ".join(word for word in named if word != "normal")
    return "normal" in named and (not rest or ontology.normalise(rest) in query.structures)


def by_name(texts: dict[int, str], value: str, right: Sequence[str], query: Query | None) -> Found:
    """Options that name one of the structures that count as right, or a place that holds one.

    Args:
        texts: options by place.
        value: the answer in words, an identifier, or a side.
        right: identifiers of structures that count as right; empty to take the value.
        query: the question, whose organ's regions may be named in short ("head").
    """
    ontology = load_ontology()
    wanted = [_place(ident) for ident in right]
    if not wanted and (ident := value if value in SIDES else ontology.normalise(value)):
        wanted = [_place(ident)]
    names = short_names([*wanted, *(query.structures if query else ())]) | _bare_segments(texts, wanted)
    exact = [
        n for n, text in texts.items() if _same_words(text, value) or category(unlabelled(text)) == category(value)
    ]
    if not exact and category(value) == _NEITHER:
        exact = [n for n, text in texts.items() if plain(text).partition(" ")[0] in {"neither", "none"}]
    if exact or category(value) in _ALIKE:
        return exact, []
    found: list[int] = []
    unread: list[int] = []
    for n, text in texts.items():
        told = [word for word in words(unlabelled(text)) if word not in _ARTICLES | {".", ",", "?", "!"}]
        if told in (["left"], ["right"]) and tuple(words(unlabelled(text))) not in names:
            if any(ident == told[0] or ontology.get(ident).side == told[0] for ident in wanted):
                found.append(n)
        elif told in (["both"], ["both", "sides"], ["bilateral"]) or (named := _named(text, told, names)) is None:
            if told[:1] not in (["both"], ["bilateral"]):
                unread.append(n)
            elif value == "both":
                found.append(n)
        elif is_pair(named):
            sides = ontology.get(named).parts
            if value == "both" or named in wanted or all(any(_says(side, ident) for ident in wanted) for side in sides):
                found.append(n)
        elif any(_says(named, ident) for ident in wanted):
            found.append(n)
    return found, unread


def _bare_segments(texts: dict[int, str], wanted: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Segments of the liver by their numbers alone, where one is the answer and every option is such a number."""
    told = [tuple(words(unlabelled(text))) for text in texts.values()]
    found: dict[tuple[str, ...], str] = {(str(n),): f"liver_segment_{n}" for n in range(1, 9)}
    asked = any(ident in found.values() for ident in wanted)
    return found if asked and all(one in found for one in told) else {}


def _place(ident: str) -> str:
    """Where a lesion is, for a lesion (or a lesion set against its organ); else the structure itself."""
    ident = ident.partition("+")[0]
    one = load_ontology().get(ident)
    return one.organ if one.kind == "lesion" and one.organ else ident


def _same_words(text: str, value: str) -> bool:
    return plain(text).replace(" ", "_") == value or plain(text) == plain(value)


def _named(text: str, told: Sequence[str], names: dict[tuple[str, ...], str]) -> str | None:
    ontology = load_ontology()
    kept = " ".join(
        word for word in words(unlabelled(text)) if word not in {".", ",", "?", "!", "it", "is", "the", "in"}
    )
    found = (
        names.get(tuple(words(unlabelled(text))))
        or ontology.normalise(unlabelled(text))
        or names.get(tuple(told))
        or ontology.normalise(kept)
    )
    found = found or ontology.normalise(" ".join(told))
    if found is not None:
        return _place(found)
    if tuple(told) in {tuple(words(ident)) for ident in names.values()}:
        return next(ident for ident in names.values() if tuple(words(ident)) == tuple(told))
    return None


def _says(named: str, ident: str) -> bool:
    """Whether an option's structure is the right one, or a place that holds it; a side's name says the side."""
    if ident in SIDES:
        return load_ontology().get(named).side == ident
    return named == ident or (within(ident, named) and not is_lesion(named))


def by_category(texts: dict[int, str], value: str, possible: Collection[str] = ()) -> Found:
    """Options that say a category; coarser ones where none says it exactly, weaker verdicts by what they lean to.

    Args:
        texts: options by place.
        value: the category; empty where only `possible` ones are known.
        possible: categories of which one holds: an option that holds all of them says what is certain.
    """
    verdicts = [value] if value else list(possible)
    if not verdicts:
        return [], []
    each = [set(_category_options(texts, verdict)) for verdict in verdicts]
    common = set.intersection(*each)
    return sorted(common), []


def _category_options(texts: dict[int, str], value: str) -> list[int]:
    """Options for one verdict: those that say it, else coarser ones, else those that say it of their subject."""
    told = {n: unlabelled(text) for n, text in texts.items()}
    wanted = category(value)
    for tried in filter(None, (wanted, load_lexicon().leans.get(wanted))):
        for found in (
            [n for n, text in told.items() if category(text) == tried],
            [n for n, text in told.items() if covers(text, tried)],
            [n for n, text in told.items() if _adds_nothing(text, tried)],
        ):
            if found:
                return found
    return []


def _adds_nothing(text: str, wanted: str) -> bool:
    """Whether an option is the category and words of its subject only: "mild splenomegaly" for "mild"."""
    if is_stage(text):
        return False
    told = [word for word in words(text) if word not in {".", ",", "?", "!", ":", "the", "a", "an"}]
    forms = {wanted, *(form for form, same in load_lexicon().categories.items() if same == wanted)}
    for form in sorted(forms, key=len, reverse=True):
        size = len(form.split(" "))
        for at in range(len(told) - size + 1):
            if told[at : at + size] == form.split(" ") and _is_subject([*told[:at], *told[at + size :]]):
                return True
    return False


def _is_subject(rest: Sequence[str]) -> bool:
    items = read(tokenise(" ".join(rest)), {})
    return all(
        item.role in {"structure", "filler"}
        or (item.group is not None and not item.group.negates and not item.group.comparator
            and item.group.category is None and not set(item.group.concepts) & _DENYING)
        for item in items
    )  # fmt: skip
