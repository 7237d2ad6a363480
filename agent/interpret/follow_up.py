"""Questions that leave out what an earlier one said: "and the left one?", "in litres?", "and its volume?"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.interpret.analysis import analyse
from agent.interpret.lexicon import Phrase, load_lexicon
from agent.interpret.match import Fit, Misfit, match
from agent.interpret.meaning import Meaning, Slot, begins_anew, is_plural_pronoun, of_query, with_slots
from agent.interpret.numbered import past_of
from agent.interpret.reading import read
from agent.interpret.scan_words import tokenise
from agent.interpret.slots import Unresolved, resolve
from agent.query import Query, load_kinds
from tools.ontology import load_ontology

_DIFFERENCES = {
    "volume_which": "volume_difference", "volume_compare": "volume_difference", "hu_which": "hu_difference",
    "hu_compare": "hu_difference", "lesion_count_which": "lesion_count_difference",
    "lesion_count_compare": "lesion_count_difference",
}  # fmt: skip
_OF_ALL = frozenset({"hu_mean", "hu_median", "hu_sd", "lesion_volume"})
"""Kinds that take all lesions of a class together."""


@dataclass(frozen=True)
class Antecedent:
    """The question before, as one or several queries of one kind, and its words where they were analysed."""

    queries: tuple[Query, ...]
    said: Meaning | None = None

    @property
    def structures(self) -> tuple[str, ...]:
        """All structures that it asked about."""
        return tuple(dict.fromkeys(i for query in self.queries for i in query.structures))

    @property
    def single(self) -> bool:
        """Whether each query asked about one structure, so that another question can take its place."""
        return all(len(query.structures) == 1 for query in self.queries)


def last_question(previous: Sequence[Query], names: Mapping[Phrase, str]) -> Antecedent | None:
    """The last question of a dialogue: its last query with those made of the same words."""
    if not previous:
        return None
    last = previous[-1]
    queries: list[Query] = []
    for query in reversed(previous):
        if query.kind != last.kind or query.text != last.text:
            break
        queries.insert(0, query)
    tokens = [token for token in tokenise(last.text) if token.text not in {"?", ".", "!", ";"}]
    said = analyse(read(tokens, names)) if tokens else None
    return Antecedent(tuple(queries), said)


def understand(meaning: Meaning, before: Antecedent | None, text: str, choices: Sequence[str] = ()) -> Fit | Misfit:
    """Match a clause by itself, else as a continuation of the question before.

    Args:
        meaning: the clause, analysed.
        before: the question before, if any.
        text: the words of the question.
        choices: structures that the options of a multiple choice name.
    """
    if before is None:
        return _alone(meaning, text, choices)
    if _only_why(meaning):
        return Fit(tuple(q.model_copy(update={"explain": True, "text": text}) for q in before.queries))
    if _only_unit(meaning):
        return _in_unit(meaning, before, text)
    if _by_how_much(meaning) and (queries := _difference(before, text)):
        return Fit(queries)
    numbered = meaning.bare and any("#" in i for slot in meaning.slots for i in slot.ids)
    if numbered and (other := _of_other_structures(meaning, before, text)) is not None:
        return other
    fill = before.single
    found = match(meaning, before.structures, text, fill=fill, choices=choices)
    if isinstance(found, Fit):
        return _of_the_largest(found, meaning, before, text) or found
    if meaning.bare:
        return _of_other_structures(meaning, before, text) or found
    if meaning.numbers == 1 and not meaning.groups and not meaning.slots and not meaning.unknown:
        return _with_number(meaning, before, text) or found
    return found


def _of_the_largest(found: Fit, meaning: Meaning, before: Antecedent, text: str) -> Fit | None:
    """What is asked of "it" where the question before was about the largest lesion, and not about all of its class."""
    past = past_of(before.queries)
    if past is None or not past.largest or any(query.kind not in _OF_ALL for query in found.queries):
        return None
    words = [slot.ids[0] for slot in meaning.slots]
    if any(slot.role != "pronoun" for slot in meaning.slots) or any(map(is_plural_pronoun, words)):
        return None
    largest = match(meaning, (f"{past.name}#1",), text, fill=True)
    return largest if isinstance(largest, Fit) else None


def _by_how_much(meaning: Meaning) -> bool:
    """Whether a clause only asks for the difference of what was compared ("by how much?")."""
    return meaning.concepts() == {"HOW_MUCH"} and not (meaning.slots or meaning.numbers or meaning.unknown)


def _difference(before: Antecedent, text: str) -> tuple[Query, ...] | None:
    """The difference of the two values that the question before compared."""
    last = before.queries[-1]
    kind = _DIFFERENCES.get(last.kind)
    if kind is None or len(before.queries) != 1 or len(last.structures) != 2:
        return None
    return (Query(kind=kind, structures=last.structures, text=text),)


def _only_why(meaning: Meaning) -> bool:
    """Whether a clause only asks what the answer before rests on ("why do you say that?")."""
    reasons = meaning.explain or meaning.concepts() == {"REASON"}
    named = [slot for slot in meaning.slots if slot.role != "pronoun"]
    return reasons and not (meaning.concepts() - {"REASON"} or named or meaning.numbers or meaning.unknown)


def _alone(meaning: Meaning, text: str, choices: Sequence[str] = ()) -> Fit | Misfit:
    if _only_why(meaning):
        return Misfit("It asks what an answer rests on, but there was none before")
    found = match(meaning, (), text, choices=choices)
    if isinstance(found, Misfit) and _only_unit(meaning):
        return replace(found, reason="It names a unit, but no earlier question that it belongs to")
    if isinstance(found, Misfit) and meaning.led and not meaning.unknown:
        return replace(found, reason=f"It continues an earlier question, but there is none: {_lower(found.reason)}")
    return found


def _lower(sentence: str) -> str:
    return sentence if sentence.startswith("I ") else sentence[:1].lower() + sentence[1:]


def _only_unit(meaning: Meaning) -> bool:
    rest = meaning.groups or meaning.slots or meaning.numbers or meaning.unknown or meaning.scan
    hu = bool(meaning.groups) and all(g.concepts == ("HU",) for g in meaning.groups) and meaning.unit == "HU"
    return meaning.units == 1 and (not rest or (hu and not meaning.slots and not meaning.numbers))


def _in_unit(meaning: Meaning, before: Antecedent, text: str) -> Fit | Misfit:
    lexicon, kinds = load_lexicon(), load_kinds()
    asked = lexicon.dimension(meaning.unit)
    if any(lexicon.dimension(kinds[query.kind].answer.unit) != asked for query in before.queries):
        return Misfit(f"The answer before has no value in {meaning.unit}", (), meaning.soft())
    return Fit(tuple(q.model_copy(update={"unit": meaning.unit, "text": text}) for q in before.queries))


def _with_number(meaning: Meaning, before: Antecedent, text: str) -> Fit | None:
    first = before.queries[0]
    if first.threshold is None or meaning.value is None:
        return None
    lexicon = load_lexicon()
    unit = meaning.value_unit or first.threshold_unit
    if unit and first.threshold_unit and lexicon.dimension(unit) != lexicon.dimension(first.threshold_unit):
        return None
    update = {"threshold": meaning.value, "threshold_unit": unit, "text": text}
    return Fit(tuple(query.model_copy(update=update) for query in before.queries))


def _of_other_structures(meaning: Meaning, before: Antecedent, text: str) -> Fit | None:
    """The question before, asked of other structures; a lesion's organ changes where only an organ is named."""
    slots = resolve(meaning, before.structures)
    if before.queries[0].negated and begins_anew(meaning):
        return None
    if isinstance(slots, Unresolved) or not before.single:
        pair = before.queries[0].kind if len(before.queries) == 1 else None
        if isinstance(slots, Unresolved) or pair is None or not load_kinds()[pair].structures.parts:
            return None
    moved = _moved(slots, before)
    if moved is None:
        return None
    asked = with_slots(of_query(before.queries[0], before.said), moved)
    found = match(asked, before.structures, text)
    return found if isinstance(found, Fit) else None


def _moved(slots: Sequence[Slot], before: Antecedent) -> list[Slot] | None:
    ontology = load_ontology()
    old = ontology.get(before.structures[0]) if before.structures else None
    if old is None or old.kind != "lesion" or "#" in old.id:
        return list(slots)
    takes = load_kinds()[before.queries[0].kind].structures.kinds
    moved: list[Slot] = []
    for slot in slots:
        ids: list[str] = []
        for ident in slot.ids:
            one = ontology.get(ident)
            if one.kind == "lesion" and one.organ is None and old.organ is not None:
                ids.append(ontology.lesion_id(one.lesion_type or ident, old.organ))
            elif one.kind == "lesion" or one.kind in takes:
                ids.append(ident)
            elif old.organ is None or one.id.startswith("vertebrae_T"):
                return None
            else:
                ids.append(ontology.lesion_id(old.lesion_type or "lesion", ident))
        moved.append(replace(slot, ids=tuple(ids)))
    return moved
