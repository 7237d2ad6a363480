"""Phase words: the canonical word where a text names exactly one phase, else nothing."""

from __future__ import annotations

import pytest

from tools.readers.phase_words import agent_given, phase_of

TEXTS = {
    "Abdomen nativ 5.0": "native",
    "ABD W/O CONTRAST": "native",
    "Thorax unenhanced": "native",
    "non-contrast head": "native",
    "CT NonCon": "native",
    "Liver ART phase": "arterial",
    "late arterial 1.0 B30f": "arterial",
    "Arterielle Phase": "arterial",
    "ABD_PORTAL_VENOUS_3.0": "portal",
    "Portovenös 5mm": "portal",
    "Abdomen venous": "portal",
    "PV 1.25": "portal",
    "delayed 10 min": "delayed",
    "Excretory": "delayed",
    "late phase": "delayed",
    "arterial/portal venous": None,
    "with and without contrast": None,
    "ABD W WO CONTRAST": None,
    "ABD W/ and W/O contrast": None,
    "Liver WO/W": None,
    "portal vein thrombosis": None,
    "native kidneys": None,
    "CT Body 3.0": None,
    "Artefact reduction": None,
    "template": None,
    "": None,
}


@pytest.mark.parametrize("text", TEXTS)
def test_phase(text: str) -> None:
    assert phase_of([text]) == TEXTS[text]


def test_the_first_text_that_names_one_wins() -> None:
    assert phase_of(["Body 3.0", "arterial and portal", "Leber arteriell", "delayed"]) == "arterial"


@pytest.mark.parametrize(
    ("agent", "route", "given"),
    [
        ("APPLIED", "", True), ("Omnipaque 350", "IV", True), ("", "IV", None), ("NONE", "", False),
        ("no contrast", "", False), ("Telebrix", "ORAL", None), ("ORAL & IV", "", True), ("oral", "", None),
    ],
)  # fmt: skip
def test_agent(agent: str, route: str, given: bool | None) -> None:
    assert agent_given(agent, route) is given
