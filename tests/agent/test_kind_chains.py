"""The chain of every kind of question: its tools exist, take its arguments, and make what it asks of them."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from agent.chain import expand
from agent.interpret import interpret
from agent.query import Kind, Query, load_kinds
from agent.state import Ref, Task
from tools.registry import load_tools

KINDS = load_kinds()


def _plan(kind: Kind) -> tuple[dict[str, Task], list[Ref]]:
    (query,) = interpret(kind.example)
    assert isinstance(query, Query)
    tasks, target = expand(0, query, kind)
    refs = [ref for task in tasks for ref in task.refs.values()]
    refs += [ref for task in tasks for listed in task.ref_lists.values() for ref in listed]
    return {task.id: task for task in tasks}, [*refs, target.decisive, *target.also]


@pytest.mark.parametrize("ident", sorted(KINDS))
def test_every_call_of_a_chain_is_one_that_its_tool_takes(ident: str) -> None:
    tasks, _ = _plan(KINDS[ident])
    for task in tasks.values():
        stand_ins = dict.fromkeys(task.refs, "id") | {name: ["id"] for name in task.ref_lists}
        load_tools()[task.tool].arguments.model_validate({**task.args, **stand_ins})


@pytest.mark.parametrize("ident", sorted(KINDS))
def test_every_quantity_that_a_chain_rests_on_is_one_that_its_tool_makes(ident: str) -> None:
    tasks, refs = _plan(KINDS[ident])
    for ref in refs:
        tool = load_tools()[tasks[ref.task].tool]
        if ref.quantity == "*" or ref.quantity.startswith("#"):
            continue
        assert any(fnmatch(ref.quantity, known) for known in tool.says), (tool.name, ref.quantity)


@pytest.mark.parametrize("ident", sorted(KINDS))
def test_the_kinds_that_options_turn_to_exist_and_take_the_same_structures(ident: str) -> None:
    for other in KINDS[ident].instead.values():
        assert other in KINDS


def test_between_two_numbers_both_must_hold() -> None:
    (query,) = interpret("Is the liver between 1000 and 1800 ml?")
    assert isinstance(query, Query)
    tasks, target = expand(0, query, KINDS[query.kind])
    compared = [task.args for task in tasks if task.tool == "compare_number"]
    assert [(one["comparator"], one["number"]) for one in compared] == [("ge", 1000.0), ("le", 1800.0)]
    assert next(task for task in tasks if task.id == target.decisive.task).tool == "all_of"


def test_a_share_is_made_of_each_lesion_and_its_own_organ() -> None:
    (query,) = interpret("Which organ has the larger normalized tumor burden, liver or pancreas?")
    assert isinstance(query, Query)
    tasks, _ = expand(0, query, KINDS[query.kind])
    by_id = {task.id: task for task in tasks}
    ratios = [task for task in tasks if task.tool == "ratio"]
    pairs = [
        tuple(by_id[task.refs[name].task].args["structure"] for name in ("numerator", "denominator")) for task in ratios
    ]
    assert pairs == [("liver_lesion", "liver"), ("pancreas_lesion", "pancreas")]
