"""A report's status as people read it: what the checks say, and whether anything was answered at all.

`Report.status` says whether what is stated passed the checks, which a statement that nothing was looked for does as
well. Beside an answer that would read as if the question were settled, so people are told both.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.consistency import SETTLED
from agent.report_model import Answer, Report, Status
from tools.types import State

Tone = Literal["consistent", "unresolved", "needs_review", "unanswered"]
_Lack = Literal["asked back", "not understood", "refused", "not assessed"]

_WORDS: dict[Status, str] = {
    "consistent": "Consistent",
    "unresolved": "Unresolved",
    "needs_review": "Needs review",
}
_MEANING: dict[Status, str] = {
    "consistent": "Every statement passed the checks of the last round.",
    "unresolved": "The checks could not all be met; take nothing here as settled.",
    "needs_review": "A person has to decide before this counts.",
}
_COVERAGE = "coverage"
_NOTHING: dict[_Lack, tuple[str, str]] = {
    "asked back": (
        "Asked back",
        "The question may mean several things: nothing was assessed, and nothing is wrong with the scan or the masks.",
    ),
    "not understood": ("Not understood", "The question was not understood: nothing was assessed."),
    "not assessed": (
        "Not answered",
        "What was asked was not assessed; only what is said of the reasons passed the checks.",
    ),
}
_LACKS: dict[_Lack, tuple[str, str]] = {
    "asked back": ("may mean several things", "may mean several things"),
    "not understood": ("was not understood", "were not understood"),
    "not assessed": ("was not assessed", "were not assessed"),
}


class StatusShown(BaseModel):
    """What people read of a status.

    Attributes:
        word: for a badge.
        meaning: what that is, in a sentence or two.
        tone: how it is coloured; "unanswered" is neither good nor bad news.
        reasons: what remained open, one sentence each, but for what the answers say themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    word: str
    meaning: str
    tone: Tone
    reasons: tuple[str, ...] = ()


def status_shown(report: Report) -> StatusShown:
    """How a report's status is told to people."""
    given = report.answers or ([report.answer] if report.answer else [])
    lacks = [_lack(one) for one in given]
    plain = StatusShown(
        word=_WORDS[report.status], meaning=_MEANING[report.status], tone=report.status, reasons=tuple(report.open)
    )
    missing = [one for one in lacks if one is not None]
    if not missing or "refused" in missing or not _only_questions(report, given):
        return plain
    if len(missing) < len(lacks):
        meaning = f"{_counts(lacks)}. Every statement on the rest passed the checks of the last round."
        return StatusShown(word="Partly answered", meaning=meaning, tone="unanswered")
    if len(set(missing)) > 1:
        return StatusShown(word="Not answered", meaning=f"{_counts(lacks)}. Nothing was assessed.", tone="unanswered")
    word, meaning = _NOTHING[missing[0]]
    return StatusShown(word=word, meaning=meaning, tone="unanswered")


def _lack(answer: Answer) -> _Lack | None:
    """Why an answer answers nothing; None where it does."""
    if answer.state is not State.NOT_ASSESSED:
        return None
    if answer.choices:
        return "asked back"
    if not answer.understood:
        return "not understood"
    return "not assessed" if answer.evidence else "refused"


def _only_questions(report: Report, given: list[Answer]) -> bool:
    """Whether nothing remained open but what the questions mean."""
    if report.status == "consistent":
        return True
    last = max((one.round for one in report.verdicts), default=0)
    failed = {one.gate for one in report.verdicts if one.outcome == "fail" and one.round == last}
    asked = {_plain(one.reason) for one in given if _lack(one) in {"asked back", "not understood"} and one.reason}
    # The first sentence says why the run ended: a conclusion that still changed, or a budget that was spent, is more
    # than a question that nobody understood. What an objection would name stands after it, word for word.
    why, *objections = [_plain(one) for one in report.open] or [""]
    settled = why.startswith(SETTLED) and bool(objections) and set(objections) <= asked
    return report.status == "unresolved" and failed == {_COVERAGE} and settled


def _plain(text: str) -> str:
    return text.rstrip(".").casefold()


def _counts(lacks: list[_Lack | None]) -> str:
    found = [(lacks.count(kind), words) for kind, words in _LACKS.items() if kind in lacks]
    return ", ".join(f"{count} of {len(lacks)} questions {words[count > 1]}" for count, words in found)
