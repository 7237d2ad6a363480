"""A pathology conclusion names the tumor that it stages and the lesions that it takes up."""

from __future__ import annotations

import pytest

from agent.report_model import EvidenceOut, Pathology, Report
from agent.report_pathology import about_rows, pathology_rows
from tools.types import Evidence, State

Fact = tuple[str, str, str, bool | str | None]
"""Tool, quantity, target, value."""


def report(facts: list[Fact], types: dict[str, list[str]] | None = None) -> Report:
    made = [
        Evidence.make(
            tool=tool, version="1", quantity=quantity, target=target, value=value, method="m",
            state=State.MEASURED if value is not None else State.NOT_ASSESSED,
            details={"types": (types or {})[target]} if target in (types or {}) else {},
        )
        for tool, quantity, target, value in facts
    ]  # fmt: skip
    return Report(
        run_id="r", question=None, status="consistent", rounds=1, answer=None, trace="t",
        pathology=Pathology(ct="TX", evidence=[one.id for one in made if one.quantity == "exists"]),
        evidence={one.id: EvidenceOut.model_validate({**one.model_dump(exclude={"id"}), "inputs": []}) for one in made},
    )  # fmt: skip


def there(*targets: str) -> list[Fact]:
    return [("presence", "exists", target, True) for target in targets]


def staged(*targets: str) -> list[Fact]:
    return [("weigh_rules", quantity, target, None) for target in targets for quantity in ("category_t", "category_n")]


ROWS = {
    "one tumor": (
        there("colon_cancer", "liver_metastasis") + staged("colon_cancer"), {},
        {"Staged tumor": "colon cancer", "Lesions seen": "colon cancer, liver metastasis"},
    ),
    "of several none is chosen": (
        there("colon_cancer", "kidney_tumor_left") + staged("colon_cancer", "kidney_tumor_left"), {},
        {
            "Staged tumor": "none: which of these is the primary one, no rule says: colon cancer, left kidney tumor",
            "Lesions seen": "colon cancer, left kidney tumor",
        },
    ),
    "classes that others tell more exactly": (
        there("colon_lesion", "colon_cancer", "tumor", "kidney_lesion", "kidney_cyst_right"),
        {"tumor": ["cancer"], "colon_lesion": ["cancer"], "kidney_lesion": ["cyst"]},
        {"Lesions seen": "colon cancer, right kidney cyst"},
    ),
    "a class with lesions of its own": (
        there("liver_lesion", "liver_cyst"), {"liver_lesion": ["cyst", "lesion"]},
        {"Lesions seen": "liver lesion, liver cyst"},
    ),
    "the side of one class": (there("kidney_cyst", "kidney_cyst_right"), {}, {"Lesions seen": "right kidney cyst"}),
    "nobody looked": ([("presence", "exists", "liver_lesion", None)], {}, {}),
    "neither": ([("measure", "volume", "liver", None)], {}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "types", "rows"), ROWS.values(), ids=ROWS)
def test_it_names_its_tumor_and_lesions(facts: list[Fact], types: dict[str, list[str]], rows: dict[str, str]) -> None:
    told = report(facts, types)
    assert dict(about_rows(told)) == rows
    assert pathology_rows(told)[: len(rows)] == about_rows(told)
    assert ("cT", "TX") in pathology_rows(told)


def test_without_a_conclusion_there_is_nothing_to_name() -> None:
    told = report(there("colon_cancer")).model_copy(update={"pathology": None})
    assert about_rows(told) == pathology_rows(told) == []
