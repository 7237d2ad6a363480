"""What persons said stands beside what the run said, in every rendering, and never in its place."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from agent.report import render_html, render_markdown, render_terminal
from agent.report_model import Pathology, Report, Review, ReviewedPathology
from agent.report_reviews import marks, review_rows
from agent.review_model import said_of
from tests.agent.sample_report import sample
from tests.agent.test_report import HOSTILE, Page, flat
from tools.correct_model import Amount, Change

CHANGE = Change(
    structure="liver_lesion", name="liver lesion", before=Amount(lesions=2, volume_cm3=13.72),
    after=Amount(lesions=1, volume_cm3=1.96), removed=1, note="what was added has only 2 voxels",
)  # fmt: skip


def review(report: Report, kind: str, about: str | None = None, **more: Any) -> Review:
    machine = more.pop("machine", said_of(report, about))
    return Review.model_validate(
        {
            "number": 1, "time": "2026-11-22T20:00:00Z", "reviewer": "Dr. Roe", "kind": kind, "about": about,
            "machine": machine, **more,
        }
    )  # fmt: skip


def reviewed(*given: tuple[str, str | None, dict[str, Any]]) -> Report:
    report = sample()
    return report.model_copy(update={"reviews": [review(report, kind, about, **more) for kind, about, more in given]})


def printed(report: Report) -> str:
    text = io.StringIO()
    render_terminal(report, Console(file=text, width=200))
    return text.getvalue()


ALL = reviewed(
    ("override", "answer-1", {"says": "It is enlarged.", "reason": "the dome alone says so"}),
    ("override", "f1", {"reason": "the border is blurred"}),
    ("approve", "i1", {}),
    ("override", "pathology", {"pathology": ReviewedPathology(ct="T2", stage="II"), "reason": "biopsy"}),
    ("approve", None, {"reason": "seen with the team"}),
)


@pytest.mark.parametrize(
    "said",
    [
        "Overridden by Dr. Roe: It is enlarged. (the dome alone says so)",
        "Overridden by Dr. Roe: (the border is blurred)",
        "Overridden by Dr. Roe: cT T2, stage II (biopsy)",
        "Approved by Dr. Roe",
        "Approved by Dr. Roe: (seen with the team)",
    ],
)
def test_every_rendering_marks_what_was_spoken_of(said: str) -> None:
    assert said in " ".join(Page(render_html(ALL, {})).text.split())
    plain = "".join(token.content for token in flat(render_markdown(ALL)) if token.type in {"text", "text_special"})
    lead, _, words = said.partition(":")
    assert lead in plain and words.strip() in plain
    assert said in " ".join(printed(ALL).split())


def test_what_the_run_said_stays_where_it_was() -> None:
    plain = sample()
    for render in (lambda report: Page(render_html(report, {})).text, printed):
        before = [line for line in render(plain).splitlines() if line.strip()]
        after = render(ALL)
        assert all(line in after for line in before if "│" not in line)
        assert after.index("The liver cannot be measured") < after.index("It is enlarged.")
    assert ALL.model_copy(update={"reviews": []}) == plain


def test_marks_follow_the_claim_they_are_about() -> None:
    found = marks(ALL)
    assert {about: [one.kind for one in given] for about, given in found.items()} == {
        "answer-1": ["override"], "f1": ["override"], "i1": ["approve"], "pathology": ["override"], None: ["approve"],
    }  # fmt: skip
    later = reviewed(("override", "f1", {"machine": "It measured 3 cm³.", "says": "5 cm³", "reason": "seen"}),
                     ("approve", "f77", {"machine": "Something else."}))  # fmt: skip
    assert marks(later) == {}
    assert [row.what for row in review_rows(later)] == [
        "Overridden: a finding", "Approved: a claim of an earlier report",
    ]  # fmt: skip
    assert "It measured 3 cm³." in Page(render_html(later, {})).text


def test_a_pathology_that_only_a_person_concluded_is_shown() -> None:
    report = sample().model_copy(update={"pathology": None})
    given = review(report, "override", "pathology", pathology=ReviewedPathology(diagnosis="hcc"), reason="biopsy")
    report = report.model_copy(update={"reviews": [given]})
    assert "diagnosis hepatocellular carcinoma (biopsy)" in render_markdown(report)
    assert "hepatocellular carcinoma" in Page(render_html(report, {})).text
    assert isinstance(sample().pathology, Pathology)


def test_corrections_are_listed_with_what_they_came_to() -> None:
    report = reviewed(("correct", None, {"reason": "an artefact", "changes": (CHANGE,)}))
    told = "liver lesions: 1 removed; 2 components of 13.72\u00a0cm³ before, 1 component of 1.96\u00a0cm³ now"
    assert told in Page(render_html(report, {})).text
    assert "Corrected: masks" in printed(report) and "what was added has only 2 voxels" in printed(report)
    assert marks(report) == {}


def test_a_report_without_reviews_says_nothing_of_them() -> None:
    for text in (render_html(sample(), {}), render_markdown(sample()), printed(sample())):
        assert "Reviews" not in text and "Overridden" not in text


def test_hostile_words_stay_words() -> None:
    # What is read back from a file was not checked at the door.
    given = [
        Review.model_construct(
            number=1, time=HOSTILE, reviewer=HOSTILE, kind="override", about=about, machine=said_of(sample(), about),
            says=HOSTILE, pathology=ReviewedPathology.model_construct(diagnosis=HOSTILE, ct=HOSTILE), reason=HOSTILE,
            changes=(CHANGE.model_copy(update={"structure": HOSTILE, "note": HOSTILE}),),
        )
        for about in ("answer-1", "f1", "pathology", None)
    ]  # fmt: skip
    report = sample().model_copy(update={"reviews": given})
    page = Page(render_html(report, {}))
    assert "script" not in {tag for tag, _ in page.tags} and "<script>alert(1)</script>" in page.text
    for token in flat(render_markdown(report)):
        assert token.type != "link_open" or token.attrs["href"].startswith("#e")
        assert token.type not in {"html_block", "html_inline"} or "script" not in token.content
    assert "\x1b" not in printed(report)
