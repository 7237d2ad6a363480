"""What the renderings of a report share: words, numbers, and which evidence each piece of text rests on.

Evidence is numbered in the order in which it is cited, like the references of a paper; what is cited nowhere
follows. A rendering links every number to its row in the table of evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from agent.claims import answer_id
from agent.report_lesions import COLUMNS, LesionRow, lesion_rows
from agent.report_model import Answer, Binding, EvidenceOut, Report, Sentence, Verdict
from agent.report_pathology import pathology_rows
from agent.report_reviews import Mark, marks, review_rows
from agent.report_status import status_shown
from agent.report_usage import usage_text
from agent.review_model import PATHOLOGY
from tools.types import Scalar, State
from tools.units import number_text, symbol

STATE_WORDS: dict[State, str] = {
    State.MEASURED: "Measured",
    State.ABSENT: "Absent",
    State.NOT_MEASURABLE: "Not measurable",
    State.NOT_ASSESSED: "Not assessed",
}
OUTCOME_WORDS = {"pass": "pass", "fail": "fail", "not_applicable": "not applicable"}
_QUIET = frozenset({"method", "reason"})
_CLOSE = frozenset({"%", "°"})
_DIGITS = 5
_SMALL = 1e-4


@dataclass(frozen=True)
class Ref:
    """A citation: the evidence's number and anchor, None where the table does not have it."""

    number: int | None
    title: str

    @property
    def anchor(self) -> str:
        """Name of the row in the table of evidence."""
        return f"e{self.number}"


@dataclass(frozen=True)
class Segment:
    """A stretch of a sentence, with the evidence that it comes from; `quiet` for reasons and citations."""

    text: str
    ref: Ref | None = None
    quiet: bool = False


@dataclass(frozen=True)
class SentenceView:
    """A sentence in segments, with all that it rests on, and what persons said of it."""

    id: str
    segments: list[Segment]
    refs: list[Ref]
    marks: list[Mark]


@dataclass(frozen=True)
class AnswerView:
    """An answer: the few words that stand large, the sentence, and what qualifies it.

    `word` names the state, and is empty where the headline does so already.
    """

    question: str
    headline: str
    sentence: SentenceView
    state: State
    word: str
    uncertainty: str
    bound: str
    reason: str


@dataclass(frozen=True)
class EvidenceRow:
    """One row of the table of evidence."""

    ref: Ref
    id: str
    item: EvidenceOut
    target: str
    quantity: str
    value: str
    word: str
    inputs: list[Ref]


@dataclass(frozen=True)
class PictureView:
    """A picture's path, caption and evidence."""

    path: str
    caption: str
    refs: list[Ref]


class ReportView:
    """A report, ready to be laid out.

    Args:
        report: the report.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        cited = _cited(report)
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys([*cited, *report.evidence]), start=1)}
        self.status = status_shown(report)
        self._marks = marks(report)
        self.marks = self._marks.get(None, [])
        self.pathology_marks = self._marks.get(PATHOLOGY, [])
        self.reviews = review_rows(report)
        given = report.answers or ([report.answer] if report.answer else [])
        self.answers = [self._answer(number, answer) for number, answer in enumerate(given)]
        self.findings = [self.sentence(item) for item in report.findings]
        self.impression = [self.sentence(item) for item in report.impression]
        self.pictures = [PictureView(p.path, p.caption, self.refs(p.evidence)) for p in report.pictures]
        self.lesion_columns = COLUMNS
        self.lesions: list[tuple[LesionRow, Ref]] = [(row, self._ref(row.evidence)) for row in lesion_rows(report)]
        self.usage = usage_text(report.usage)
        self.pathology = pathology_rows(report)
        self.pathology_refs = self.refs(report.pathology.evidence) if report.pathology else []
        ordered = sorted(report.verdicts, key=lambda verdict: verdict.round)
        self.rounds: list[tuple[int, list[Verdict]]] = [
            (number, list(group)) for number, group in groupby(ordered, key=lambda verdict: verdict.round)
        ]
        self.rows = [self._row(name) for name in self._numbers if name in report.evidence]
        self.cited_rows = self.rows[: len(cited)]

    def refs(self, ids: Iterable[str]) -> list[Ref]:
        """Citations of some evidence, each once."""
        return [self._ref(name) for name in dict.fromkeys(ids)]

    def sentence(self, item: Sentence) -> SentenceView:
        """Cut a sentence where its bindings say."""
        return self._sentence(item.id, item)

    def _sentence(self, ident: str, item: Sentence | Answer) -> SentenceView:
        segments = self._segments(item.text, item.bindings)
        return SentenceView(ident, segments, self.refs(item.evidence), self._marks.get(ident, []))

    def _answer(self, number: int, answer: Answer) -> AnswerView:
        said, unit = headline(answer), unit_text(answer.unit)
        spread = joined(f"± {like_value(answer.uncertainty, answer)}", unit) if answer.uncertainty else ""
        # What the sentence tells already is not told again beside it.
        shown = "" if answer.lower_bound is None else number_text(answer.lower_bound, answer.unit)
        bound = joined(f"at least {shown}", unit) if shown and shown not in answer.text else ""
        return AnswerView(
            question=answer.question or self.report.question or "",
            headline=said,
            sentence=self._sentence(answer_id(number), answer),
            state=answer.state,
            word="" if said == STATE_WORDS[answer.state] else STATE_WORDS[answer.state],
            uncertainty=spread,
            bound=bound,
            reason=answer.reason if answer.reason and answer.reason not in answer.text else "",
        )

    def _segments(self, text: str, bindings: Sequence[Binding]) -> list[Segment]:
        segments: list[Segment] = []
        at = 0
        for binding in sorted(bindings, key=lambda item: (item.start, item.end)):
            # A binding that lies beside the text, or within another, has nothing of its own to mark.
            if not at <= binding.start < binding.end <= len(text):
                continue
            if binding.start > at:
                segments.append(Segment(text[at : binding.start]))
            quiet = binding.field in _QUIET
            segments.append(Segment(text[binding.start : binding.end], self._ref(binding.evidence), quiet))
            at = binding.end
        if at < len(text):
            segments.append(Segment(text[at:]))
        return segments

    def _ref(self, name: str) -> Ref:
        item = self.report.evidence.get(name)
        if item is None:
            return Ref(None, f"{name} is not in the table of evidence")
        return Ref(self._numbers[name], f"{item.quantity} of {spaced(item.target)}: {value_text(item)} [{name}]")

    def _row(self, name: str) -> EvidenceRow:
        item = self.report.evidence[name]
        return EvidenceRow(
            ref=self._ref(name),
            id=name,
            item=item,
            target=spaced(item.target),
            quantity=spaced(item.quantity),
            value=value_text(item),
            word=STATE_WORDS[item.state],
            inputs=self.refs(item.inputs),
        )


def number(value: float) -> str:
    """A number with five significant digits, no exponent where it can be avoided, and no needless zeros."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value == 0 or abs(value) < _SMALL:
        return f"{value:.3g}"
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scalar(value: Scalar) -> str:
    """A value in words: yes and no for booleans, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value)


def unit_text(unit: str | None) -> str:
    """A unit as it is printed."""
    return symbol(unit)


def joined(text: str, unit: str) -> str:
    """A number and its unit, which never part at the end of a line; % and ° stand close."""
    if not unit:
        return text
    return text + unit if unit in _CLOSE else f"{text}\u00a0{unit}"


def value_text(item: EvidenceOut) -> str:
    """A piece of evidence in short: value, uncertainty and unit, or the bound, or a dash."""
    unit = unit_text(item.unit)
    if item.value is not None:
        spread = "" if item.uncertainty is None else f" ± {number(item.uncertainty)}"
        return joined(scalar(item.value) + spread, unit)
    return "–" if item.lower_bound is None else joined(f"at least {number(item.lower_bound)}", unit)


def like_value(uncertainty: float, answer: Answer) -> str:
    """An uncertainty with as many decimals as the value has in the headline."""
    shown = number_text(answer.value, answer.unit) if isinstance(answer.value, int | float) else ""
    return f"{uncertainty:.{max(1, len(shown.partition('.')[2]))}f}"


def headline(answer: Answer) -> str:
    """The few words that an answer comes down to."""
    said = scalar(answer.value)
    if isinstance(answer.value, int | float) and not isinstance(answer.value, bool):
        said = number_text(answer.value, answer.unit)
    if isinstance(answer.value, bool | str):
        said = spaced(said[:1].upper() + said[1:])
    text = joined(said, unit_text(answer.unit)) if said else STATE_WORDS[answer.state]
    return f"{answer.option} · {text}" if answer.option else text


def spaced(name: str) -> str:
    """An identifier as words."""
    return name.replace("_", " ")


def _cited(report: Report) -> list[str]:
    cited: list[str] = []
    for answer in [*([report.answer] if report.answer else []), *report.answers]:
        cited += [*answer.evidence, *(binding.evidence for binding in answer.bindings)]
    for sentence in [*report.impression, *report.findings]:
        cited += [*sentence.evidence, *(binding.evidence for binding in sentence.bindings)]
    cited += report.pathology.evidence if report.pathology else []
    return [name for name in dict.fromkeys(cited) if name in report.evidence]
