"""A served model's flat answer as a conclusion that the gates can hold against the evidence, and the vote over several.

What a model restates truly becomes the claim that its evidence makes. What it restates falsely stays in the claim as
the model said it, so that the grounding gate refuses it and the objection goes back. Sentences are always those of the
evidence: not one word of a model's is ever shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.claims import lesions_seen
from agent.gates.validity import closure
from agent.models.schemas import LONGEST_VALUE, AnswerForm, ConcludeForm, ImpressionForm
from agent.models.table import NONE, Asked, Row, Table, shown
from agent.pathology import UNKNOWN, categories
from agent.pathology import pathology as truly
from agent.state import Claim, Conclusion, PathologyClaim, RunState
from agent.telling import telling
from tools.ontology import load_ontology
from tools.types import Scalar, State
from tools.units import symbol

_TRUTH = {"yes": True, "true": True, "no": False, "false": False}
_NOTHING = {"", "none", "null", "n/a", "-", "unknown"}
_STATES = frozenset(state.value for state in State)
_FIELDS = {"ct": "t", "cn": "n", "cm": "m", "stage": "stage"}


@dataclass(frozen=True)
class Judged:
    """One sample, as a conclusion.

    Attributes:
        conclusion: the claims.
        unusable: parts of the sample that say nothing: no such row, no such question, no such state.
    """

    conclusion: Conclusion
    unusable: int = 0


def judged(form: ConcludeForm, table: Table, state: RunState) -> Judged:
    """What a sample concludes.

    Args:
        form: the sample.
        table: the evidence that the model was shown.
        state: the run.
    """
    reader = _Reader(table)
    answers = [claim for one in form.answers if (claim := reader.answer(one)) is not None]
    if state.request.question is None:
        findings = reader.findings(form.findings)
        impression = [reader.impression(one) for one in form.impression]
        told = _in_order([*findings, *impression, *table.untold()])
    else:
        told = _behind(answers, state)
    pathology = _pathology(form, state)
    return Judged(Conclusion(claims=(*answers, *told), pathology=pathology), reader.unusable)


def vote(samples: Sequence[Judged], asked: int) -> Conclusion:
    """The conclusion that most samples give, with their share as its agreement.

    Ties go to the one with the fewest unusable parts, then to the one given first.

    Args:
        samples: the usable ones, at least one.
        asked: how many samples were asked for; those that could not be used agree with nothing.
    """
    counts = Counter(one.conclusion.fingerprint() for one in samples)
    best = min(samples, key=lambda one: (-counts[one.conclusion.fingerprint()], one.unusable))
    asked = max(asked, len(samples))
    agreement = round(counts[best.conclusion.fingerprint()] / asked, 6)
    pathology = best.conclusion.pathology
    if pathology is not None and asked > 1:
        # One answer alone agrees with nothing.
        pathology = pathology.model_copy(update={"confidence": agreement})
    return best.conclusion.model_copy(update={"samples": asked, "agreement": agreement, "pathology": pathology})


def lesion_types(state: RunState) -> tuple[str, ...]:
    """Lesion types that may be named for the lesions that were seen: those of their organs, and those of any."""
    ontology = load_ontology()
    organs = {
        ontology.get(organ).base for ident in lesions_seen(state)
        if (organ := ontology.get(state.evidence[ident].target).organ) is not None
    }  # fmt: skip
    return tuple(
        sorted(name for name, one in ontology.lesion_types.items() if one.organ is None or one.organ in organs)
    )


class _Reader:
    """Reads the parts of one sample, and counts those that say nothing."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._impressions = table.told("impression")
        self._findings = table.told("finding")
        self.unusable = 0

    def answer(self, said: AnswerForm) -> Claim | None:
        """The claim of one answer; None for one to no question."""
        asked = next((one for one in self._table.asked if one.number == said.q), None)
        row = self._table.by_alias.get(said.evidence)
        if asked is None or said.state not in _STATES:
            self.unusable += 1
            return None
        claim = asked.right.model_copy(update=self._cited(row, asked.right))
        if row is None or row.one.id != asked.decisive.id:
            return self._restated(claim, said, None)
        option = None if said.option == NONE else said.option
        return self._restated(claim, said, asked).model_copy(update={"option": option})

    def findings(self, aliases: Sequence[str]) -> list[Claim]:
        """The findings of a report that a sample names, in its order."""
        found = []
        for number, alias in enumerate(dict.fromkeys(aliases)):
            if alias in self._findings:
                found.append(self._findings[alias])
            elif alias not in self._table.by_alias:
                found.append(self._of_nothing("finding", number))
        return found

    def impression(self, said: ImpressionForm) -> Claim:
        """One impression of a report."""
        right = self._impressions.get(said.evidence)
        if right is None or said.state not in _STATES:
            self.unusable += 1
            return self._of_nothing("impression", self.unusable)
        return self._restated(right, said, None)

    def _restated(self, right: Claim, said: AnswerForm | ImpressionForm, asked: Asked | None) -> Claim:
        """A claim with what the sample restates; its own words only where they differ from the evidence."""
        row = self._table.by_alias.get(said.evidence)
        changes: dict[str, Scalar | State] = {}
        if row is None or not _same_value(said.value, row, right if asked else None):
            changes["value"] = _value(said.value)
        unit = said.unit.strip()
        plain = right.unit is None or symbol(right.unit) == ""
        # A yes or no about a number has no unit to restate, whatever its evidence has.
        if unit not in {right.unit, symbol(right.unit)} and not (plain and unit in {"", "1"}):
            changes["unit"] = unit[:LONGEST_VALUE]
        if State(said.state) is not right.state:
            changes["state"] = State(said.state)
        return right.model_copy(update=changes)

    def _cited(self, row: Row | None, right: Claim) -> dict[str, tuple[str, ...]]:
        if row is None:
            self.unusable += 1
            return {"evidence": ()}
        return {} if row.one.id == right.evidence[0] else {"evidence": (row.one.id,)}

    def _of_nothing(self, level: str, number: int) -> Claim:
        """A claim that rests on nothing, for the gate to refuse."""
        return Claim.model_validate(
            {"id": f"{level}-{number + 1}", "level": level, "evidence": (), "target": "scan", "quantity": "",
             "state": State.NOT_ASSESSED, "text": ""}
        )  # fmt: skip


def _same_value(said: str, row: Row, answer: Claim | None) -> bool:
    """Whether a sample restates what the table shows, or the answer in the sense of its question."""
    text = said.strip()
    given = {shown(answer.value, answer.unit)} if answer is not None else set()
    for right in {row.value, *given}:
        if not right or right in _TRUTH:
            if text.lower() in ({right} if right else _NOTHING):
                return True
        elif text in {right, f"{right} {row.unit}".strip()} or _number(text) == _number(right) is not None:
            return True
    return False


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _value(said: str) -> Scalar:
    """What a sample said, typed."""
    text = said.strip()[:LONGEST_VALUE]
    if text.lower() in _NOTHING:
        return None
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    number = _number(text)
    return text if number is None else number


def _behind(answers: Sequence[Claim], state: RunState) -> list[Claim]:
    """The findings that the evidence behind the answers makes, as the evidence tells them."""
    cited = {one.id for claim in answers for one in closure(state, claim.evidence)}
    return [claim for claim in telling(state) if claim.evidence[0] in cited]


def _in_order(claims: Sequence[Claim]) -> list[Claim]:
    return [claim for level in ("finding", "impression") for claim in claims if claim.level == level]


def _pathology(form: ConcludeForm, state: RunState) -> PathologyClaim | None:
    """The pathology conclusion of a sample; None where there is nothing to conclude about.

    It cites all that it has to take up: the lesions that were seen and what decides its categories.
    """
    if (right := truly(state)) is None:
        return None
    said = {field: _category(getattr(form, name), UNKNOWN.get(field)) for field, name in _FIELDS.items()}
    diagnosis = None if (form.diagnosis or NONE).lower() in _NOTHING else form.diagnosis
    lesions = lesions_seen(state) if diagnosis or form.differential else ()
    decided = tuple(one.id for one in categories(state).values())
    return PathologyClaim(
        ct=said["ct"], cn=said["cn"], cm=said["cm"], stage=said["stage"],
        diagnosis=diagnosis[:LONGEST_VALUE] if diagnosis else None,
        differential=tuple(dict.fromkeys(one[:LONGEST_VALUE] for one in form.differential if one != diagnosis)),
        evidence=tuple(dict.fromkeys([*right.evidence, *lesions, *decided])),
    )  # fmt: skip


def _category(said: str | None, unknown: str | None) -> str | None:
    text = (said or "").strip()[:LONGEST_VALUE]
    return unknown if text.lower() in _NOTHING or text.upper() == "X" else text
