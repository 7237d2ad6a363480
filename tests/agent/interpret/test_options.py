from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UsageError
from agent.interpret import OptionChoice, choose_option
from agent.query import Query
from tools.types import State


def choose(options: Sequence[str], value: Any, **more: Any) -> OptionChoice:
    given_: dict[str, Any] = {"unit": None, "uncertainty": None, "state": State.MEASURED, "form": "number", **more}
    return choose_option(options, value=value, **given_)


ENLARGED = Query(kind="enlarged", structures=("liver",))
LESIONS = Query(kind="lesion_exists", structures=("liver_lesion",))

NUMBERS: list[tuple[list[str], float, str, float | None, str | None]] = [
    (["100 ml", "200 ml", "300 ml"], 198.0, "cm3", None, "200 ml"),
    (["100", "200", "300"], 198.0, "cm3", None, "200"),
    (["100", "200", "300 ml"], 0.2, "l", None, "200"),
    (["0.1 l", "0.2 l", "0.3 l"], 198.0, "cm3", None, "0.2 l"),
    (["198000 mm³", "98000 mm³"], 198.0, "cm3", None, "198000 mm³"),
    (["about 200 cubic centimetres", "about 400 cubic centimetres"], 201.0, "cm3", None, "about 200 cubic centimetres"),
    (["5 cm", "10 cm"], 51.0, "mm", None, "5 cm"),
    (["-10 HU", "10 HU"], -9.7, "HU", None, "-10 HU"),
    (["5 %", "10%"], 10.2, "%", None, "10%"),
    (["0.10", "0.20"], 10.2, "%", None, None),
    (["0.7", "0.9", "1.1"], 0.88, "1", None, "0.9"),
    (["1,200 ml", "1,400 ml"], 1210.0, "cm3", None, "1,200 ml"),
    (["A) 120 ml", "B) 240 ml"], 239.0, "cm3", None, "B) 240 ml"),
    # beyond the tolerance, and within it only by the measurement's own uncertainty
    (["100", "200"], 150.0, "cm3", None, None),
    (["100", "200"], 110.0, "cm3", None, None),
    (["100", "200"], 110.0, "cm3", 12.0, "100"),
    (["100", "200"], 105.0, "cm3", None, "100"),
    (["100", "200"], 106.0, "cm3", None, None),
    # not clearly nearer than the next
    (["300", "310"], 304.0, "cm3", 15.0, None),
    (["300", "310"], 302.0, "cm3", 15.0, "300"),
    # another dimension
    (["200 mm", "300 mm"], 200.0, "cm3", None, None),
    (["40 HU", "200 ml"], 200.0, "cm3", None, "200 ml"),
    # ranges
    (["100–200 ml", "200.1-300 ml"], 250.0, "cm3", None, "200.1-300 ml"),
    (["between 100 and 200 ml", "more than 200 ml"], 150.0, "cm3", None, "between 100 and 200 ml"),
    (["≤ 314.5", "> 314.5"], 314.5, "cm3", None, "≤ 314.5"),
    (["<= 314.5 cm3", "> 314.5 cm3"], 314.6, "cm3", None, "> 314.5 cm3"),
    (["less than 40 HU", "at least 40 HU"], 40.0, "HU", None, "at least 40 HU"),
    (["under 1 l", "1 l or more"], 1.0, "l", None, "1 l or more"),
    (["up to 100", "100 to 200", "over 200"], 100.0, "cm3", None, None),
    (["> 100", "> 300"], 400.0, "cm3", None, None),
    # counts
    (["One", "Two", "Three"], 2.0, "1", None, "Two"),
    (["1", "2", "3"], 3.0, "1", None, "3"),
    (["None", "One"], 0.0, "1", None, "None"),
    (["no lesions", "one lesion", "4 lesions"], 4.0, "1", None, "4 lesions"),
    (["1 lesion", "2 lesions"], 4.0, "1", None, None),
    # options that can't be read are not chosen
    (["not 200 ml", "300 ml"], 200.0, "cm3", None, None),
    (["200 bananas", "300 ml"], 200.0, "cm3", None, None),
    # none of the above
    (["100", "200", "none of the above"], 400.0, "cm3", None, "none of the above"),
    (["100", "200", "none of the above"], 201.0, "cm3", None, "200"),
    (["100", "a lot", "none of the above"], 400.0, "cm3", None, None),
    (["300", "310", "none of the above"], 304.0, "cm3", 15.0, None),
]


@pytest.mark.parametrize(("options", "value", "unit", "uncertainty", "wanted"), NUMBERS)
def test_numbers(options: list[str], value: float, unit: str, uncertainty: float | None, wanted: str | None) -> None:
    found = choose(options, value, unit=unit, uncertainty=uncertainty)
    assert (None if found.index is None else options[found.index]) == wanted, found.reason


OTHERS: list[tuple[list[str], Any, dict[str, Any], str | None]] = [
    (["Yes", "No"], True, {}, "Yes"),
    (["True", "False"], False, {}, "False"),
    (["absent", "present"], True, {}, "present"),
    (["Yes, it is enlarged", "No, it is normal"], False, {}, "No, it is normal"),
    (["Yes, mild", "Yes, severe", "No"], True, {}, None),
    (["Yes, mild", "Yes, severe", "No"], False, {}, "No"),
    (["Enlarged", "Not enlarged"], False, {"query": ENLARGED}, "Not enlarged"),
    (["Enlarged", "Not enlarged"], False, {}, None),
    (["The liver is enlarged", "The liver is not enlarged"], True, {"query": ENLARGED}, "The liver is enlarged"),
    (["The spleen is enlarged", "No"], True, {"query": ENLARGED}, None),
    (["Hepatomegaly", "Normal"], False, {"query": ENLARGED}, "Normal"),
    (["Enlarged", "Normal", "Small"], False, {"query": ENLARGED}, None),
    (["Enlarged", "Not enlarged"], True, {"query": ENLARGED.model_copy(update={"negated": True})}, "Not enlarged"),
    (["Liver lesions", "No liver lesions"], False, {"query": LESIONS}, "No liver lesions"),
    (["Yes", "No", "none of the above"], True, {}, "Yes"),
    (["Right kidney", "Left kidney"], "kidney_right", {"form": "name"}, "Right kidney"),
    (["the right one", "the left one"], "kidney_left", {"form": "name"}, "the left one"),
    (["Left", "Right"], "right", {"form": "name"}, "Right"),
    (["Right kidney", "Left kidney"], "left", {"form": "name"}, "Left kidney"),
    (["Hepar", "Spleen"], "liver", {"form": "name"}, "Hepar"),
    (["The liver", "The spleen"], "spleen", {"form": "name"}, "The spleen"),
    (["liver", "spleen"], "pancreas", {"form": "name"}, None),
    (["liver", "spleen", "None of these"], "pancreas", {"form": "name"}, "None of these"),
    (["Mild splenomegaly", "Severe splenomegaly"], "mild", {"form": "category"}, "Mild splenomegaly"),
    (["moderate", "moderate to severe"], "moderate", {"form": "category"}, "moderate"),
    (["moderate to severe", "mild"], "moderate", {"form": "category"}, None),
    (["not mild", "severe"], "mild", {"form": "category"}, None),
    (["Grade 0", "Grade 1", "Grade 2"], "G1", {"form": "category"}, "Grade 1"),
    (["G0", "G1"], "Grade 0", {"form": "category"}, "G0"),
    (["Portal venous phase", "Arterial phase"], "portal", {"form": "category"}, "Portal venous phase"),
    (["unenhanced", "arterial"], "native", {"form": "category"}, "unenhanced"),
    (["normal", "abnormal"], "normal", {"form": "category"}, "normal"),
    # the two states without a value
    (["100", "200", "cannot be determined"], None, {"state": "not_measurable"}, "cannot be determined"),
    (["Yes", "No", "Insufficient information"], None, {"state": "not_assessed", "form": "boolean"},
     "Insufficient information"),
    (["not assessed", "not measurable"], None, {"state": "not_assessed"}, "not assessed"),
    (["not assessed", "not measurable"], None, {"state": "not_measurable"}, "not measurable"),
    (["not assessed", "100"], None, {"state": "not_measurable"}, None),
    (["Yes", "No"], None, {"state": "not_assessed", "form": "boolean"}, None),
    (["Yes", "No", "none of the above"], None, {"state": "not_assessed", "form": "boolean"}, None),
    (["unknown", "indeterminate", "Yes"], None, {"state": "not_assessed", "form": "boolean"}, None),
    (["Yes", "No"], None, {"state": "absent", "form": "boolean"}, "No"),
    (["Yes", "unknown"], False, {"form": "boolean"}, None),
    # the same twice
    (["200 ml", "200 ML."], 200.0, {"unit": "cm3"}, None),
    (["Yes", "yes"], True, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("options", "value", "more", "wanted"), OTHERS)
def test_other_options(options: list[str], value: Any, more: dict[str, Any], wanted: str | None) -> None:
    found = choose(options, value, **{"form": "boolean", **more})
    assert (None if found.index is None else options[found.index]) == wanted, found.reason


@given(st.data(), st.sampled_from([(o, v, {"form": "boolean", **m}) for o, v, m, _ in OTHERS]))
def test_order_never_matters_for_words(data: st.DataObject, case: tuple[list[str], Any, dict[str, Any]]) -> None:
    options, value, more = case
    shuffled = data.draw(st.permutations(options))
    first, second = choose(options, value, **more), choose(shuffled, value, **more)
    assert (first.index is None) == (second.index is None)
    if first.index is not None and second.index is not None:
        assert options[first.index] == shuffled[second.index]


@given(
    st.lists(st.integers(-50, 400), min_size=1, max_size=8, unique=True),
    st.floats(-60, 420, allow_nan=False),
    st.data(),
)
def test_order_never_matters_for_numbers(numbers: list[int], value: float, data: st.DataObject) -> None:
    options = [f"{number} HU" for number in numbers]
    shuffled = data.draw(st.permutations(options))
    first, second = choose(options, value, unit="HU"), choose(shuffled, value, unit="HU")
    assert (first.index is None) == (second.index is None)
    if first.index is not None and second.index is not None:
        assert options[first.index] == shuffled[second.index]
        distance = abs(numbers[first.index] - value)
        assert all(distance < abs(number - value) for n, number in enumerate(numbers) if n != first.index)
        assert distance <= max(0.05 * abs(value), 0.5) + 1e-6


def test_a_lower_bound_excludes_but_never_chooses() -> None:
    found = choose(["100 ml", "200 ml"], None, state="not_measurable", unit="cm3", lower_bound=150.0)
    assert found.index is None
    assert found.reason.endswith('at least 150 cm3 excludes "100 ml".')
    assert choose(["under 100", "over 100"], None, state="not_measurable", unit="cm3", lower_bound=150.0).index is None


def test_the_letter_is_the_place() -> None:
    found = choose(["100", "200", "300"], 300.0, unit="cm3")
    assert (found.index, found.letter) == (2, "C")


@pytest.mark.parametrize("options", [[], [str(n) for n in range(27)]])
def test_the_number_of_options_is_limited(options: list[str]) -> None:
    with pytest.raises(UsageError, match="1 to 26 options"):
        choose(options, 1.0)


@pytest.mark.slow
@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=6), st.sampled_from([True, 200.0, "mild", "kidney_left", None])
)
def test_any_texts_are_options(options: list[str], value: Any) -> None:
    for form in ("number", "boolean", "name", "category", "text"):
        for state in State:
            found = choose(options, value, form=form, state=state, unit="cm3", query=ENLARGED)
            assert found.index is None or 0 <= found.index < len(options)
