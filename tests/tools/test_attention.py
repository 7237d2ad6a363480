"""What to look at first: one order, whatever the order of the evidence."""

from __future__ import annotations

import random

from agent.state import FAILURE
from tests.evidence_make import at_least, derive, measured, missing
from tests.said import said
from tools.types import Evidence, State

BIG = measured("largest_lesion_volume", "liver_lesion", 14.0)
SMALL = measured("largest_lesion_volume", "kidney_cyst_left", 900.0, "mm3")
CUT = at_least("largest_lesion_volume", "pancreas_tumor", 20.0)
THERE = measured("exists", "colon_cancer", True, None)
FAR = [
    measured("lesion_count", "liver_lesion", 3, "1"),
    measured("volume", "liver", 1500.0),
    measured("hu_mean", "spleen", 45.0, "HU"),
]


def _verdict(target: str, value: bool | str, *, normal: bool, text: str = "", **details: object) -> Evidence:
    return Evidence.make(
        tool="test", version="1", quantity="verdict", target=target, value=value, state=State.MEASURED, method="m",
        details={"normal": normal, "text": text, **details},
    )  # fmt: skip


ENLARGED = _verdict("spleen", True, normal=False, text="is enlarged")
GRADED = _verdict("liver", "G2", normal=False, text="has steatosis grade G2")
NORMAL = _verdict("pancreas", False, normal=True, text="is not enlarged")
CLOSE = _verdict("kidney_left", False, normal=True, text="is not enlarged", borderline=["False", "True"])
UNSEEN = missing("volume", "adrenal_gland_left", State.NOT_MEASURABLE)
UNKNOWN = missing("exists", "liver_metastasis", State.NOT_ASSESSED, None)
ALL = [UNKNOWN, *FAR, SMALL, UNSEEN, NORMAL, CLOSE, GRADED, CUT, BIG, THERE, ENLARGED]


def test_lesions_first_the_largest_ahead_then_what_is_not_normal() -> None:
    made = derive("attention", items=ALL)
    assert made.value == (
        "lesions: pancreas tumor, liver lesion, left kidney cyst, colon cancer; against the norm: liver, "
        "spleen (is enlarged); borderline: left kidney; not measurable: left adrenal gland; "
        "not assessed: liver metastasis"
    )
    assert made.inputs == tuple(
        one.id for one in (CUT, BIG, SMALL, THERE, GRADED, ENLARGED, CLOSE, UNSEEN, UNKNOWN)
    )  # fmt: skip
    assert made.details["structures"] == [
        "pancreas_tumor", "liver_lesion", "kidney_cyst_left", "colon_cancer", "liver", "spleen", "kidney_left",
        "adrenal_gland_left", "liver_metastasis",
    ]  # fmt: skip
    assert not any(character.isdecimal() for character in str(made.value))


def test_lesions_keep_their_order_whatever_comes_first() -> None:
    expected = derive("attention", items=ALL).inputs[:4]
    for seed in range(5):
        shuffled = random.Random(seed).sample(ALL, len(ALL))  # noqa: S311  (an order, no secret)
        assert derive("attention", items=shuffled).inputs[:4] == expected


def test_a_lesion_is_named_once_by_what_says_most_of_its_size() -> None:
    several = [
        measured("exists", "liver_lesion", True, None),
        measured("lesion_count", "liver_lesion", 3, "1"),
        measured("longest_lesion_axis", "liver_lesion", 31.0, "mm"),
        BIG,
        measured("volume", "liver_lesion#1", 14.0),
    ]
    assert derive("attention", items=several).inputs == (BIG.id,)


def test_absent_lesions_call_for_nothing() -> None:
    gone = [missing("exists", "liver_lesion", State.ABSENT, None), missing("volume", "liver_lesion", State.ABSENT)]
    made = derive("attention", items=gone)
    assert (made.state, made.value, made.inputs) == (State.ABSENT, "nothing that was measured stands out", ())
    assert said(made) == "What to look at first: nothing that was measured stands out."


def test_a_verdict_that_was_weighed_is_told_once_with_its_words() -> None:
    other = _verdict("spleen", False, normal=True, text="is not enlarged", borderline=["False", "True"])
    weighed = Evidence.make(
        tool="test", version="1", quantity="verdict", target="spleen", value=True, state=State.MEASURED, method="m",
        inputs=(ENLARGED.id, other.id), details={"normal": False, "chosen": ENLARGED.id},
    )  # fmt: skip
    made = derive("attention", items=[ENLARGED, other, weighed])
    assert made.value == "against the norm: spleen (is enlarged); borderline: spleen"
    assert made.inputs == (weighed.id, other.id)


def test_rules_that_disagree_are_told_as_such() -> None:
    weighed = _verdict("pancreas", False, normal=False, disagree=True)
    assert derive("attention", items=[weighed]).value == "against the norm: pancreas (rules disagree)"


def test_each_structure_is_named_once_for_its_first_verdict() -> None:
    second = _verdict("spleen", "severe", normal=False, text="is severely enlarged")
    of_lesion = _verdict("liver_lesion", True, normal=False, text="is measurable")
    made = derive("attention", items=[ENLARGED, second, of_lesion])
    assert made.value == "against the norm: spleen (is enlarged)"


def test_lesions_anywhere_and_bones_that_leave_the_scan_are_not_told() -> None:
    anywhere = measured("largest_lesion_volume", "tumor", 14.0)
    bone = missing("volume", "hip_left", State.NOT_MEASURABLE)
    assert derive("attention", items=[anywhere, BIG, bone]).value == "lesions: liver lesion"
    assert derive("attention", items=[anywhere]).value == "lesions: tumor"


def test_every_item_is_told_with_its_evidence() -> None:
    items = [BIG, UNSEEN, UNKNOWN]
    made = derive("attention", items=items)
    text = said(made, *items)
    assert "liver lesion is 14.0 cm³" in text
    assert "reason for adrenal_gland_left" in text


def test_without_anything_measured_nothing_is_said_to_be_fine() -> None:
    failed = Evidence.make(
        tool="test", version="1", quantity=FAILURE, target="scan", state=State.NOT_ASSESSED, reason="r", method="m"
    )
    made = derive("attention", items=[failed])
    assert (made.state, made.value) == (State.NOT_ASSESSED, None)


def test_many_items_are_told_up_to_a_limit() -> None:
    many = [measured("volume", f"rib_left_{n}_lesion", float(n)) for n in range(1, 13)]
    many += [measured("volume", f"rib_right_{n}_lesion", float(n)) for n in range(1, 13)]
    many += [measured("volume", f"vertebrae_L{n}_lesion", float(n)) for n in range(1, 6)]
    made = derive("attention", items=many)
    assert (len(made.inputs), made.details["more"]) == (25, 4)
