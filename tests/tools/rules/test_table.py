"""Decision tables against a brute-force reading of their rows, and what malformed ones are refused for."""

from __future__ import annotations

import itertools
import math
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.intervals import Interval
from tools.rules.decide import Outcome, Reading, evaluate, holds
from tools.rules.model import check_together, load_rules, read_rule
from tools.rules.table import Condition, TableRule, Verdict

HEAD = """
id = "example"
version = "1"
topic = "example"
structure = "pancreas"
source = "a source"
citation = "Somebody, somewhere"
noun = "class"
"""
T_LIKE = tomllib.loads(
    HEAD
    + """
ordered = ["T1", "T2", "T3", "T4"]
[inputs.size]
says = "longest diameter"
unit = "cm"
tool = "lesion_components"
args = { structure = "$lesion" }
quantity = "longest_lesion_axis"
[inputs.artery]
says = "contact with the artery"
unit = "deg"
tool = "vessel_contact"
args = { structure = "$lesion", vessel = "celiac_trunk" }
quantity = "contact_angle"
[inputs.other]
says = "contact with the other artery"
unit = "deg"
tool = "vessel_contact"
args = { structure = "$lesion", vessel = "superior_mesenteric_artery" }
quantity = "contact_angle"
[[rows]]
verdict = "T4"
any = [{ input = "artery", gt = 0 }, { input = "other", gt = 0 }]
[[rows]]
verdict = "T1"
all = [{ input = "size", le = 2 }]
[[rows]]
verdict = "T2"
all = [{ input = "size", le = 4 }]
[[rows]]
verdict = "T3"
"""
)
MIXED = tomllib.loads(
    HEAD
    + """
[inputs.flag]
says = "flag"
declared = "flag"
[inputs.word]
says = "word"
declared = "word"
values = ["A", "B", "C"]
[inputs.count]
says = "number"
tool = "lesion_components"
args = { structure = "$lesion" }
quantity = "lesion_count"
[[rows]]
verdict = "one"
all = [{ input = "flag", is = true }, { input = "count", ge = 2 }]
any = [{ input = "word", in = ["A", "B"] }, { input = "count", gt = 5 }]
[[rows]]
verdict = "two"
all = [{ input = "word", is = "C" }, { input = "count", lt = 5 }]
[[rows]]
verdict = "one"
all = [{ input = "flag", is = false }, { input = "count", in = [1, 3] }]
[[rows]]
verdict = "three"
any = [{ input = "count", le = 3 }, { input = "word", is = "A" }]
"""
)


def table(data: dict[str, Any], **changes: Any) -> TableRule:
    rule = read_rule({**data, **changes})
    assert isinstance(rule, TableRule)
    return rule


# -- an evaluation that stands apart: plain values, plain comparisons ------------------------------------------------


def plainly(condition: Condition, value: Any) -> bool:
    for name in ("gt", "ge", "lt", "le"):
        limit = getattr(condition, name)
        if limit is not None:
            return bool({"gt": value > limit, "ge": value >= limit, "lt": value < limit, "le": value <= limit}[name])
    return value in condition.among if condition.among else bool(value == condition.equals)


def decided(rule: TableRule, values: dict[str, Any]) -> Verdict | None:
    for row in rule.rows:
        every = all(plainly(one, values[one.input]) for one in row.all)
        some = not row.any or any(plainly(one, values[one.input]) for one in row.any)
        if every and some:
            return row.verdict
    return None


def samples(name: str, reading: Reading) -> list[Any]:
    """Values of an input of MIXED that stand for all that a reading leaves."""
    if name == "flag":
        return sorted(reading) if isinstance(reading, frozenset) else [True, False]
    if name == "word":
        return sorted(reading, key=str) if isinstance(reading, frozenset) else ["A", "B", "C"]
    grid = [n / 2 for n in range(-4, 20)]
    if reading is None:
        return grid
    assert isinstance(reading, Interval)
    inside = [value for value in grid if reading.low <= value <= reading.high]
    return [*inside, reading.low, *([reading.high] if math.isfinite(reading.high) else [])]


words = st.frozensets(st.sampled_from(["A", "B", "C"]), min_size=1)
flags = st.frozensets(st.booleans(), min_size=1)
halves = st.integers(0, 16).map(lambda n: n / 2)
spans = st.one_of(
    st.tuples(halves, halves).map(lambda ends: Interval(None, min(ends), max(ends))),
    halves.map(lambda low: Interval(None, low, math.inf)),
)
readings = st.fixed_dictionaries({
    "flag": st.none() | flags, "word": st.none() | words, "count": st.none() | spans,
})  # fmt: skip


@pytest.mark.slow
@given(known=readings)
@settings(max_examples=400, deadline=None)
def test_a_verdict_is_possible_exactly_if_some_values_lead_to_it(known: dict[str, Reading]) -> None:
    rule = table(MIXED)
    ways = itertools.product(*(samples(name, known[name]) for name in rule.inputs))
    truth = {decided(rule, dict(zip(rule.inputs, way, strict=True))) for way in ways}
    found = evaluate(rule, known)
    assert {*found.verdicts, *([None] if found.no_row else [])} == truth
    assert found.verdict == (truth.pop() if len(truth) == 1 else None)


@pytest.mark.slow
@given(known=readings, at=st.sampled_from(["flag", "word", "count"]))
@settings(max_examples=200, deadline=None)
def test_knowing_less_never_rules_a_verdict_out(known: dict[str, Reading], at: str) -> None:
    rule = table(MIXED)
    more, less = evaluate(rule, known), evaluate(rule, {**known, at: None})
    assert set(more.verdicts) <= set(less.verdicts)
    assert less.no_row or not more.no_row
    # What was undecided and is decided by one thing more depended on that thing.
    if less.verdict is None and more.verdict is not None:
        assert at in less.open


@pytest.mark.slow
@given(known=readings)
@settings(max_examples=200, deadline=None)
def test_a_table_names_what_it_depends_on(known: dict[str, Reading]) -> None:
    rule = table(MIXED)
    found = evaluate(rule, known)
    several = len(found.verdicts) + found.no_row > 1
    assert bool(found.open) is several
    for name in found.open:
        one = known[name]
        assert one is None or not isinstance(one, Interval) or one.low < one.high
        assert not isinstance(one, frozenset) or len(one) > 1


def at(value: float) -> Interval:
    return Interval(value, value, value)


@pytest.mark.parametrize(
    ("size", "verdict"),
    [(1.999, "T1"), (2.0, "T1"), (2.001, "T2"), (3.999, "T2"), (4.0, "T2"), (4.001, "T3"), (30, "T3")],
)
def test_at_just_below_and_just_above_every_limit(size: float, verdict: str) -> None:
    known: dict[str, Reading] = {"size": at(size), "artery": at(0), "other": at(0)}
    assert evaluate(table(T_LIKE), known) == Outcome((verdict,), False, ())
    assert evaluate(table(T_LIKE), {**known, "artery": at(0.5)}).verdict == "T4"


def test_a_bound_that_decides_decides() -> None:
    rule = table(T_LIKE)
    cut = Interval(None, 4.5, math.inf)
    assert evaluate(rule, {"size": cut, "artery": at(0), "other": at(0)}).verdict == "T3"
    assert evaluate(rule, {"size": None, "artery": None, "other": at(20)}).verdict == "T4"
    found = evaluate(rule, {"size": cut, "artery": None, "other": at(0)})
    assert (found.verdicts, found.open) == (("T4", "T3"), ("artery",))
    touching = evaluate(rule, {"size": Interval(None, 4.0, math.inf), "artery": at(0), "other": at(0)})
    assert touching.verdicts == ("T2", "T3")


def test_what_does_not_matter_is_not_missing() -> None:
    found = evaluate(table(T_LIKE), {"size": at(1), "artery": at(0)})
    assert (found.verdicts, found.open) == (("T4", "T1"), ("other",))
    assert evaluate(table(T_LIKE), {}).open == ("size", "artery", "other")


def test_needs_are_conditions_of_three_values() -> None:
    rule = table(T_LIKE, needs=[{"input": "size", "ge": 1, "refusal": "the rule is for larger ones"}])
    need = rule.needs[0]
    assert holds(rule, need, at(1.0)) is True
    assert holds(rule, need, at(0.99)) is False
    assert holds(rule, need, Interval(None, 0.5, 1.5)) is None
    assert holds(rule, need, None) is None


@pytest.mark.parametrize(
    "row",
    [
        {"verdict": "x", "all": [{"input": "size"}]},
        {"verdict": "x", "all": [{"input": "size", "gt": 1, "lt": 2}]},
        {"verdict": "x", "all": [{"input": "nothing", "gt": 1}]},
        {"verdict": "x", "all": [{"input": "size", "is": "large"}]},
        {"verdict": "x", "all": [{"input": "size", "is": True}]},
        {"verdict": "x", "all": [{"input": "size", "in": []}]},
        {"verdict": "x", "all": [{"input": "size", "above": 3}]},
        {"verdict": "x"},
    ],
)
def test_a_malformed_row_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        table({**T_LIKE, "ordered": []}, rows=[row, *T_LIKE["rows"]])


@pytest.mark.parametrize(
    "change",
    [
        {"noun": None},
        {"ordered": ["T1", "T2"]},
        {"rows": []},
        {"inputs": {}},
        {"colour": "red"},
        {"rows": [{"verdict": True}], "ordered": []},
        {"needs": [{"input": "size", "ge": 1}]},
    ],
)
def test_a_malformed_table_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        table(T_LIKE, **change)


@pytest.mark.parametrize(
    "row",
    [
        {"says": "x"},
        {"says": "x", "declared": "a", "unseen": "b"},
        {"says": "x", "tool": "presence"},
        {"says": "x", "declared": "a", "quantity": "exists"},
        {"says": "x", "declared": "a", "args": {"structure": "liver"}},
        {"says": "x", "rule": "t", "over": {"tool": "presence", "quantity": "exists"}},
    ],
)
def test_a_malformed_input_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        table(T_LIKE, inputs={**T_LIKE["inputs"], "size": row})


def test_a_table_is_about_a_lesion_that_exists() -> None:
    assert table(T_LIKE, lesion="tumor").lesion == "tumor"
    with pytest.raises(ValueError, match="nonsense is no type of lesion"):
        table(T_LIKE, lesion="nonsense")


def test_rules_on_one_topic_make_one_quantity_and_rest_on_others() -> None:
    first = table(T_LIKE)
    with pytest.raises(ValueError, match="another quantity"):
        check_together([first, table(T_LIKE, id="other", quantity="stage")])
    circle = {**T_LIKE["inputs"], "artery": {"says": "itself", "unit": "deg", "rule": "example"}}
    with pytest.raises(ValueError, match="rest on themselves"):
        check_together([table(T_LIKE, inputs=circle)])
    check_together([first])


def test_a_table_that_cannot_be_followed_is_refused() -> None:
    names = [f"i{n}" for n in range(40)]
    inputs = {name: {"says": name, "declared": name} for name in names}
    pairs = [[{"input": a, "is": True}, {"input": b, "is": True}] for a, b in zip(names[::2], names[1::2], strict=True)]
    rows = [{"verdict": str(n), "all": pair} for n, pair in enumerate(pairs)]
    with pytest.raises(ValueError, match="more branches"):
        table(T_LIKE, inputs=inputs, ordered=[], rows=rows)


@pytest.mark.parametrize("ident", [name for name, rule in load_rules().items() if isinstance(rule, TableRule)])
def test_nothing_known_decides_nothing(ident: str) -> None:
    """A table of the house may never give a verdict that rests on no input at all."""
    rule = load_rules()[ident]
    assert isinstance(rule, TableRule)
    found = evaluate(rule, {})
    assert found.verdict is None
    assert found.open
