"""Every question kind's chain: it names tools that exist, with arguments that they take and evidence that they make."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from agent.chain import expand
from agent.query import Kind, Query, Step, load_kinds
from agent.rule_chain import all_rule_tasks
from agent.seen import labelled
from agent.state import FAILURE, Ref, RunState, Task
from tests.agent.loop_full import full_case
from tests.agent.loop_make import Outcome, ask, make_case, run
from tests.agent.loop_queries import every_query, one_of_each
from tools.registry import load_tools
from tools.rules.model import load_rules
from tools.types import State

QUERIES = {
    kind: list(group)
    for kind, group in groupby(sorted(every_query(), key=lambda query: query.kind), key=lambda query: query.kind)
}


def all_tasks() -> dict[str, Task]:
    """What stands for a report on everything: some measurements and every rule."""
    tasks: dict[str, Task] = {}
    all_rule_tasks(tasks, labelled(full_case(prior=False).labels))
    return tasks


@pytest.mark.parametrize("kind", QUERIES)
def test_planned_tasks_fit_the_tools_that_they_name(kind: str) -> None:
    for query in QUERIES[kind]:
        check_plan(query)


def check_plan(query: Query) -> None:
    tasks, target = expand(3, query, load_kinds()[query.kind], all_tasks)
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


@pytest.mark.slow
def test_all_that_a_chain_refers_to_is_made(asked_each: Outcome) -> None:
    check_made(asked_each.state)


@pytest.mark.slow
def test_all_that_any_chain_refers_to_is_made(asked_all: Outcome) -> None:
    check_made(asked_all.state)


def check_made(state: RunState) -> None:
    assert state.status == "consistent", [one for one in state.verdicts if one.outcome == "fail"]
    assert not [one for one in state.evidence.values() if one.quantity == FAILURE]
    for task in state.tasks.values():
        for ref in (*task.refs.values(), *(ref for refs in task.ref_lists.values() for ref in refs)):
            if ref.quantity == "*":
                assert state.lookup_all([ref]), (task, ref)
                continue
            found = state.lookup(ref)
            assert found is not None, (task, ref)
            assert ref.quantity.startswith("#") or found.quantity == ref.quantity
    for target in state.targets:
        query = state.queries[target.query]
        assert isinstance(query, Query)
        answer = load_kinds()[query.kind].answer
        decisive = state.lookup(target.decisive)
        assert decisive is not None
        assert decisive.quantity == answer.quantity
        if answer.form == "number":
            assert decisive.unit == (query.unit or answer.unit)
        if decisive.state is State.MEASURED:
            forms: dict[str, Any] = {"number": (int, float), "boolean": bool, "text": (str, int, float)}
            assert isinstance(decisive.value, forms.get(answer.form, str))
            if answer.form == "names" or query.kind == "attention":
                assert isinstance(decisive.details.get("structures"), list)


def test_every_kind_is_asked() -> None:
    assert set(QUERIES) == set(load_kinds())
    assert [query.kind for query in one_of_each()] == list(dict.fromkeys(query.kind for query in every_query()))


@pytest.mark.parametrize("kind", load_kinds().values(), ids=lambda kind: kind.id)
def test_placeholders_and_steps_exist(kind: Kind) -> None:
    steps: set[str] = set()
    topics = {rule.topic for rule in load_rules().values()}
    for step in kind.chain:
        said = [step.tool is not None, step.topic is not None, step.rule is not None, step.everything]
        assert said.count(True) == 1
        assert step.tool is None or step.tool in load_tools()
        assert step.topic is None or step.topic in topics
        assert step.rule is None or step.rule in load_rules()
        assert step.tool is not None or set(step.args) <= {"structure"}
        for value in step.args.values():
            if isinstance(value, str) and value.startswith("@"):
                assert value[1:].partition(".")[0] in steps
        assert step.step not in steps
        steps.add(step.step)
    assert {kind.answer.step, *(named.partition(".")[0] for named in kind.answer.also)} <= steps


# -- steps of other sorts ------------------------------------------------------------------------------------------


def test_a_step_may_rest_on_everything() -> None:
    tasks, target = expand(0, ask("attention"), load_kinds()["attention"], all_tasks)
    known = {task.id: task for task in tasks}
    last = known.pop(target.decisive.task)
    assert known == all_tasks()
    assert last.tool == "attention"
    assert last.ref_lists["items"] == tuple(Ref(task=ident, quantity="*") for ident in known)


@pytest.mark.slow
def test_what_a_report_judges_is_what_attention_rests_on(tmp_path: Path) -> None:
    case = full_case(prior=False)
    whole = run(case, None, tmp_path / "report").state
    asked = run(case, [ask("attention")], tmp_path / "question").state
    assert set(whole.tasks) <= set(asked.tasks)
    decisive = asked.lookup(asked.targets[0].decisive)
    assert decisive is not None
    given = decisive.arguments["items"]
    # What a report looks at besides, of the scan and the labels themselves, is nothing to look at first.
    assert {ident for task in whole.tasks for ident in whole.done[task]} - set(asked.evidence) == set()
    assert isinstance(given, list)
    assert set(decisive.inputs) <= set(given)


def test_one_rule_may_be_a_step() -> None:
    volume = load_kinds()["volume"]
    step = Step(step="rule", rule="liver-enlarged-radgpt")
    answer = volume.answer.model_copy(update={"form": "boolean", "step": "rule", "quantity": "verdict", "unit": None})
    kind = volume.model_copy(update={"chain": (step,), "answer": answer})
    tasks, _ = expand(0, ask("volume", "liver"), kind)
    assert [task.args["rule"] for task in tasks if task.tool == "apply_rule"] == ["liver-enlarged-radgpt"]


def test_a_step_may_run_over_the_regions_of_an_organ() -> None:
    volume = load_kinds()["volume"]
    each = volume.chain[0].model_copy(update={"over": "regions"})
    total = Step(step="sum", tool="total", args={"items": "@m.volume"})
    answer = volume.answer.model_copy(update={"step": "sum", "quantity": "volume_total"})
    kind = volume.model_copy(update={"chain": (each, total), "answer": answer})
    for asked in ("liver", "liver_lesion"):
        tasks, _ = expand(0, ask("volume", asked), kind)
        measured = [task.args["structure"] for task in tasks if task.tool == "measure_structure"]
        assert measured == [f"liver_segment_{number}" for number in range(1, 9)]


def test_between_two_numbers_both_must_hold() -> None:
    query = ask("volume_threshold", "spleen", comparator="ge", threshold=1.0, upper=2.0, threshold_unit="ml")
    tasks, target = expand(0, query, load_kinds()["volume_threshold"])
    compared = {(task.args["comparator"], task.args["number"]) for task in tasks if task.tool == "compare_number"}
    assert compared == {("ge", 1.0), ("le", 2.0)}
    assert target.decisive.task.startswith("all_of")


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
