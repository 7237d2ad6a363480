"""Evidence in view: a chip leads to its slice, its mask and its measurement; the viewer's own controls."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.browser.page_driver import Driver

pytestmark = pytest.mark.browser


def test_a_chip_shows_slice_mask_and_measurement(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("What is the longest diameter of the largest liver metastasis?")
    before, plain = page.viewer(), page.canvas()
    chip = page.value(turn)
    chip.click()
    page.at("evidence-card").wait_for()
    page.until(lambda: page.viewer()["mm"] != before["mm"], "the crosshair has moved")
    page.until(lambda: page.at("measure-line").count() > 0, "the measured line is drawn")
    page.keep(shots, "evidence")

    run = turn.get_attribute("data-run")
    assert run is not None
    report = httpx.get(f"{page.base}/api/runs/{run}/report?format=json").json()
    evidence = report["answer"]["evidence"][0]
    place = httpx.get(f"{page.base}/api/runs/{run}/evidence/{evidence}").json()["place"]
    shown = page.viewer()
    assert shown["mm"] == pytest.approx(place["mm"], abs=5.0)  # a voxel
    page.until(lambda: page.viewer()["slice"] == report["evidence"][evidence]["slice"], "the slice is the evidence's")
    assert any(one.startswith("liver_metastasis") for one in shown["highlighted"])
    assert page.canvas() != plain


def _red(page: Driver) -> int:
    """Pixels of the image in the strong red of a metastasis that is not dimmed."""
    shown = np.asarray(Image.open(io.BytesIO(page.canvas())).convert("RGB")).astype(int)
    return int(((shown[..., 0] - shown[..., 1] > 60) & (shown[..., 2] - shown[..., 1] > 20)).sum())


def test_a_chip_of_one_lesion_brings_out_that_lesion_alone(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("What is the volume of the largest liver metastasis?")
    page.value(turn).click()
    page.until(lambda: page.viewer()["singles"] == ["liver_metastasis#1"], "one lesion stands out")
    page.until(lambda: _red(page) > 20, "it is drawn strongly")
    page.keep(shots, "one-lesion")
    page.at("lesion-liver_metastasis#2").click()
    page.until(lambda: _red(page) == 0, "the other one of its class is dimmed")
    page.keep(shots, "other-lesion")
    page.page.keyboard.press("Escape")
    page.until(lambda: page.viewer()["singles"] == [] and _red(page) > 20, "all are as before")


def test_a_focused_chip_highlights_and_leaving_it_takes_that_back(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("What is the volume of the spleen?")
    chip = page.value(turn)
    chip.hover()
    page.until(lambda: page.viewer()["highlighted"] == ["spleen"], "the spleen stands out")
    page.at("question").hover()
    page.until(lambda: page.viewer()["highlighted"] == [], "nothing stands out any more")


def test_lesions_masks_and_windows_follow_the_controls(page: Driver, shots: Path | None) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    # At first the lesions are shown: all organs at once would hide the image.
    assert set(page.viewer()["visible"]) == {"liver_metastasis", "kidney_cyst_right"}
    for name, on in (("spleen", True), ("liver_metastasis", False)):
        plain = page.canvas()
        box = page.at(f"mask-{name}")
        box.locator("xpath=ancestor::details").evaluate("group => { group.open = true; }")
        box.set_checked(on)
        page.until(lambda name=name, on=on: (name in page.viewer()["visible"]) == on, f"{name} is switched")  # type: ignore[misc]
        page.until(lambda plain=plain: page.canvas() != plain, "the picture has changed")  # type: ignore[misc]

    masks = httpx.get(f"{page.base}/api/scans").json()["scans"]
    scan = next(one for one in masks if one["name"].startswith("first"))["id"]
    lesion = httpx.get(f"{page.base}/api/scans/{scan}/masks").json()["lesions"][0]
    page.at(f"lesion-{lesion['id']}").click()
    page.until(
        lambda: page.viewer()["mm"] == pytest.approx(lesion["centre_mm"], abs=5.0), "the crosshair is at the lesion"
    )
    page.at("window-preset").select_option(label="Lung")
    page.until(lambda: page.viewer()["window"] == {"level": -600, "width": 1500}, "the window is the lung's")
    page.keep(shots, "lung-window")
    page.page.locator("body").press("c")
    page.until(lambda: page.viewer()["layout"] == "coronal", "one key shows the coronal plane")


def test_the_crosshair_tells_the_exact_value(page: Driver) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    page.page.locator("body").press("a")
    page.at("canvas").click(position={"x": 200, "y": 220})
    before = page.viewer()["mm"]
    page.at("canvas").click(position={"x": 260, "y": 240})
    page.until(lambda: page.viewer()["mm"] != before and page.viewer()["hu"] is not None, "a value is told")
    shown = page.viewer()
    scan = httpx.get(f"{page.base}/api/scans").json()["scans"]
    ident = next(one for one in scan if one["name"].startswith("first"))["id"]
    x, y, z = shown["mm"]
    told = httpx.get(f"{page.base}/api/scans/{ident}/voxel?x={x}&y={y}&z={z}").json()
    assert shown["hu"] == told["hu"]
    assert shown["slice"] == told["file_slice"]


def test_report_and_trace_are_downloaded_and_checked(page: Driver, tmp_path: Path) -> None:
    page.go()
    page.open_scan("first/ct.nii.gz")
    turn = page.ask("What is the volume of the liver?")
    for name, start in (("HTML", b"<!doctype html>"), ("Markdown", b"#"), ("JSON", b"{"), ("Download", b'{"data"')):
        with page.page.expect_download() as waiting:
            turn.get_by_test_id("downloads").get_by_role("link", name=name).click()
        saved = tmp_path / name
        waiting.value.save_as(saved)
        assert saved.read_bytes().lstrip().lower().startswith(start.lower())
    turn.get_by_test_id("check-trace").click()
    page.until(lambda: "Unchanged" in turn.get_by_test_id("trace-check").inner_text(), "the trace was checked")
