"""Planner: queries to evidence chains, chains to tasks; then the critic's repairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pydantic
from langgraph.runtime import Runtime
from pydantic import JsonValue

from agent.chain import expand
from agent.model_calls import asked
from agent.query import Query, load_kinds
from agent.rule_chain import all_rule_tasks
from agent.seen import labelled
from agent.services import Services
from agent.state import RunState, Target, Task
from agent.trace_schema import Kind
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.volume import LabelSet

_QUANTITY = re.compile(r"[a-z_]{1,64}|#\d{1,3}")
_REASON_LENGTH = 300


def plan(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Plan the first round from the question, later ones from the critic's repairs and the model's wishes."""
    services = runtime.context
    number = state.round + 1
    services.trace.append(Kind.ROUND, {"round": number})
    targets = state.targets
    tasks: dict[str, Task] = {}
    if number == 1:
        targets, tasks = _first_round(state, services)
    for task in state.repairs:
        tasks.setdefault(task.id, task)
    with asked(services, "plan", number, state.usage) as use:
        wished = services.model.plan(state.model_copy(update={"round": number, "targets": targets}))
    tasks = allowed(wished, {**state.tasks, **tasks}, services.settings.max_tool_calls)
    new = {ident: task for ident, task in tasks.items() if ident not in state.tasks}
    services.trace.append(Kind.PLAN, {"round": number, "tasks": [_told(task) for task in new.values()]})
    return {
        "round": number, "targets": targets, "tasks": new, "repairs": [], "usage": use.usage,
    }  # fmt: skip


def allowed(wished: Sequence[Task], known: dict[str, Task], most: int) -> dict[str, Task]:
    """The tasks known, and those of a model's wishes that can be done: a model is not trusted to plan.

    A wish counts if its tool exists, takes its arguments, and rests on tasks that are planned; its id is made anew.

    Args:
        wished: what the model wants, a task before those that rest on it.
        known: tasks that are planned already.
        most: number of tasks from which on no wish is granted.
    """
    tasks = dict(known)
    for wish in wished:
        task = Task.make(wish.tool, wish.args, wish.refs, wish.ref_lists, wish.reason[:_REASON_LENGTH])
        if len(tasks) < most and task.needs() <= tasks.keys() and _callable(task):
            tasks.setdefault(task.id, task)
    return tasks


def _callable(task: Task) -> bool:
    tool = load_tools().get(task.tool)
    refs = [*task.refs.values(), *(ref for refs in task.ref_lists.values() for ref in refs)]
    if tool is None or not all(_QUANTITY.fullmatch(ref.quantity) for ref in refs):
        return False
    stand_ins: dict[str, JsonValue] = dict.fromkeys(task.refs, "id")
    for name, many in task.ref_lists.items():
        stand_ins[name] = ["id"] * len(many)
    try:
        tool.arguments.model_validate({**task.args, **stand_ins})
    except pydantic.ValidationError:
        return False
    return True


def _first_round(state: RunState, services: Services) -> tuple[list[Target], dict[str, Task]]:
    tasks: dict[str, Task] = {}
    targets: list[Target] = []
    if state.request.question is None:
        return [], _everything(services.case.labels)
    for index, query in enumerate(state.queries):
        if isinstance(query, Query):
            chain, target = expand(index, query, load_kinds()[query.kind], lambda: _everything(services.case.labels))
            targets.append(target)
            tasks |= {task.id: task for task in chain if task.id not in tasks}
    return targets, tasks


def _everything(labels: LabelSet | None) -> dict[str, Task]:
    """Tasks of a report without a question: every labelled structure, every rule that applies."""
    ontology = load_ontology()
    there = labelled(labels)
    declared = sorted(labels.entries) if labels is not None else []
    tasks: dict[str, Task] = {}

    def add(tool: str, reason: str, **args: JsonValue) -> Task:
        task = Task.make(tool, dict(args), reason=reason)
        return tasks.setdefault(task.id, task)

    add("structure_list", "report on everything")
    for name in there:
        add("measure_structure", "labelled structure", structure=name)
    for name in declared:
        if ontology.get(name).kind == "lesion":
            add("presence", "labelled lesion class", structure=name)
            add("lesion_components", "labelled lesion class", structure=name)
            if name in there:
                add("lesion_table", "labelled lesion class", structure=name)
    all_rule_tasks(tasks, there)
    return tasks


def _told(task: Task) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = task.model_dump(mode="json", exclude_defaults=True)
    return row
