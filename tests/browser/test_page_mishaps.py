"""What goes wrong on the way: double clicks, lost connections, other tabs, browsers that show no image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route

from tests.browser.conftest import Server, serving
from tests.browser.page_driver import Driver, Heard

pytestmark = pytest.mark.browser

TOKEN = "a-token-for-this-test-only"  # noqa: S105 - of this test alone
QUESTION = "How many liver metastases are there?"
NO_WEBGL = """
const given = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : given.call(this, kind, ...rest);
};
"""
PagesOf = Callable[[str], tuple[Driver, Heard]]


def _slow(page: Driver) -> None:
    """Questions take a while to reach the server."""

    def wait(route: Route) -> None:
        page.page.wait_for_timeout(300)
        route.continue_()

    for path in ("**/api/conversations", "**/api/runs"):
        page.page.route(path, wait)


def _conversations(page: Driver) -> int:
    return len(httpx.get(f"{page.base}/api/conversations").json()["conversations"])


def test_a_double_click_asks_once(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    before = _conversations(page)
    _slow(page)
    page.page.locator(".suggestion").first.dblclick()
    page.at("report").first.wait_for()
    assert page.at("turn").count() == 1
    assert _conversations(page) == before + 1


def test_who_leaves_while_a_question_is_sent_finds_it_in_its_own_conversation(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    before = _conversations(page)
    _slow(page)
    page.at("question").fill(QUESTION)
    with page.page.expect_response("**/api/runs"):
        page.page.keyboard.press("Enter")
        page.at("new-conversation").click()
    page.until(lambda: page.at("ask").is_enabled(), "the question is sent")
    assert page.at("turn").count() == 0
    assert _conversations(page) == before + 1
    page.at("history").click()
    page.at("history-list").get_by_role("button", name=QUESTION).first.click()
    page.at("report").first.wait_for()
    assert page.page.locator(".question").all_inner_texts()[0].startswith(QUESTION)


def test_what_another_tab_asked_in_the_conversation_is_seen_here(pages: PagesOf, server: Server) -> None:
    here, _ = pages(server.base)
    there, _ = pages(server.base)
    here.go()
    here.open_scan("first/ct.nii.gz")
    here.ask(QUESTION)
    there.go("/" + here.page.url.split("/", 3)[3])
    there.until(lambda: there.at("report").count() == 1, "the conversation is open in both")
    here.ask("What is the volume of the spleen?")
    assert there.at("turn").count() == 1
    there.ask("Is the liver enlarged?")
    there.until(lambda: there.at("turn").count() == 3, "the other tab's question is there")
    asked = [text.split("\n")[0] for text in there.page.locator(".question").all_inner_texts()]
    assert asked == [QUESTION, "What is the volume of the spleen?", "Is the liver enlarged?"]


def test_without_webgl_lists_values_and_questions_work(page: Driver, shots: Path | None) -> None:
    page.page.add_init_script(NO_WEBGL)
    page.go()
    page.at("open").click()
    page.page.locator(".source", has_text="first/ct.nii.gz").locator("input").first.check()
    page.at("open-confirm").click()
    page.at("lesion-liver_metastasis#1").wait_for()
    assert "no WebGL 2" in page.page.locator(".stage-message").inner_text()
    page.at("lesion-liver_metastasis#1").click()
    page.until(lambda: "liver metastasis" in page.at("read-structures").inner_text(), "it is told")
    assert "metastases is 2" in page.ask(QUESTION).inner_text()
    page.keep(shots, "no-webgl")


def test_an_image_that_does_not_come_can_be_loaded_again(pages: PagesOf, server: Server) -> None:
    page, heard = pages(server.base)
    heard.expected = ("ERR_FAILED",)
    page.go()
    page.page.route("**/volume?*", lambda route: route.abort())
    page.at("open").click()
    page.page.locator(".source", has_text="first/ct.nii.gz").locator("input").first.check()
    page.at("open-confirm").click()
    page.at("load-again").wait_for()
    assert "does not answer" in page.page.locator(".stage-message").inner_text()
    page.page.unroute("**/volume?*")
    page.at("load-again").click()
    page.until(lambda: page.viewer().get("hu") is not None, "the image is there")
    assert not page.page.locator(".stage-message").is_visible()


def test_a_question_survives_signing_in_again(pages: PagesOf, scans: Path, tmp_path: Path) -> None:
    with serving(scans, tmp_path, token=TOKEN) as server:
        page, heard = pages(server.base)
        heard.expected = ("401",)
        page.page.goto(server.base)
        page.at("token").fill(TOKEN)
        page.at("sign-in").click()
        page.open_scan("first/ct.nii.gz")
        page.page.context.clear_cookies()
        page.at("question").fill(QUESTION)
        page.page.keyboard.press("Enter")
        page.at("token").fill(TOKEN)
        page.at("sign-in").click()
        page.at("token").wait_for(state="detached")
        page.until(lambda: page.at("question").input_value() == QUESTION, "the question is still there")


def test_lesions_lead_to_the_slices_that_the_list_names(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    rows = page.page.locator(".lesion-go")
    assert rows.count() >= 3
    for row in rows.all():
        row.click()
        named = int(row.inner_text().rsplit("slice ", 1)[1])
        page.until(lambda named=named: page.viewer()["slice"] == named, f"slice {named} is shown")  # type: ignore[misc]


def test_the_focus_stays_with_what_was_done(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    chip = page.value(page.ask(QUESTION))
    chip.focus()
    page.page.keyboard.press("Enter")
    page.at("evidence-go").focus()
    page.page.keyboard.press("Escape")
    assert chip.evaluate("chip => chip === document.activeElement")
    page.at("everything").focus()
    page.page.keyboard.press("Enter")
    page.until(lambda: page.at("turn").count() == 2, "the run has begun")
    assert page.at("question").evaluate("box => box === document.activeElement")
