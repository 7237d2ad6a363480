"""Multiple choice: the option that a value means, never by its place and never by elimination alone."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agent.errors import UsageError
from agent.interpret.analysis import analyse
from agent.interpret.lexicon import load_lexicon
from agent.interpret.option_values import (
    Interval,
    base_value,
    interval,
    is_none_of_these,
    plain,
    silence,
    unlabelled,
    yes_or_no,
)
from agent.interpret.reading import read
from agent.interpret.scan_words import tokenise
from agent.query import AnswerForm, Query, load_kinds
from tools.ontology import SIDES, load_ontology
from tools.text import words
from tools.types import Scalar, State

MAX_OPTIONS = 26
_RELATIVE_TOLERANCE = 0.05
_CLEARLY = 2.0
_ARTICLES = frozenset({"the", "a", "an", "one", "side", "it", "is"})
_DENYING = frozenset({"NOT", "NT", "NORMAL", "NORMAL_SIZE"})


class OptionChoice(BaseModel):
    """Which option an answer is.

    Attributes:
        index: place of the option in the list given, None if none can be chosen.
        letter: the same as a letter, "A" for the first.
        reason: one sentence: why this one, or why none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int | None
    letter: str | None
    reason: str


def choose_option(
    options: Sequence[str],
    *,
    value: Scalar,
    unit: str | None,
    uncertainty: float | None,
    state: State | str,
    form: AnswerForm,
    lower_bound: float | None = None,
    query: Query | None = None,
) -> OptionChoice:
    """The option that says what was found.

    A number option is chosen if it is the nearest, differs by no more than the uncertainty, 5 % of the value or
    the rounding of the option's last digit (whichever is largest), and the next one is at least twice as far. A
    range is chosen if it alone contains the value. "None of the above" is chosen for a measured value if every
    other option could be read and none is right. A lower bound never chooses: it only says in the reason what
    it excludes.

    Args:
        options: their texts; "A) " in front of one is ignored.
        value: the answer: number in `unit`, bool, structure identifier, side, or category.
        unit: unit of the value and its bounds.
        uncertainty: half width of its interval, in `unit`.
        state: one of the four states.
        form: form of the answer.
        lower_bound: what is certain although nothing is measured, in `unit`.
        query: the question, by which options such as "enlarged" or "not enlarged" are read.

    Raises:
        UsageError: more options than letters, or none.
    """
    if not 1 <= len(options) <= MAX_OPTIONS:
        raise UsageError(f"A multiple choice needs 1 to {MAX_OPTIONS} options, not {len(options)}.")
    said = [plain(option) for option in options]
    if len(set(said)) < len(said):
        return _none("Two options say the same")
    state = State(state)
    if state in {State.NOT_MEASURABLE, State.NOT_ASSESSED}:
        return _silent(options, state, unit, lower_bound)
    if state is State.ABSENT and value is None:
        value = False if form == "boolean" else value
    right, unread = _matches(options, value, unit, uncertainty, form, query)
    if len(right) == 1:
        return _chosen(options, right[0], "it says what was found")
    if len(right) > 1:
        return _none("More than one option fits what was found")
    others = [n for n, option in enumerate(options) if is_none_of_these(option)]
    if len(others) == 1 and not unread and value is not None:
        return _chosen(options, others[0], "no other option says what was found")
    if unread:
        quoted = ", ".join(f'"{options[n]}"' for n in unread)
        return _none(f"No option says what was found, and these could not be read: {quoted}")
    return _none("No option says what was found")


def _chosen(options: Sequence[str], index: int, why: str) -> OptionChoice:
    text = unlabelled(options[index])
    return OptionChoice(index=index, letter=chr(ord("A") + index), reason=f'"{text}" is chosen because {why}.')


def _none(reason: str) -> OptionChoice:
    return OptionChoice(index=None, letter=None, reason=reason + ".")


def _silent(options: Sequence[str], state: State, unit: str | None, lower_bound: float | None) -> OptionChoice:
    for wanted in (state.value, "any"):
        found = [n for n, option in enumerate(options) if silence(option) == wanted]
        if len(found) > 1:
            return _none("More than one option says that nothing can be said")
        if found:
            return _chosen(options, found[0], f"the answer is {state.value.replace('_', ' ')}")
    reason = f"The answer is {state.value.replace('_', ' ')}, and no option says so"
    if lower_bound is not None:
        bound, dimension = base_value(lower_bound, unit)
        read_as = {option: interval(option, unit) for option in options}
        out = [f'"{unlabelled(o)}"' for o, i in read_as.items() if i and i.dimension == dimension and i.high < bound]
        if out:
            reason += f"; at least {lower_bound:g} {unit or ''} excludes {', '.join(out)}".rstrip()
    return _none(reason)


def _matches(
    options: Sequence[str], value: Scalar, unit: str | None, uncertainty: float | None, form: AnswerForm,
    query: Query | None,
) -> tuple[list[int], list[int]]:  # fmt: skip
    """Options that say the value, and options that could not be read."""
    asked = [n for n, option in enumerate(options) if silence(option) is None and not is_none_of_these(option)]
    texts = {n: options[n] for n in asked}
    if isinstance(value, bool):
        return _by_truth(texts, value, query)
    if isinstance(value, int | float):
        return _by_number(texts, float(value), unit, uncertainty, count=unit == "1" and float(value).is_integer())
    if isinstance(value, str):
        return _by_name(texts, value) if form == "name" else _by_category(texts, value)
    return [], asked


def _by_number(
    texts: dict[int, str], value: float, unit: str | None, uncertainty: float | None, *, count: bool
) -> tuple[list[int], list[int]]:
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


def _by_truth(texts: dict[int, str], value: bool, query: Query | None) -> tuple[list[int], list[int]]:
    told = {n: _truth(text, query) for n, text in texts.items()}
    if None in told.values() and True in told.values() and len(told) == 2 and query is not None:
        # Of two options, "normal" is the opposite of "enlarged"; among more it may be the opposite of "small".
        normal = next(n for n, one in told.items() if one is None)
        if plain(texts[normal]) in {"normal", "normal size", "normal in size"} and query.kind in {"enlarged", "small"}:
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


def _by_name(texts: dict[int, str], value: str) -> tuple[list[int], list[int]]:
    ontology = load_ontology()
    ident = value if value in SIDES else ontology.normalise(value) or value
    side = ident if ident in SIDES else ontology.get(ident).side
    right: list[int] = []
    unread: list[int] = []
    for n, text in texts.items():
        told = [word for word in words(unlabelled(text)) if word not in _ARTICLES | {".", ",", "?", "!"}]
        named = ontology.normalise(" ".join(told)) or ("_".join(told) if "_".join(told) == ident else None)
        if told in (["left"], ["right"]):
            if side == told[0]:
                right.append(n)
        elif named is None:
            unread.append(n)
        elif named == ident or (ident in SIDES and ontology.get(named).side == ident):
            right.append(n)
    return right, unread


def _by_category(texts: dict[int, str], value: str) -> tuple[list[int], list[int]]:
    wanted = _category(value)
    told = {n: _category(unlabelled(text)) for n, text in texts.items()}
    exact = [n for n, one in told.items() if one == wanted]
    if exact:
        return exact, []
    return [n for n, one in told.items() if _adds_nothing(one, wanted)], []


def _adds_nothing(told: list[str], wanted: list[str]) -> bool:
    """Whether an option is the category and words of its subject only: "mild splenomegaly" for "mild"."""
    size = len(wanted)
    at = next((n for n in range(len(told) - size + 1) if told[n : n + size] == wanted), None)
    if at is None:
        return False
    items = read(tokenise(" ".join([*told[:at], *told[at + size :]])), {})
    return all(
        item.role in {"structure", "filler"}
        or (item.group is not None and not item.group.negates and not item.group.comparator
            and not set(item.group.concepts) & _DENYING)
        for item in items
    )  # fmt: skip


def _category(text: str) -> list[str]:
    """Words of a category; "Grade 0" is "G0", "portal venous" is "portal"."""
    told = [word for word in words(text) if word not in {".", ",", "?", "!", ":", "the", "a"}]
    joined: list[str] = []
    for word in told:
        if joined and joined[-1] == "grade" and word[-1:].isdigit():
            joined[-1] = word if word.startswith("g") else f"g{word}"
        else:
            joined.append(word)
    synonyms = load_lexicon().categories
    return synonyms.get(" ".join(joined), " ".join(joined)).split(" ")
