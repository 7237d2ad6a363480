"""RECIST 1.1: measurable disease, target lesions, and how they have changed since an earlier scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.base import Case, Maker, tool
from tools.recist_lesions import ORGANS_OPEN, Choice, choose, lesion_limit, looked_for
from tools.rules.margins import margin
from tools.types import Evidence, State

_ROWS = 200
SCOPE = "only labelled lesions count"


def _says(what: str, measured: str) -> dict[str, str]:
    return {
        "measured": measured + ", by {detail.citation}.{note}",
        "not_measurable": f"The {what} cannot be told: {{reason}}.{{at_least}}{{at_most}}",
        "not_assessed": f"The {what} was not assessed: {{reason}}.",
        "absent": f"There is no {what}: {{reason}}.",
    }


_BY = " by {detail.citation}: a lesion counts from {num.limit_mm} of longest axial diameter on"


@tool(
    version="1",
    reads=("scan", "labels", "settings"),
    says={
        "target_sum": _says("sum of diameters", "The sum of the diameters of the {num.targets} targets is {value}{pm}"),
        "target_count": _says("number of target lesions", "There are this many target lesions: {value}"),
        "measurable_disease": {
            "true": "There is measurable disease" + _BY + ".{borderline}{note}",
            "false": "No lesion is measurable" + _BY + ".{borderline}{note}",
            "not_measurable": "Whether there is measurable disease cannot be decided: {reason}.",
            "not_assessed": "Whether there is measurable disease was not assessed: {reason}.",
        },
    },
)
def recist_targets(case: Case, make: Maker) -> list[Evidence]:
    """Target lesions by RECIST 1.1, the sum of their diameters, and whether there is measurable disease.

    A lesion is measurable from 10 mm of longest axial diameter on (on slices of more than 5 mm, from twice their
    thickness on), a lymph node from a short axis of 15 mm on. The longest become targets, at most five, two per
    organ. Lesions of unknown nature count; cysts and benign types do not.
    """
    method = "longest axial diameters of lesions, short axes of lymph nodes, longest first"
    rule = margin("recist-lesion").details
    units = {"target_sum": "mm", "target_count": "1", "measurable_disease": None}

    def unseen(reason: str) -> list[Evidence]:
        return [make(q, "scan", unit=u, state=State.NOT_ASSESSED, reason=reason, method=method, details=rule)
                for q, u in units.items()]  # fmt: skip

    if not looked_for(case):
        return unseen("the labels have no class of lesions" if case.labels else "no label map was given")
    choices = choose(case)
    if not choices:
        return unseen("no lesion was found where the labels could show one, but they do not cover the whole body")
    targets = [one for one in choices if one.chosen]
    common: dict[str, Any] = {
        **rule,
        "limit_mm": lesion_limit(case.scan),
        "targets": len(targets),
        "rows": [one.row() for one in choices[:_ROWS]],
        "borderline": [],
    }
    doubtful = any(one.borderline for one in choices)
    note = f"{SCOPE}; whether a lesion is long enough is borderline" if doubtful else SCOPE
    total = round(sum(one.candidate.size for one in targets), 4)
    error = round(sum(one.candidate.pitch for one in targets), 4)
    if any(one.left_open for one in choices):
        return [
            make(quantity, "scan", unit=units[quantity], state=State.NOT_MEASURABLE, lower_bound=least,
                 reason=ORGANS_OPEN, method=method, details=common)
            for quantity, least in (("target_sum", total), ("target_count", len(targets)))
        ] + [_disease(make, choices, common, method)]  # fmt: skip
    made = [
        make("target_count", "scan", unit="1", state=State.MEASURED, value=len(targets), method=method,
             reason=note, details=common),
        _disease(make, choices, common, method),
    ]  # fmt: skip
    if targets:
        first = make(
            "target_sum", "scan", unit="mm", state=State.MEASURED, method=method, reason=note, details=common,
            value=total, uncertainty=error,
        )  # fmt: skip
    else:
        reason = "none of the labelled lesions is a target"
        first = make("target_sum", "scan", unit="mm", state=State.ABSENT, reason=reason, method=method, details=common)
    return [first, *made]


def _disease(make: Maker, choices: Sequence[Choice], common: dict[str, Any], method: str) -> Evidence:
    """Whether any lesion is measurable: one that surely is decides."""
    states = [one.measurable for one in choices]
    found = any(one is True for one in states)
    if not found and None in states:
        reason = "a lesion that is cut off by the field of view may be long enough"
        return make("measurable_disease", "scan", state=State.NOT_MEASURABLE, reason=reason, method=method,
                    details=common)  # fmt: skip
    sure = any(one.measurable is True and not one.borderline for one in choices)
    open_ = not sure and any(one.borderline and not one.candidate.small for one in choices)
    details = {**common, "borderline": ["measurable", "not measurable"] if open_ else []}
    return make("measurable_disease", "scan", state=State.MEASURED, value=found, reason=SCOPE, method=method,
                details=details)  # fmt: skip
