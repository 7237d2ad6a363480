"""Multiple choice: the option that a value means, never by its place and never by elimination alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue

from agent.errors import UsageError
from agent.interpret.categories import category
from agent.interpret.option_match import Found, by_category, by_name, by_number, by_truth
from agent.interpret.option_values import base_value, interval, is_none_of_these, plain, silence, unlabelled, yes_or_no
from agent.query import AnswerForm, Query, load_kinds
from tools.rules.model import Rule, load_rules
from tools.rules.table import TableRule
from tools.types import Scalar, State

MAX_OPTIONS = 26
_CUES = ("cue for ", "no cue")
"""How the verdicts begin that name a cue and are no test."""
_CLEARLY = 2.0


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
    verdict: Scalar = None,
    details: Mapping[str, JsonValue] | None = None,
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
        verdict: the category or name behind a yes or no ("is it resectable?"), for options that are categories.
        details: of the answer's evidence: `structures` or `structure` that count as right, `possible` verdicts.

    Raises:
        UsageError: more options than letters, or none.
    """
    if not 1 <= len(options) <= MAX_OPTIONS:
        raise UsageError(f"A multiple choice needs 1 to {MAX_OPTIONS} options, not {len(options)}.")
    said = [plain(option) for option in options]
    if len(set(said)) < len(said):
        return _none("Two options say the same")
    state, details = State(state), details or {}
    if isinstance(value, bool) and not isinstance(verdict, bool | None) and not any(map(_says_yes_or_no, options)):
        value, form = verdict, "name" if "structures" in details else "category"
    if value is None and details.get("equal") and (alike := _alike(options)) is not None:
        return _chosen(options, alike, "they are equal")
    if value is None and not details.get("unlisted") and (certain := _certain(options, details)) is not None:
        return _chosen(options, certain, "it holds whatever is still open")
    if (silent := _unanswered(options, value, state, unit, lower_bound, query)) is not None:
        return silent
    if state is State.ABSENT and value is None:
        value = False if form == "boolean" else value
    right, unread = _matches(options, value, unit, uncertainty, form, query, details)
    if len(right) == 1:
        return _chosen(options, right[0], "it says what was found")
    if len(right) > 1 and (main := _main(options, right, query, details)) is not None:
        return _chosen(options, main, "most of it lies there")
    if len(right) > 1:
        return _none("More than one option fits what was found")
    others = [n for n, option in enumerate(options) if is_none_of_these(option)]
    if len(others) == 1 and not unread and value is not None:
        return _chosen(options, others[0], "no other option says what was found")
    return _none_fits(options, unread)


def _none_fits(options: Sequence[str], unread: Sequence[int]) -> OptionChoice:
    quoted = ", ".join(f'"{options[n]}"' for n in unread)
    return _none("No option says what was found" + (f", and these could not be read: {quoted}" if unread else ""))


def _chosen(options: Sequence[str], index: int, why: str) -> OptionChoice:
    text = unlabelled(options[index])
    return OptionChoice(index=index, letter=chr(ord("A") + index), reason=f'"{text}" is chosen because {why}.')


def _none(reason: str) -> OptionChoice:
    return OptionChoice(index=None, letter=None, reason=reason + ".")


def _unanswered(
    options: Sequence[str], value: Scalar, state: State, unit: str | None, lower_bound: float | None,
    query: Query | None,
) -> OptionChoice | None:  # fmt: skip
    """What is chosen where nothing was found that answers; None where something was."""
    if isinstance(value, str) and value.startswith(_CUES):
        index = _silent(options, State.NOT_ASSESSED, None, None, _verdicts(query)).index
        why = "what was found is a cue and decides nothing"
        return _none(f"No option says that {why}") if index is None else _chosen(options, index, why)
    if state in {State.NOT_MEASURABLE, State.NOT_ASSESSED}:
        return _silent(options, state, unit, lower_bound, _verdicts(query))
    return None


def _silent(
    options: Sequence[str], state: State, unit: str | None, lower_bound: float | None, verdicts: frozenset[str]
) -> OptionChoice:
    for wanted in (state.value, "any"):
        found = [n for n, option in enumerate(options) if silence(option) == wanted and plain(option) not in verdicts]
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


def _alike(options: Sequence[str]) -> int | None:
    """The one option that says that all are equal."""
    found = [n for n, option in enumerate(options) if category(unlabelled(option)) == "about the same"]
    return found[0] if len(found) == 1 else None


def _main(
    options: Sequence[str], right: Sequence[int], query: Query | None, details: Mapping[str, JsonValue]
) -> int | None:
    """Of several options that count as right, the one that names the structure with clearly the greatest share."""
    shares = details.get("shares")
    if not isinstance(shares, dict):
        return None
    ranked = sorted(((float(str(share)), ident) for ident, share in shares.items()), reverse=True)
    if len(ranked) < 2 or ranked[0][0] < _CLEARLY * ranked[1][0]:
        return None
    found, _ = by_name({n: options[n] for n in right}, ranked[0][1], [ranked[0][1]], query)
    return found[0] if len(found) == 1 else None


def _verdicts(query: Query | None) -> frozenset[str]:
    """What the rules behind a question may decide: "indeterminate" may be one of their verdicts, and no silence."""
    topics = {step.topic for step in load_kinds()[query.kind].chain} if query is not None else set()
    found: set[str] = set()
    for rule in load_rules().values():
        if rule.topic in topics:
            of_table = [row.verdict for row in rule.rows] if isinstance(rule, TableRule) else []
            of_bands = [one for band in rule.criteria for one in band.verdicts] if isinstance(rule, Rule) else []
            found |= {plain(one) for one in (*of_table, *of_bands) if isinstance(one, str)}
    return frozenset(found)


def _says_yes_or_no(option: str) -> bool:
    return yes_or_no(option) is not None


def _certain(options: Sequence[str], details: Mapping[str, JsonValue]) -> int | None:
    """The one option that holds whichever of the verdicts that are still possible is the right one."""
    possible = details.get("possible")
    verdicts = [one for one in possible if isinstance(one, str)] if isinstance(possible, list) else []
    if not verdicts or len(verdicts) != len(possible if isinstance(possible, list) else ()):
        return None
    found, _ = by_category(dict(enumerate(options)), "", verdicts)
    return found[0] if len(found) == 1 else None


def _matches(
    options: Sequence[str], value: Scalar, unit: str | None, uncertainty: float | None, form: AnswerForm,
    query: Query | None, details: Mapping[str, JsonValue],
) -> Found:  # fmt: skip
    """Options that say the value, and options that could not be read."""
    asked = [n for n, option in enumerate(options) if silence(option) is None and not is_none_of_these(option)]
    if isinstance(value, str):  # a verdict may be "indeterminate" itself
        asked = [n for n in range(len(options)) if n in asked or plain(options[n]) == plain(value)]
    texts = {n: options[n] for n in asked}
    if isinstance(value, bool):
        return by_truth(texts, value, query)
    if isinstance(value, int | float):
        return by_number(texts, float(value), unit, uncertainty, count=unit == "1" and float(value).is_integer())
    if isinstance(value, str):
        return by_name(texts, value, _right(details), query) if form in {"name", "names"} else by_category(texts, value)
    return [], asked


def _right(details: Mapping[str, JsonValue]) -> list[str]:
    """Identifiers of the structures that count as right."""
    listed = details.get("structures")
    if isinstance(listed, list):
        return [str(one) for one in listed]
    return [str(details["structure"])] if isinstance(details.get("structure"), str) else []
