"""Answers in words where the evidence behind them is converted, derived, of several lesions, or of two scans."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.query import Query
from agent.report_model import Answer, Report, Sentence
from tests.agent.loop_full import STAGED, full_case
from tests.agent.loop_make import Outcome, ask, make_case, run
from tools.base import Case, CaseSettings


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (ask("volume_difference", "kidney_left", "kidney_right", unit="ml"), "a difference of"),
        (ask("volume_difference", "kidney_left", "kidney_right", unit="l"), "that of the right kidney"),
        (
            ask("volume_total", "kidney_left", "kidney_right", unit="l"),
            "Together, the left kidney and the right kidney",
        ),
    ],
    ids=str,
)
def test_a_derived_value_is_told_of_its_structures_in_any_unit(
    case: Case, query: Query, words: str, tmp_path: Path
) -> None:
    made = run(case, [query], tmp_path).report
    assert made.status == "consistent" and made.answer is not None
    assert words in made.answer.text
    assert made.answer.unit == query.unit


def test_a_ratio_is_called_one_when_it_is_compared(case: Case, tmp_path: Path) -> None:
    query = ask("hu_ratio_threshold", "liver", "spleen", comparator="lt", threshold=1.1)
    made = run(case, [query], tmp_path).report.answers[0]
    assert "The mean attenuation ratio of the liver and spleen" in made.text


@pytest.mark.parametrize(
    ("structure", "value", "state"),
    [("liver_lesion", True, "measured"), ("kidney_cyst", False, "measured"), ("spleen_lesion", False, "absent")],
)
def test_whether_any_lesion_is_longer_has_a_yes_or_a_no(
    case: Case, structure: str, value: bool, state: str, tmp_path: Path
) -> None:
    query = ask("lesion_diameter_threshold", structure, comparator="gt", threshold=3.0, threshold_unit="cm")
    made = run(case, [query], tmp_path).report.answers[0]
    assert (made.value, made.state.value) == (value, state)


# What no sentence may hold: doubled or misplaced marks, what Python calls nothing, slots and brackets of templates,
# articles in a row, a verb that does not fit a pair.
FAULTS = re.compile(
    r"  | [,.;:](?!\d)|\.\.|,,|;\s*[.;]|:\s*\.|\(\)|[{}\[\]]|\b(None|nan|True|False)\b|\b(the|an?) (the|an?)\b"
    r"|\bThe kidneys (is|has|lies|was)\b|\ba [aeio]\w|\ban [^aeioumnhlrsfx]"
)


def faults(report: Report) -> list[str]:
    """Stretches of sentences that no careful writer would let stand; names of options of the program left out."""
    found: list[str] = []
    told: list[Answer | Sentence] = [*report.answers, *report.findings, *report.impression]
    for one in told:
        plain = one.text
        for binding in one.bindings:
            if binding.field in {"method", "details.source"}:  # citations write as they like
                plain = plain.replace(one.text[binding.start : binding.end], "somebody")
        plain = re.sub(r"--patient \w+=(\w+|…)", "as declared", plain)
        found += [plain[max(0, at.start() - 40) : at.end() + 20] for at in FAULTS.finditer(plain)]
        if not plain.rstrip().endswith(".") or "_" in plain:
            found.append(plain)
    return found


def test_the_checker_of_sentences_sees_faults() -> None:
    for bad in ("It is  large.", "It , is.", "It is None.", "Of {target}.", "the the liver.", "A kidney or a organ."):
        assert FAULTS.search(bad), bad
    assert not FAULTS.search("The kidneys are there; a liver, an organ (0.5 cm, .25) is not: a uterus.")


@pytest.mark.slow
def test_sentences_are_well_formed(asked_each: Outcome) -> None:
    assert faults(asked_each.report) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", ["every question", "everything", "without labels"])
def test_all_sentences_are_well_formed(what: str, asked_all: Outcome, tmp_path: Path) -> None:
    if what == "every question":
        made = asked_all
    elif what == "everything":
        made = run(full_case(settings=CaseSettings(patient=STAGED)), None, tmp_path)
    else:
        queries = [query for query in asked_all.state.queries[::3] if isinstance(query, Query)]
        made = run(make_case(labelled=False), queries, tmp_path)
    assert faults(made.report) == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            ask("vessel_contact", "pancreas_pdac", "portal_vein"),
            "The contact of the pancreatic ductal adenocarcinoma and portal vein is 0° of the vessel's circumference. "
            "Note: they do not touch.",
        ),
        (ask("distance", "pancreas_pdac", "spleen", unit="cm"),
         "The distance between the pancreatic ductal adenocarcinoma and spleen is 3.50 cm ± 0.82 cm."),
        # 27 and 36 voxels of 0.245 cm³ before, 48, 8 and 36 of them now.
        (ask("volume_change", "liver_lesion"),
         "The volume of the liver lesion has changed by 46.0 % ± 97.4 %: it was 15.4 cm³ in the earlier scan and is "
         "22.5 cm³ now."),
        (ask("lesion_count_sized", "liver_lesion", comparator="ge", threshold=1.0, upper=3.0, threshold_unit="cm"),
         "The number of liver lesions whose longest axial diameter is at least 1 cm and at most 3 cm is 1."),
        (ask("coverage", "kidney"), "Yes. The scan covers the kidneys completely."),
        (ask("lesion_location", "pancreas_pdac"),
         "The largest pancreatic ductal adenocarcinoma lies in the pancreatic tail: pancreatic tail (66.7 %) and "
         "pancreatic body (33.3 %). The regions come from labels of the regions of the pancreas."),
    ],
    ids=lambda value: value.kind if isinstance(value, Query) else "",
)  # fmt: skip
def test_what_new_kinds_say(query: Query, text: str, tmp_path: Path) -> None:
    made = run(full_case(), [query], tmp_path).report
    assert made.answers[0].text.startswith(text), made.answers[0].text
