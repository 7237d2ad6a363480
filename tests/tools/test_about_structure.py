"""What there is to say about one structure: its own evidence and that of its lesions, whatever else was found."""

from __future__ import annotations

from tests.evidence_make import at_least, derive, measured, missing
from tools.about_structure import NOTHING
from tools.types import Evidence, State

VOLUME = measured("volume", "liver", 1500.0)
COMPLETE = measured("complete", "liver", True, None)
HU = measured("hu_mean", "liver", 55.0, "HU")
LOOKED = measured("exists", "liver_lesion", True, None)
NONE = Evidence.make(
    tool="test", version="1", quantity="exists", target="liver_lesion", state=State.ABSENT, value=False, method="m"
)
ROWS = [measured("lesion", f"liver_metastasis#{n}", 9.0 - n) for n in range(1, 8)]
GENERAL = measured("lesion", "liver_lesion#1", 8.0)
OTHERS = [measured("volume", "spleen", 200.0), measured("lesion", "spleen_cyst#1", 3.0)]


def _verdict(target: str, value: bool | str, *, normal: bool, text: str = "", **details: object) -> Evidence:
    return Evidence.make(
        tool="test", version="1", quantity="verdict", target=target, value=value, state=State.MEASURED, method="m",
        details={"normal": normal, "text": text, "rule": f"a rule on {target} {value} {text}", **details},
    )  # fmt: skip


FATTY = _verdict("liver", True, normal=False, text="is fatty")
PLAIN = _verdict("liver", False, normal=True, text="is not enlarged")


def about(*given: Evidence, looked: Evidence = LOOKED, structure: str = "liver") -> Evidence:
    own = [one for one in given if one.quantity in {"volume", "hu_mean", "complete"} and one.target == structure]
    return derive("about_structure", *given, looked, structure=structure, own=own, looked=looked, items=list(given))


def test_size_then_lesions_then_what_stands_out_and_nothing_of_others() -> None:
    made = about(VOLUME, COMPLETE, HU, *OTHERS, *ROWS, GENERAL, PLAIN, FATTY)
    assert made.inputs == tuple(one.id for one in (VOLUME, COMPLETE, HU, *ROWS[:5], FATTY))
    assert made.value == "liver is fatty; with liver metastasis"


def test_where_nothing_stands_out_one_verdict_is_told() -> None:
    made = about(VOLUME, COMPLETE, HU, PLAIN, looked=NONE)
    assert made.inputs == tuple(one.id for one in (VOLUME, COMPLETE, HU, NONE, PLAIN))
    assert made.value == NOTHING


def test_lesions_that_nobody_looked_for_are_said_not_to_be_assessed() -> None:
    made = about(VOLUME, looked=missing("exists", "liver_lesion", State.NOT_ASSESSED, None))
    assert made.value == "lesions not assessed"


def test_what_is_cut_off_is_said() -> None:
    made = about(at_least("volume", "liver", 900.0), measured("complete", "liver", False, None), looked=NONE)
    assert (made.state, made.value) == (State.MEASURED, "not completely within the scan")


def test_a_structure_that_nothing_measured_is_not_assessed() -> None:
    made = about(missing("volume", "liver", State.NOT_ASSESSED), *OTHERS)
    assert (made.state, made.reason, made.inputs) == (State.NOT_ASSESSED, "reason for liver", ())


def test_a_pair_is_told_with_its_sides() -> None:
    sides = [measured("volume", side, 150.0) for side in ("kidney_left", "kidney_right")]
    whole = measured("volume", "kidney", 300.0)
    cyst = measured("lesion", "kidney_cyst_right#1", 8.0)
    made = about(whole, *sides, cyst, *OTHERS, structure="kidney")
    assert set(made.inputs) == {whole.id, cyst.id, *(one.id for one in sides)}
    assert made.value == "with right kidney cyst"


def test_how_many_there_are_is_told_where_not_each_is() -> None:
    count = measured("lesion_table", "liver_metastasis", 7)
    assert count.id in about(VOLUME, *ROWS, count).inputs
    assert count.id not in about(VOLUME, *ROWS[:2], count).inputs


def test_kinds_that_nothing_looked_for_are_told_beside_what_was_found() -> None:
    narrow = Evidence.make(
        tool="test", version="1", quantity="exists", target="liver_lesion", state=State.MEASURED, value=True,
        reason="other kinds than these were not looked for: liver cyst", method="m",
    )  # fmt: skip
    assert narrow.id in about(VOLUME, ROWS[0], looked=narrow).inputs
    assert LOOKED.id not in about(VOLUME, ROWS[0]).inputs
