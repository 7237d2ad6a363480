"""Coming in, and what is refused: tokens, hostile uploads."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import serving
from tests.browser.page_driver import Driver, Heard

pytestmark = pytest.mark.browser

TOKEN = "a-token-for-this-test-only"  # noqa: S105 - of this test alone
PagesOf = Callable[[str], tuple[Driver, Heard]]


def test_a_wrong_token_is_refused_and_the_right_one_accepted(
    pages: PagesOf, scans: Path, tmp_path: Path, shots: Path | None
) -> None:
    with serving(scans, tmp_path, token=TOKEN) as server:
        person, heard = pages(server.base)
        heard.expected = ("403", "401")
        person.page.goto(server.base)
        person.at("token").fill("a-token-of-somebody-else")
        person.at("sign-in").click()
        person.until(lambda: "not the server's" in person.at("sign-in-dialog").inner_text(), "it is refused")
        person.keep(shots, "token")
        person.at("token").fill(TOKEN)
        person.at("sign-in").click()
        person.at("token").wait_for(state="detached")
        person.open_scan("first/ct.nii.gz")
        assert "spleen is" in person.ask("What is the volume of the spleen?").inner_text()
        person.page.reload()
        person.until(lambda: person.at("turn").count() == 1, "the cookie still counts")
        assert person.at("token").count() == 0


def _bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(3):
            archive.writestr(f"{number}.dcm", bytes(100 << 20))
    return made.getvalue()


def test_hostile_uploads_are_refused_with_a_sentence(page_and_heard: tuple[Driver, Heard], shots: Path | None) -> None:
    page, heard = page_and_heard
    heard.expected = ("422", "413")
    page.go()
    page.at("open").click()
    page.at("sources").locator(".source").first.wait_for()
    for name, data, said in (
        ("notes.nii.gz", b"Dear colleague, here is the scan.\n" * 50, "neither a NIfTI file nor DICOM"),
        ("packed.nii.gz", gzip.compress(b"no scan at all" * 100), "neither a NIfTI file nor DICOM"),
        ("series.zip", _bomb(), "zip bomb"),
    ):
        page.at("file").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})
        page.until(lambda name=name, said=said: said in _told(page, name), f"{name} is refused")  # type: ignore[misc]
    page.keep(shots, "refused")


def _told(page: Driver, name: str) -> str:
    return " ".join(row.inner_text() for row in page.at("upload").all())


def test_an_upload_is_opened_and_asked_about(page: Driver, scans: Path) -> None:
    page.go()
    page.at("open").click()
    page.at("sources").locator(".source").first.wait_for()
    page.at("file").set_input_files(str(scans / "second" / "ct.nii.gz"))
    page.until(lambda: page.page.locator(".source", has_text="uploaded").count() > 0, "the upload is listed")
    page.page.locator(".source", has_text="uploaded").locator("input").first.check()
    page.at("open-confirm").click()
    page.until(lambda: page.viewer().get("hu") is not None, "the image is there")
    assert "contrast phase" in page.ask("Which contrast phase is this scan in?").inner_text()


@pytest.fixture
def page_and_heard(pages: PagesOf, server: object) -> tuple[Driver, Heard]:
    base = server.base  # type: ignore[attr-defined]
    return pages(base)
