"""Claims from evidence: the one way in which evidence is put into an answer, a finding or an impression.

The embedded reasoner writes claims with these functions; the grounding gate derives them again from the evidence that
a claim cites and refuses every claim that differs, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.interpret import choose_option, is_wanted
from agent.query import Kind, Query, load_kinds
from agent.report_model import Binding
from agent.state import Claim, Level, RunState, Target
from agent.wording import Sentence, describe
from tools.ontology import load_ontology
from tools.types import Evidence, Scalar


def claim_id(level: Level, one: Evidence, query: int | None = None) -> str:
    """Identifier of a claim within a conclusion."""
    return f"{level}-{one.id}" if query is None else answer_id(query)


def answer_id(query: int) -> str:
    """Identifier of the claim that answers a question."""
    return f"answer-{query + 1}"


def statement(level: Level, one: Evidence, evidence: Mapping[str, Evidence]) -> Claim:
    """A finding or impression: what one piece of evidence says."""
    sentence = describe(one, evidence)
    return Claim(
        id=claim_id(level, one),
        level=level,
        evidence=_ids([one], sentence.cited),
        target=one.target,
        quantity=one.quantity,
        value=one.value,
        unit=one.unit,
        state=one.state,
        lower_bound=one.lower_bound,
        text=sentence.text,
        bindings=tuple(sentence.bindings),
    )


def answer(
    index: int,
    query: Query,
    decisive: Evidence,
    also: Sequence[Evidence],
    evidence: Mapping[str, Evidence],
    options: Sequence[str],
) -> Claim:
    """The answer to a query from its decisive evidence.

    Args:
        index: number of the query.
        query: the query.
        decisive: the evidence that is the answer.
        also: evidence that is told as well.
        evidence: everything known.
        options: choices, if any; the letter is chosen by value, never by position.
    """
    kind = load_kinds()[query.kind]
    value = _value(query, kind, decisive)
    sentence = Sentence(evidence)
    if isinstance(value, bool) and (kind.answer.form == "boolean" or query.wanted is not None):
        sentence.bind("Yes." if value else "No.", decisive, "value")
        sentence.say(" ")
    for number, one in enumerate((decisive, *also)):
        part = describe(one, evidence)
        shift = len(sentence.text) + (1 if number else 0)
        sentence.say((" " if number else "") + part.text)
        sentence.bindings += [_shifted(binding, shift) for binding in part.bindings]
    if query.explain:
        _explain(sentence, [decisive, *also], evidence)
    letter = None
    if options:
        letter = choose_option(
            options, value=value, unit=decisive.unit, uncertainty=decisive.uncertainty, state=decisive.state,
            form="boolean" if isinstance(value, bool) else kind.answer.form, lower_bound=decisive.lower_bound,
            query=query, verdict=decisive.value, details=decisive.details,
        ).letter  # fmt: skip
    return Claim(
        id=claim_id("answer", decisive, index),
        level="answer",
        query=index,
        evidence=_ids([decisive, *also], sentence.cited),
        target=decisive.target,
        quantity=decisive.quantity,
        value=value,
        unit=decisive.unit,
        state=decisive.state,
        lower_bound=decisive.lower_bound,
        option=letter,
        text=sentence.text,
        bindings=tuple(sentence.bindings),
    )


def _explain(sentence: Sentence, told: Sequence[Evidence], evidence: Mapping[str, Evidence]) -> None:
    """Tell all that an answer rests on, and how each value was determined; each sentence once."""
    sentence.say(" This rests on the following.")
    said = {sentence.text}
    queue = list(told)
    seen: set[str] = set()
    while queue:
        one = queue.pop(0)
        if one.id in seen or one.quantity == "threshold":
            continue
        seen.add(one.id)
        queue += [evidence[ident] for ident in one.inputs]
        part = describe(one, evidence)
        sentence.say(" ")
        if part.text not in said and one not in told:
            shift = len(sentence.text)
            sentence.say(part.text + " ")
            sentence.bindings += [_shifted(binding, shift) for binding in part.bindings]
        said.add(part.text)
        sentence.say("Determined as: ")
        sentence.bind(one.method, one, "method")
        sentence.say(" (")
        sentence.bind(one.tool.replace("_", " "), one, "tool")
        sentence.say(").")


def answer_for(state: RunState, target: Target) -> Claim | None:
    """The answer that the state's evidence gives to one of its queries; None while evidence is missing."""
    query = state.queries[target.query]
    decisive = state.lookup(target.decisive)
    if not isinstance(query, Query) or decisive is None:
        return None
    told = [one for one in state.lookup_all(target.also) if one is not None and one.id != decisive.id]
    also = list({one.id: one for one in told}.values())
    return answer(target.query, query, decisive, also, state.evidence, state.request.options)


def lesions_seen(state: RunState) -> tuple[str, ...]:
    """Ids of the evidence that a lesion is there: what a pathology conclusion is about."""
    ontology = load_ontology()
    return tuple(
        one.id
        for one in state.evidence.values()
        if one.quantity == "exists" and one.value is True and ontology.get(one.target).kind == "lesion"
    )


def _value(query: Query, kind: Kind, decisive: Evidence) -> Scalar:
    if query.wanted is not None:
        told = is_wanted(query.wanted, decisive.value, decisive.state, decisive.details)
        return not told if query.negated and told is not None else told
    if kind.answer.form == "boolean" and query.negated and isinstance(decisive.value, bool):
        return not decisive.value
    return decisive.value


def _ids(first: Sequence[Evidence], cited: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(one.id for one in first), *cited]))


def _shifted(binding: Binding, by: int) -> Binding:
    return binding.model_copy(update={"start": binding.start + by, "end": binding.end + by})
