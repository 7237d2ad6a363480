"""Every question kind's chain: it names tools that exist, with arguments that they take and evidence that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.chain import expand
from agent.query import Kind, Query, load_kinds
from agent.state import FAILURE, Task
from tests.agent.loop_make import ask, every_query, make_case, run
from tools.registry import load_tools
from tools.rules.model import load_rules
from tools.types import State

FIRST = {query.kind: query for query in every_query()}


@pytest.mark.parametrize("query", every_query(), ids=lambda query: f"{query.kind}-{'-'.join(query.structures)}")
def test_planned_tasks_fit_the_tools_that_they_name(query: Query) -> None:
    tasks, target = expand(3, query, load_kinds()[query.kind])
    known = {task.id: task for task in tasks}
    assert len(known) == len(tasks)
    assert target.query == 3
    assert set(target.chain) == set(known)
    for task in tasks:
        tool = load_tools()[task.tool]
        stand_ins = dict.fromkeys(task.refs, "id") | {name: ["id"] * len(refs) for name, refs in task.ref_lists.items()}
        tool.arguments.model_validate({**task.args, **stand_ins})
        assert task.needs() <= set(known), task
        assert task.reason
        assert task.id == Task.make(task.tool, task.args, task.refs, task.ref_lists).id
    for ref in (target.decisive, *target.also):
        assert ref.task in known
    # every task serves the answer, or the thresholds and phases that a rule cites
    needed, queue = set(), [ref.task for ref in (target.decisive, *target.also)]
    while queue:
        ident = queue.pop()
        if ident not in needed:
            needed.add(ident)
            queue += known[ident].needs()
    assert needed == set(known)


def test_all_that_a_chain_refers_to_is_made(tmp_path: Path) -> None:
    made = run(make_case(), every_query(), tmp_path)
    state = made.state
    assert not [one for one in state.evidence.values() if one.quantity == FAILURE]
    for task in state.tasks.values():
        for ref in (*task.refs.values(), *(ref for refs in task.ref_lists.values() for ref in refs)):
            found = state.lookup(ref)
            assert found is not None, (task, ref)
            assert ref.quantity.startswith("#") or found.quantity == ref.quantity
    for target in state.targets:
        query = state.queries[target.query]
        assert isinstance(query, Query)
        kind = load_kinds()[query.kind]
        decisive = state.lookup(target.decisive)
        assert decisive is not None
        assert decisive.quantity == kind.answer.quantity
        if kind.answer.form == "number":
            assert decisive.unit == (query.unit or kind.answer.unit)
        if decisive.state is State.MEASURED:
            forms: dict[str, Any] = {"number": (int, float), "boolean": bool}
            assert isinstance(decisive.value, forms.get(kind.answer.form, str))


@pytest.mark.parametrize("kind", load_kinds().values(), ids=lambda kind: kind.id)
def test_placeholders_and_steps_exist(kind: Kind) -> None:
    assert kind.id in FIRST
    steps: set[str] = set()
    for step in kind.chain:
        assert (step.tool is None) != (step.topic is None)
        assert step.tool is None or step.tool in load_tools()
        assert step.topic is None or step.topic in {rule.topic for rule in load_rules().values()}
        for value in step.args.values():
            if isinstance(value, str) and value.startswith("@"):
                assert value[1:].partition(".")[0] in steps
        steps.add(step.step)
    assert kind.answer.step in steps


def test_an_unknown_placeholder_is_a_programming_error() -> None:
    kind = load_kinds()["volume"]
    step = kind.chain[0].model_copy(update={"args": {"structure": "$nonsense"}})
    with pytest.raises(ValueError, match="nonsense"):
        expand(0, ask("volume", "liver"), kind.model_copy(update={"chain": (step, *kind.chain[1:])}))


def test_the_same_measurement_is_one_task() -> None:
    first, _ = expand(0, ask("volume", "liver"), load_kinds()["volume"])
    second, _ = expand(1, ask("hu_mean", "liver"), load_kinds()["hu_mean"])
    assert {task.id for task in first} & {task.id for task in second}


def test_a_unit_that_is_asked_for_holds_for_the_sides_as_well(tmp_path: Path) -> None:
    made = run(make_case(), [ask("volume", "kidney", unit="ml")], tmp_path)
    assert made.report.answers[0].unit == "ml"
    assert made.report.answers[0].text.count(" ml") == 6
    assert "cm³" not in made.report.answers[0].text


@pytest.mark.parametrize(
    ("kind", "left", "value", "state"),
    [
        ("normal_size", "large", False, State.MEASURED),  # one of two is not normal: the kidneys are not
        ("enlarged", "large", True, State.MEASURED),  # one of two is enlarged: yes
        ("normal_size", "normal", True, State.MEASURED),
        ("enlarged", "normal", False, State.MEASURED),
        ("normal_size", "cut", None, State.NOT_MEASURABLE),
        ("enlarged", "cut", None, State.NOT_MEASURABLE),
    ],
)
def test_both_sides_count_in_a_question_about_a_pair(
    tmp_path: Path, kind: str, left: str, value: bool | None, state: State
) -> None:
    case = make_case()
    assert case.labels is not None
    label = case.labels.layers[0]
    label[(label == 3) | (label == 4) | (label == 9)] = 0
    label[28:36, 3:9, 3:16] = 4  # 153 cm³: normal
    if left == "cut":
        label[10:15, 0:8, 4:12] = 3
    else:
        label[6:14, 2:8, 3 : 25 if left == "large" else 16] = 3
        label[14:16, 2:8, 3 : 25 if left == "large" else 3] = 3
    made = run(case, [ask(kind, "kidney")], tmp_path)
    answer = made.report.answers[0]
    assert made.report.status == "consistent"
    assert (answer.value, answer.state) == (value, state), answer.text
