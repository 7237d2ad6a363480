"""Whether an answer is right, and if not, in which way it fails.

A decidable question is answered rightly, wrongly, or not at all (a wrong abstention). An undecidable one is named as
such (a right abstention) or answered all the same. A question that was not understood, or a run that ended unresolved,
has failed, whatever it was about: silence for the wrong reason earns nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evals.questions_model import Expected, Question, Value

Outcome = Literal["right", "wrong", "abstained", "named", "overreached", "failed"]
SILENT = frozenset({"not_measurable", "not_assessed"})
DECIDED, BORDERLINE = 1.0, 0.75
"""Confidence of an answer: decided, or within the resolution of a threshold.

A value that lies anywhere in the interval which the resolution leaves open, with a threshold anywhere in it too, is on
its own side of the threshold in three of four cases: hence 0.75 for the reading that is given.
"""
_FACTORS = {"cm3": 1.0, "ml": 1.0, "l": 1000.0, "mm3": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0}
_ADJECTIVES = {"hepatic": "liver", "pancreatic": "pancreas", "renal": "kidney", "colonic": "colon", "kidneys": "kidney",
               "tumour": "tumor", "bowel": "bowel"}  # fmt: skip
_EMPTY = frozenset({"the", "of", "a", "an", "is", "it", "in", "side", "they", "are", "both", "lesion", "lesions"})
_SUBJECTS = frozenset({"liver", "kidney", "pancreas", "spleen", "splenomegaly", "steatosis", "mass", "no"})


class Given(BaseModel):
    """What was answered.

    Attributes:
        value, unit, uncertainty: the value.
        option: letter of the option chosen.
        state: one of the four states.
        text, reason: in words.
        borderline: whether the answer says that a threshold lies within its uncertainty.
        structures: identifiers that the answer names.
        understood: whether the question was.
        resolved: whether the run ended with an answer.
        kind: kind that the question was taken for.
        seconds: how long it took.
    """

    model_config = ConfigDict(extra="forbid")

    value: Value = None
    unit: str | None = None
    uncertainty: float | None = None
    option: str | None = None
    state: str
    text: str = ""
    reason: str | None = None
    borderline: bool = False
    structures: tuple[str, ...] = ()
    understood: bool = True
    resolved: bool = True
    kind: str | None = None
    seconds: float = 0.0

    @property
    def confidence(self) -> float | None:
        """How sure the answer is of itself; None where it abstains."""
        if self.state in SILENT:
            return None
        return BORDERLINE if self.borderline else DECIDED


def mark(question: Question, given: Given) -> Outcome:
    """The outcome of one question."""
    if not (given.understood and given.resolved):
        return "failed"
    if question.layout == "choice":
        return _choice(question, given)
    if not question.expected.decidable:
        # A cue that calls itself one decides nothing, and says so.
        return "named" if given.state in SILENT or str(given.value).startswith("cue for ") else "overreached"
    if given.state in SILENT:
        return "abstained"
    return "right" if says(question.expected, given) else "wrong"


def _choice(question: Question, given: Given) -> Outcome:
    chosen = None if given.option is None else ord(given.option) - ord("A")
    if question.expected.decidable:
        if chosen is None:
            return "abstained"
        return "right" if chosen == question.correct else "wrong"
    if chosen is not None:
        return "named" if chosen == question.correct else "overreached"
    return "named" if given.state in SILENT and question.correct is None else "overreached"


def says(expected: Expected, given: Given) -> bool:
    """Whether a free answer says what is true."""
    value: Value = given.value
    if given.state == "absent" and value is None:
        value = {"boolean": False, "number": 0}.get(expected.form)
    if expected.other is not None and given.borderline and _equal(expected, expected.other, value, given):
        return True
    if expected.must_flag and not given.borderline:
        return False
    return _equal(expected, expected.value, value, given)


def _equal(expected: Expected, wanted: Value, value: Value, given: Given) -> bool:
    if expected.form in {"name", "category"} and isinstance(value, bool):
        return value is expected.yes
    if expected.form == "number":
        return _number(expected, wanted, value, given)
    if expected.form == "boolean" and not isinstance(value, str):
        return value is wanted
    if expected.form == "name":
        return _names(expected, given)
    accepted = {str(wanted), *(expected.accepted if wanted == expected.value else ())}
    return any(same_category(str(value), one) for one in accepted)


def _number(expected: Expected, wanted: Value, value: Value, given: Given) -> bool:
    if isinstance(value, bool | str) or value is None or isinstance(wanted, bool | str) or wanted is None:
        return False
    factor = _FACTORS.get(given.unit or "", 1.0) / _FACTORS.get(expected.unit or "", 1.0)
    tolerance = max(expected.tolerance, min((given.uncertainty or 0.0) * factor, expected.loose))
    return abs(value * factor - wanted) <= tolerance + 1e-9 * abs(wanted)


def _names(expected: Expected, given: Given) -> bool:
    """All that must be named are, and nothing that may not be."""
    listed = re.split(r",| and |;", str(given.value)) if isinstance(given.value, str) else []
    named = [words_of(one) for one in given.structures] or [words_of(one) for one in listed if one.strip()]
    allowed = [words_of(one) for one in expected.accepted]
    required = [words_of(one) for one in expected.required or (str(expected.value),)]
    return bool(named) and all(one in allowed for one in named) and all(one in named for one in required)


def words_of(name: str) -> frozenset[str]:
    """The words of a structure's name or identifier, whatever their order: "left kidney" is kidney_left."""
    found = re.findall(r"[a-z0-9]+", name.lower().replace("_", " "))
    return frozenset(_ADJECTIVES.get(one, one) for one in found) - _EMPTY


def same_category(given: str, wanted: str) -> bool:
    """Whether two categories say the same; the sub-letters of a T category don't count, nor do words of the subject."""
    if re.fullmatch(r"T[0-4]", wanted):
        found = re.fullmatch(r"c?(T[0-4])[a-d]?", given.strip())
        return found is not None and found.group(1) == wanted
    a, b = words_of(given), words_of(wanted)
    return a == b or (bool(b - _SUBJECTS) and a - _SUBJECTS == b - _SUBJECTS)


def borderline(found: object) -> bool:
    """Whether evidence's details say that a threshold lies within the uncertainty."""
    return bool(found) and (not isinstance(found, Collection) or len(found) > 0)
