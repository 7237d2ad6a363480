"""What people read of a status: whether anything was answered, and what the checks passed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from agent.query import NotUnderstood
from agent.report import render_html, render_markdown, render_terminal
from agent.report_model import Answer, Report, Status, Verdict
from agent.report_status import status_shown
from agent.reporting import _not_understood
from tools.types import State

ANSWERED = Answer(text="The spleen is there.", state=State.MEASURED, value=True, evidence=["a"])
ABSENT = Answer(text="No cyst was found.", state=State.ABSENT, value=False, evidence=["a"])
CUT = Answer(text="At least 3 cm³.", state=State.NOT_MEASURABLE, evidence=["a"])
NOBODY_LOOKED = Answer(text="It was not assessed.", state=State.NOT_ASSESSED, evidence=["a"])
REFUSED = Answer(text="This is unresolved: no answer passed the critic (x).", state=State.NOT_ASSESSED, reason="x")
UNKNOWN = _not_understood(NotUnderstood(text="wibble", reason='I don\'t know what "wibble" means here'))
UNCLEAR = _not_understood(
    NotUnderstood(
        text="is it big", reason='"it" refers to nothing', choices=("Is the liver big?", "Is the spleen big?")
    )
)
STOPPED = "No further evidence can be made and these gates object: coverage."


def made(
    status: Status, *answers: Answer, opened: tuple[str, ...] = (), failed: tuple[str, ...] = (), why: str = STOPPED
) -> Report:
    asked = [f"{one.reason}." for one in answers if one in (UNKNOWN, UNCLEAR)]
    verdicts = [Verdict(round=1, gate=name, outcome="fail", reason="it says so") for name in failed]
    return Report(
        run_id="r", question="?", status=status, rounds=1, answer=answers[0] if answers else None,
        answers=list(answers), open=[why, *asked, *opened] if status == "unresolved" else [], verdicts=verdicts,
        trace="t",
    )  # fmt: skip


CASES = {
    "answered": (made("consistent", ANSWERED), "Consistent", "consistent"),
    "absent": (made("consistent", ABSENT), "Consistent", "consistent"),
    "cut off": (made("consistent", CUT), "Consistent", "consistent"),
    "a report on everything": (made("consistent"), "Consistent", "consistent"),
    "nobody looked": (made("consistent", NOBODY_LOOKED), "Not answered", "unanswered"),
    "one of two": (made("consistent", ANSWERED, NOBODY_LOOKED), "Partly answered", "unanswered"),
    "asked back": (made("unresolved", UNCLEAR, failed=("coverage",)), "Asked back", "unanswered"),
    "not understood": (made("unresolved", UNKNOWN, failed=("coverage",)), "Not understood", "unanswered"),
    "asked back beside an answer": (
        made("unresolved", UNCLEAR, ANSWERED, failed=("coverage",)), "Partly answered", "unanswered",
    ),
    "two lacks": (made("unresolved", UNCLEAR, NOBODY_LOOKED, failed=("coverage",)), "Not answered", "unanswered"),
    "refused": (made("unresolved", REFUSED, failed=("grounding",)), "Unresolved", "unresolved"),
    "refused beside a question back": (
        made("unresolved", UNCLEAR, REFUSED, failed=("coverage", "rules")), "Unresolved", "unresolved",
    ),
    "an answer that another gate objects to": (
        made("unresolved", UNCLEAR, ANSWERED, failed=("coverage", "conflict")), "Unresolved", "unresolved",
    ),
    "evidence is missing as well": (
        made("unresolved", UNCLEAR, ANSWERED, opened=("A question needs evidence that was not made.",),
             failed=("coverage",)),
        "Unresolved", "unresolved",
    ),
    "it went back and forth as well": (
        made("unresolved", UNCLEAR, ANSWERED, failed=("coverage",),
             why="It goes back and forth between conclusions and these gates object: coverage."),
        "Unresolved", "unresolved",
    ),
    "the rounds were spent as well": (
        made("unresolved", UNKNOWN, ANSWERED, failed=("coverage",),
             why="The rounds are spent and these gates object: coverage."),
        "Unresolved", "unresolved",
    ),
    "the budget was spent as well": (
        made("unresolved", UNKNOWN, ANSWERED, failed=("coverage",),
             why="The run's budget of seconds is spent and these gates object: coverage."),
        "Unresolved", "unresolved",
    ),
    "settled over rounds": (
        made("unresolved", UNKNOWN, ANSWERED, failed=("coverage",),
             why="Nothing new came of a further round and these gates object: coverage."),
        "Partly answered", "unanswered",
    ),
    "a person has to decide": (made("needs_review", NOBODY_LOOKED), "Needs review", "needs_review"),
}  # fmt: skip


@pytest.mark.parametrize(("report", "word", "tone"), CASES.values(), ids=CASES)
def test_the_status_says_whether_anything_was_answered(report: Report, word: str, tone: str) -> None:
    shown = status_shown(report)
    assert (shown.word, shown.tone) == (word, tone)
    # What remained open stands there wherever a reader has to take nothing as settled.
    assert bool(shown.reasons) == (word == "Unresolved")
    if tone == "unanswered" and word != "Partly answered":
        assert "assessed" in shown.meaning


@pytest.mark.parametrize(("report", "word", "tone"), CASES.values(), ids=CASES)
def test_every_rendering_tells_it_the_same_way(report: Report, word: str, tone: str) -> None:
    shown = status_shown(report)
    told = Console(file=io.StringIO(), width=400)
    render_terminal(report, told)
    assert isinstance(told.file, io.StringIO)
    page, text = render_html(report, {}), render_markdown(report)
    assert f'<div class="pill {tone}">{word}</div>' in page
    assert f"**Status: {word}**" in text
    for rendering in (told.file.getvalue(), page, text):
        assert shown.meaning in rendering


def test_questions_are_counted() -> None:
    shown = status_shown(made("unresolved", UNCLEAR, ANSWERED, NOBODY_LOOKED, NOBODY_LOOKED, failed=("coverage",)))
    assert shown.meaning.startswith("1 of 4 questions may mean several things, 2 of 4 questions were not assessed.")
