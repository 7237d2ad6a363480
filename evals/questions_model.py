"""What a question of the suite is: its words, its options, and what is true.

A question never knows how its answer is computed by anything else than the phantom's truth file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

Value = bool | int | float | str | None
Form = Literal["boolean", "number", "name", "category"]
Stage = Literal["recognition", "measurement", "visual reasoning", "medical reasoning"]
Split = Literal["train", "held-out"]
Layout = Literal["free", "choice"]

UNDECIDABLE_OPTION = "Cannot be determined"
NONE_OPTION = "None of the above"

SUBTYPES: Mapping[Stage, tuple[str, ...]] = {
    "recognition": (
        "liver lesion existence", "kidney lesion existence", "pancreatic lesion existence", "colon lesion existence",
        "kidney tumor existence", "kidney cyst existence", "PDAC existence", "PNET existence",
        "splenomegaly detection",
    ),
    "measurement": (
        "organ volume measurement", "organ HU measurement", "lesion volume measurement", "organ HU ratio",
        "tumor burden percentage",
    ),
    "visual reasoning": (
        "lesion counting", "lesion count by location", "largest lesion diameter", "largest lesion slice",
        "largest lesion location", "largest lesion attenuation", "lesion outlier", "liver lesion clustering",
        "inter-segment comparison", "adjacent organ", "kidney volume comparison", "bilateral kidney asymmetry",
        "multi-organ lesion burden comparison", "organ aggregation", "organ enlargement",
        "tumor organ HU difference",
    ),
    "medical reasoning": (
        "splenomegaly grading", "fatty liver", "hepatic steatosis grading", "pancreatic steatosis",
        "portal hypertension assessment", "pancreatic tumor staging", "pancreatic lesion resectability",
        "pancreatic cyst resectability", "pseudocyst determination", "PDAC vs PNET classification",
        "lesion type classification", "renal mass characterization",
    ),
}  # fmt: skip
"""The 42 kinds of DeepTumorVQA by stage. Its table gives no stages: they follow that table's order."""


def stage_of(subtype: str) -> Stage:
    """The stage that a kind belongs to.

    Raises:
        KeyError: no such kind.
    """
    for stage, names in SUBTYPES.items():
        if subtype in names:
            return stage
    raise KeyError(subtype)


class Expected(BaseModel):
    """What is true.

    Attributes:
        form: what an answer is.
        value: the answer: number in `unit`, bool, canonical structure identifier, side, or category; of an undecidable
            question None.
        unit: unit of a number ("1" for ratios and counts).
        tolerance: by how much a number may differ, in `unit`; the answer's own uncertainty may widen it up to `loose`.
        loose: the widest tolerance that the answer's stated uncertainty can earn.
        accepted: of a name, all that may be named; of a category, other words for it; of a yes or no, words that
            say the same.
        required: of several names, those that must be named.
        other: the other reading where a threshold lies within the resolution: right only if the answer says borderline.
        yes: of a category or name, the answer to the same question put as yes or no ("is it resectable?").
        must_flag: the threshold is so near that an answer that does not say borderline is wrong.
        decidable: whether the scan and the labels that are handed over decide it.
        reason: why they don't.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Form
    value: Value = None
    unit: str | None = None
    tolerance: float = 0.0
    loose: float = 0.0
    accepted: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    other: Value = None
    yes: bool | None = None
    must_flag: bool = False
    decidable: bool = True
    reason: str | None = None


@dataclass(frozen=True)
class Item:
    """Something that can be asked about a case, before it has words.

    Attributes:
        subtype: the kind.
        expected: what is true.
        slots: what stands for the placeholders of the wordings ("organ" → "liver").
        group: which wordings fit; the kind's own where None.
        wrong: wrong options, in the words of an option; numbers make their own.
        right: the right option in words, where it is not the value itself.
        choice: whether it may be asked as a multiple choice.
    """

    subtype: str
    expected: Expected
    slots: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    wrong: tuple[str, ...] = ()
    right: str | None = None
    choice: bool = True


class Question(BaseModel):
    """One question of the suite.

    Attributes:
        qid: identifier: equal content gives an equal one.
        phantom: name of the phantom (the patient, for clustered intervals).
        view: which labels of it are handed over.
        subtype: one of the 42 kinds.
        stage: its stage.
        wording: identifier of the wording.
        split: whether words of this wording may have been seen when the agent was made.
        layout: free form or multiple choice.
        text: the words.
        options: texts of the options, "A" first; empty for free form.
        correct: place of the right option; None where none is right.
        expected: what is true.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    qid: str
    phantom: str
    view: str
    subtype: str
    stage: Stage
    wording: str
    split: Split
    layout: Layout
    text: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    expected: Expected
