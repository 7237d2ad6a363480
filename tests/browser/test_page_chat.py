"""Asking on the page: answers, follow-ups, steps, history, cancelling."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import Server, serving
from tests.browser.page_driver import Driver, Heard

pytestmark = pytest.mark.browser


def test_three_questions_with_a_follow_up_and_the_history_after_a_reload(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    page.keep(shots, "opened")

    first = page.ask("What is the volume of the right kidney?")
    assert "right kidney is" in first.get_by_test_id("answer").inner_text()
    assert "Consistent" in first.get_by_test_id("status").inner_text()
    assert first.get_by_test_id("steps").count() == 1
    second = page.ask("And the other kidney?")
    assert "left kidney is" in second.get_by_test_id("answer").inner_text()
    third = page.ask("How many liver metastases are there?")
    assert "is 2" in third.get_by_test_id("answer").inner_text()
    page.keep(shots, "answered")
    # What could not be assessed, and what is to be asked next, is there without a click.
    assert third.get_by_test_id("next").get_by_role("button").count() > 0

    address = page.page.url
    assert "#/c/" in address
    page.page.reload()
    page.until(lambda: page.at("turn").count() == 3, "the conversation is there again")
    page.until(lambda: "is 2" in page.at("turn").nth(2).inner_text(), "with its answers")
    page.go()
    page.at("history").click()
    page.at("history-list").get_by_role("button", name="What is the volume of the right kidney?").first.click()
    page.until(lambda: page.at("turn").count() == 3, "the conversation is found in the history")
    assert page.page.url == address


def test_steps_are_folded_under_the_answer_and_tell_plan_tools_and_gates(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("Is the spleen enlarged?")
    steps = turn.locator("details").filter(has=page.at("steps"))
    assert steps.evaluate("fold => fold.open") is False
    steps.locator("summary").first.click()
    text = steps.inner_text()
    assert all(part in text for part in ("Plan", "Measure structure", "Gate: grounding"))


def test_a_suggested_question_is_asked_with_one_click(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("How many liver metastases are there?")
    button = turn.get_by_test_id("next").get_by_role("button").first
    words = button.inner_text().strip()
    button.click()
    page.until(lambda: page.at("turn").count() == 2, "the suggestion was asked")
    page.at("turn").nth(1).get_by_test_id("report").wait_for()
    assert page.at("turn").nth(1).inner_text().startswith(words)


def test_an_ambiguous_question_is_asked_back(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    page.ask("What are the volumes of the liver and the spleen?")
    turn = page.ask("Is it enlarged?")
    choices = turn.get_by_test_id("choices").get_by_role("button")
    assert choices.count() == 2
    choices.filter(has_text="spleen").click()
    page.until(lambda: page.at("turn").count() == 3, "the chosen question was asked")
    page.at("turn").nth(2).get_by_test_id("report").wait_for()
    assert "spleen" in page.at("turn").nth(2).get_by_test_id("answer").inner_text()


def test_a_running_segmentation_is_cancelled_and_resumed(
    pages: Callable[[str], tuple[Driver, Heard]], scans: Path, tmp_path: Path
) -> None:
    # Without labels the engine looks first, which takes long enough to be stopped in its midst.
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copy(scans / "first" / "ct.nii.gz", raw / "ct.nii.gz")
    with serving(raw, tmp_path / "state", "--segment", "embedded", "--no-prepare") as server:
        page, _ = pages(server.base)
        page.go()
        page.open_scan("ct.nii.gz")
        page.at("question").fill("What is the volume of the spleen?")
        page.page.keyboard.press("Enter")
        turn = page.at("turn").first
        page.until(lambda: "egment" in turn.inner_text(), "the engine looks")
        page.at("stop").click()
        turn.get_by_test_id("turn-error").wait_for(timeout=120_000)
        assert turn.get_by_test_id("report").count() == 0
        turn.get_by_test_id("resume").click()
        turn.get_by_test_id("report").wait_for(timeout=120_000)
        assert "spleen is" in turn.get_by_test_id("answer").inner_text()
        # What the engine saw is in view now.
        page.until(lambda: "spleen" in page.viewer()["visible"], "the masks of the engine are shown")


def test_two_people_at_once_hear_only_their_own(pages: Callable[[str], tuple[Driver, Heard]], server: Server) -> None:
    one, _ = pages(server.base)
    other, _ = pages(server.base)
    for person, scan in ((one, "first/ct.nii.gz"), (other, "second/ct.nii.gz")):
        person.go()
        person.open_scan(scan)
    for person in (one, other):
        person.at("question").fill("How many liver metastases are there?")
        person.page.keyboard.press("Enter")
    for person, answer in ((one, "is 2"), (other, "No liver metastas")):
        person.at("report").wait_for()
        assert answer in person.at("answer").inner_text()
        assert person.at("turn").count() == 1
    # Each one's follow-up is understood by what they asked themselves.
    one.ask("What is the volume of the spleen?")
    other.ask("What is the volume of the left kidney?")
    assert "spleen" in one.ask("Is it enlarged?").get_by_test_id("answer").inner_text()
    assert "kidney" in other.ask("What is its mean HU?").get_by_test_id("answer").inner_text()


def test_what_is_not_answered_reads_as_neither_consistent_nor_failed(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    for question, word in (
        ("Is it large?", "Asked back"),
        ("Is there ascites?", "Not answered"),
        ("Frobnicate the wibble", "Not understood"),
        ("Is there ascites? What is the volume of the spleen?", "Partly answered"),
    ):
        told = page.ask(question).get_by_test_id("status").inner_text()
        assert word in told
        assert "Consistent" not in told
        assert "Unresolved" not in told
