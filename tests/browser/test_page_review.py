"""A person in the loop: overriding with a reason, correcting a mask, and what stays of the machine's conclusion."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator

from tests.browser.page_driver import PATIENCE, Driver

pytestmark = pytest.mark.browser


def _wrong(turn: Locator) -> None:
    turn.get_by_test_id("answer").get_by_role("button", name="This is wrong").first.click()


def test_an_override_stands_beside_the_machines_conclusion(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("How many liver metastases are there?")
    said = turn.get_by_test_id("answer").inner_text()
    _wrong(turn)
    page.at("reviewer").fill("Dr Ada Example")
    page.at("kind-override").check()
    page.at("says").fill("One metastasis and one cyst.")
    page.at("reason").fill("The smaller one has fluid attenuation.")
    page.keep(shots, "review")
    page.at("submit-review").click()
    page.until(lambda: "One metastasis and one cyst." in turn.inner_text(), "the reviewer's conclusion is shown")
    shown = turn.inner_text()
    assert "The number of liver metastases is 2" in said
    assert "The number of liver metastases is 2" in shown
    assert "Dr Ada Example" in shown and "fluid attenuation" in shown
    page.keep(shots, "overridden")

    def trace_now() -> str:
        return httpx.get(f"{page.base}/api/runs/{run}/trace").text

    run = turn.get_attribute("data-run")
    page.until(lambda: trace_now().count('"kind":"run.end"') == 2, "the run ended with the review")
    trace = trace_now()
    assert '"kind":"review"' in trace and "Dr Ada Example" in trace
    assert httpx.get(f"{page.base}/api/runs/{run}/trace/check").json() == {
        "ok": True, "events": trace.count("\n"), "problems": [],
    }  # fmt: skip


def test_a_rejected_component_makes_the_run_conclude_anew(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("How many liver metastases are there?")
    run = turn.get_attribute("data-run")
    _wrong(turn)
    page.at("reviewer").fill("Dr Ada Example")
    page.at("kind-correct").check()
    lesions = httpx.get(f"{page.base}/api/runs/{run}/masks").json()["lesions"]
    smallest = [one for one in lesions if one["structure"] == "liver_metastasis"][-1]
    page.at("edit-structure").select_option("liver_metastasis")
    page.at("review-panel").locator(".components li", has_text=smallest["name"]).get_by_text("Reject").click()
    page.until(lambda: page.at("edit-list").get_by_role("listitem").count() == 1, "the edit is listed")
    plain = page.canvas()
    page.at("edit-preview").click()
    page.until(lambda: "2 ·" in page.at("changes").inner_text(), "the change is told in numbers")
    page.until(lambda: page.canvas() != plain, "and shown in the image")
    page.keep(shots, "correction")
    page.at("reason").fill("It is a vessel.")
    page.at("submit-review").click()
    page.until(
        lambda: "metastases is 1" in turn.get_by_test_id("answer").first.inner_text(), "it concludes anew", PATIENCE
    )
    assert "Dr Ada Example" in turn.inner_text()
    page.keep(shots, "corrected")
    after = httpx.get(f"{page.base}/api/runs/{run}/masks").json()
    assert len([one for one in after["lesions"] if one["structure"] == "liver_metastasis"]) == 1
    assert next(one for one in after["structures"] if one["id"] == "liver_metastasis")["by"] == "reviewer"
    # The labels that came with the scan are as they were, and so is another conversation's answer.
    reviewed = page.page.locator(".legend .made.reviewer")
    page.until(lambda: reviewed.count() > 0, "the corrected masks are shown")
    page.at("new-conversation").click()
    page.until(lambda: reviewed.count() == 0, "the masks as they were given are shown")
    assert "metastases is 2" in page.ask("How many liver metastases are there?").inner_text()


def test_a_lesion_that_no_mask_shows_is_added_at_the_crosshair(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("second/ct.nii.gz")
    turn = page.ask("How many liver metastases are there?")
    assert "No liver metastas" in turn.get_by_test_id("answer").inner_text()
    run = turn.get_attribute("data-run")
    _wrong(turn)
    page.at("reviewer").fill("Dr Ada Example")
    page.at("kind-correct").check()
    page.at("edit-structure").select_option("liver_metastasis")
    masks = httpx.get(f"{page.base}/api/runs/{run}/masks").json()
    liver = next(one for one in masks["structures"] if one["id"] == "liver")["centre_mm"]
    page.at("mask-liver").locator("xpath=ancestor::details").evaluate("group => { group.open = true; }")
    page.page.get_by_role("button", name="Go to liver", exact=True).click()
    page.until(lambda: page.viewer()["mm"] == pytest.approx(liver, abs=5.0), "the crosshair is in the liver")
    page.at("edit-add").click()
    page.at("edit-preview").click()
    page.until(lambda: "1 ·" in page.at("changes").inner_text(), "the change is told in numbers")
    assert "0 ·" in page.at("changes").inner_text()
    page.keep(shots, "added")
    page.at("reason").fill("Seen in the arterial phase.")
    page.at("submit-review").click()
    page.until(lambda: "metastases is 1" in turn.get_by_test_id("answer").first.inner_text(), "it concludes anew")
    assert "corrected by Dr Ada Example" in turn.inner_text()
