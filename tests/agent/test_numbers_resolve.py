"""Every number that a report says stands in the evidence it cites; checked by other means than the gates use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from agent.cases import CaseFiles, open_case
from agent.query import NotUnderstood
from agent.report_model import Answer, Binding, EvidenceOut, Report, Sentence
from tests.agent.loop_full import STAGED, full_case
from tests.agent.loop_make import PORTAL, Outcome, ask, make_case, run
from tests.agent.loop_queries import every_query
from tools.base import CaseSettings
from tools.ontology import load_ontology
from tools.types import State
from tools.units import symbol

pytestmark = pytest.mark.slow

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?|(?<=[A-Za-z])\d+|\d+")
NAMES = sorted(
    {name for one in load_ontology().structures.values() for name in (one.name, one.names) if re.search(r"\d", name)},
    key=len,
    reverse=True,
)
NAMED = re.compile(rf"\b(?:{'|'.join(map(re.escape, NAMES))})\b", re.IGNORECASE)
UNIT_DIGITS = {symbol(unit) for unit in ("cm3", "mm3")}


def without_names(text: str, own: Iterable[str] = ()) -> str:
    """The text with names of structures that hold digits blanked out, those of the user's own labels included."""
    more = "|".join(re.escape(name) for name in sorted(set(own), key=len, reverse=True) if re.search(r"\d", name))
    for pattern in (NAMED, *([re.compile(rf"\b(?:{more})\b", re.IGNORECASE)] if more else [])):
        text = pattern.sub(lambda found: " " * len(found.group()), text)
    return text


def numbers_in(value: object) -> Iterator[float]:
    """All numbers in a JSON value, those in its texts included."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, str):
        yield from (float(found.group()) for found in NUMBER.finditer(value))
    elif isinstance(value, dict):
        for part in value.values():
            yield from numbers_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from numbers_in(part)


def fields_of(one: EvidenceOut) -> list[float]:
    """What a sentence may say of a piece of evidence."""
    given = (one.value, one.lower_bound, one.uncertainty, one.slice, one.details)
    return [number for field in given for number in numbers_in(field)]


def says(shown: str, known: Iterable[float]) -> bool:
    """Whether a number as printed is one of the known ones, to half a unit in its last place."""
    decimals = len(shown.partition(".")[2])
    return any(abs(float(shown) - number) <= 0.5 * 10**-decimals + 1e-9 for number in known)


def own_names(cited: Iterable[EvidenceOut]) -> list[str]:
    """Names of the labels that the evidence is about."""
    return [load_ontology().get(part).name for one in cited for part in one.target.split("+")]


def unresolved(text: str, cited: Iterable[EvidenceOut]) -> list[str]:
    if not re.search(r"\d", text):
        return []
    evidence = list(cited)
    known = [number for one in evidence for number in fields_of(one)]
    plain = without_names(text, own_names(evidence))
    return [found.group() for found in NUMBER.finditer(plain) if not says(found.group(), known)]


def uncovered(text: str, bindings: list[Binding]) -> list[str]:
    """Digits of the text that no binding covers."""
    bound = {at for binding in bindings for at in range(binding.start, binding.end)}
    plain = without_names(text)
    return [
        text[max(0, at - 10) : at + 5] for at, letter in enumerate(plain) if letter in "0123456789" and at not in bound
    ]


def without_sources(one: Answer | Sentence, report: Report) -> str:
    """The text with its citations blanked out, each of which must be the method of its evidence to the letter."""
    text = one.text
    for binding in one.bindings:
        if binding.field == "method":
            assert text[binding.start : binding.end] == report.evidence[binding.evidence].method
            text = text[: binding.start] + " " * (binding.end - binding.start) + text[binding.end :]
    return text


def problems(report: Report) -> list[str]:
    """Every number of a report that nothing carries."""
    found = []
    told: list[Answer | Sentence] = [*report.answers, *report.findings, *report.impression]
    for one in [*told, *([report.answer] if report.answer else [])]:
        cited = [report.evidence[ident] for ident in one.evidence]
        found += [f"{number!r} in {one.text!r}" for number in unresolved(without_sources(one, report), cited)]
        found += [f"unbound near {near!r} in {one.text!r}" for near in uncovered(one.text, one.bindings)]
        for binding in one.bindings:
            assert 0 <= binding.start < binding.end <= len(one.text)
            assert binding.evidence in one.evidence
            if binding.field != "method":
                said = one.text[binding.start : binding.end]
                assert set(unresolved(said, [report.evidence[binding.evidence]])) == set()
        if isinstance(one, Answer):
            found += [f"{n!r} in reason {one.reason!r}" for n in unresolved(one.reason or "", report.evidence.values())]
    for picture in report.pictures:
        cited = [report.evidence[ident] for ident in picture.evidence]
        slices = [float(one.slice) for one in cited if one.slice is not None]
        shown = re.search(r"slice (\d+)", picture.caption)
        assert shown is not None
        assert float(shown.group(1)) in slices, picture
        found += [f"{number!r} in {picture.caption!r}" for number in unresolved(picture.caption, cited)]
    for text in (*report.not_assessed, *report.limitations):
        plain = text
        for source in {item.method for item in report.evidence.values()}:
            plain = plain.replace(f" Source: {source}.", "")
        found += [f"{number!r} in {text!r}" for number in unresolved(plain, report.evidence.values())]
    for verdict in report.verdicts:
        found += [f"{number!r} in {verdict.reason!r}" for number in unresolved(verdict.reason, [])]
    return found


def test_the_checker_sees_what_it_should() -> None:
    one = EvidenceOut(
        tool="t", arguments={}, quantity="volume", target="liver", value=261.44, unit="cm3", state=State.MEASURED,
        uncertainty=3.0, lower_bound=None, reason=None, method="m", version="1", slice=17, artifact=None,
    )  # fmt: skip
    assert unresolved("It is 261.4 cm³ ± 3.0 cm³ on slice 17, beside the left rib 10.", [one]) == []
    assert unresolved("It is 261.5 cm³.", [one]) == ["261.5"]
    assert unresolved("It is -261.4 cm³.", [one]) == ["-261.4"]
    assert unresolved("The vertebra L1 and the vertebra T12 are there.", []) == []
    assert unresolved("The stage is T1.", []) == ["1"]
    assert uncovered("It is 26.", [Binding(start=6, end=7, evidence="x", field="value")]) == ["It is 26."]


def check_answers(made: Outcome, least: int) -> None:
    assert made.report.status == "consistent"
    assert problems(made.report) == []
    said = " ".join(answer.text for answer in made.report.answers)
    assert len(re.findall(r"\d", said)) > least


def test_every_number_of_every_answer_resolves(asked_all: Outcome) -> None:
    check_answers(asked_all, least=3000)


def test_so_does_every_number_of_an_enhanced_scan_with_facts_declared(tmp_path: Path) -> None:
    case = full_case(PORTAL, settings=CaseSettings(patient=STAGED))
    check_answers(run(case, every_query()[1::3], tmp_path), least=800)


@pytest.mark.parametrize("hu", [None, PORTAL], ids=["native", "portal"])
def test_every_number_of_a_report_on_everything_resolves(tmp_path: Path, hu: dict[str, int] | None) -> None:
    made = run(full_case(hu, settings=CaseSettings(patient=STAGED)), None, tmp_path).report
    assert made.status == "consistent"
    assert problems(made) == []
    assert any("10 mm" in text for text in made.limitations)  # slices are coarse
    assert made.pictures


def test_without_labels_and_with_declared_phase(tmp_path: Path) -> None:
    for number, case in enumerate((make_case(labelled=False), full_case(settings=CaseSettings(phase="delayed")))):
        for queries in (None, every_query()[::9]):
            made = run(case, queries, tmp_path / f"{number}{queries is None}").report
            assert problems(made) == []


def test_what_was_not_understood_names_no_number_as_found(tmp_path: Path) -> None:
    lost = NotUnderstood(
        text="What is the frobnication?", reason="the word “frobnication” is not known",
        nearest=("Is the spleen larger than 300 ml?", "What is the volume of the liver?"),
    )  # fmt: skip
    made = run(make_case(), [lost, ask("volume", "liver")], tmp_path).report
    assert made.status == "unresolved"
    assert problems(made) == []
    assert "What is the volume of the liver?" in made.answers[0].text
    assert made.answers[1].value == pytest.approx(768.32)


DATA = Path(__file__).resolve().parents[2] / "../shared/data"
REAL = {
    "native": ("abdomen-native/ct.nii.gz", "abdomen-native/labels.nii.gz"),
    "contrast": ("abdomen-contrast-dicom/series", "abdomen-contrast-dicom/labels.nii.gz"),
    "sarcoma": ("sarcoma/STS_002/ct.nii.gz", "sarcoma/STS_002/labels.nii.gz"),
}


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_every_number_of_a_report_on_a_real_scan_resolves(tmp_path: Path, name: str) -> None:
    scan, labels = (DATA / path for path in REAL[name])
    if not (scan.exists() and labels.exists()):
        pytest.skip(f"the scans of {DATA} are not there")
    made = run(open_case(CaseFiles(scan, labels)), None, tmp_path).report
    assert made.status == "consistent"
    assert problems(made) == []
    assert made.findings
