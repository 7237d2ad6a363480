"""Planner: questions to typed queries, queries to evidence chains, chains to tasks; then the critic's repairs."""

from __future__ import annotations

import time
from typing import Any

from langgraph.runtime import Runtime
from pydantic import JsonValue

from agent.chain import expand, rule_task
from agent.query import NotUnderstood, Query, load_kinds
from agent.services import Services
from agent.state import Ref, RunState, Target, Task
from agent.trace_schema import Kind
from tools.ontology import load_ontology
from tools.rules.model import load_rules, rules_for
from tools.volume import LabelSet

Queries = list[Query | NotUnderstood]


def plan(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Plan the first round from the question, later ones from the critic's repairs and the model's wishes."""
    services = runtime.context
    number = state.round + 1
    services.trace.append(Kind.ROUND, {"round": number})
    queries, targets = state.queries, state.targets
    tasks: dict[str, Task] = {}
    if number == 1:
        queries, targets, tasks = _first_round(state, services)
    for task in (*state.repairs, *services.model.plan(state.model_copy(update={"round": number, "queries": queries}))):
        tasks.setdefault(task.id, task)
    new = {ident: task for ident, task in tasks.items() if ident not in state.tasks}
    services.trace.append(Kind.PLAN, {"round": number, "tasks": [_told(task) for task in new.values()]})
    return {"round": number, "queries": queries, "targets": targets, "tasks": new, "repairs": []}


def _first_round(state: RunState, services: Services) -> tuple[Queries, list[Target], dict[str, Task]]:
    tasks: dict[str, Task] = {}
    targets: list[Target] = []
    if state.request.question is None:
        return [], [], _everything(services.case.labels)
    begin = time.perf_counter()
    queries = services.model.interpret(state.request, labelled(services.case.labels))
    services.trace.append(
        Kind.MODEL_CALL,
        {
            "model": services.model.name,
            "purpose": "interpret",
            "seconds": round(time.perf_counter() - begin, 6),
            "round": 1,
            "result": [query.model_dump(mode="json") for query in queries],
        },
    )
    for index, query in enumerate(queries):
        if isinstance(query, Query):
            chain, target = expand(index, query, load_kinds()[query.kind])
            targets.append(target)
            tasks |= {task.id: task for task in chain if task.id not in tasks}
    return queries, targets, tasks


def labelled(labels: LabelSet | None) -> list[str]:
    """Identifiers of the structures that have voxels."""
    if labels is None:
        return []
    return sorted(name for name, keys in labels.entries.items() if any(key in labels.boxes for key in keys))


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
    for topic, base in sorted({(rule.topic, rule.structure) for rule in load_rules().values()}):
        whole = ontology.get(base)
        for structure in whole.parts or (base,):
            if structure not in there:
                continue
            refs = tuple(
                Ref(task=rule_task(tasks, rule, structure).id, quantity="verdict") for rule in rules_for(topic, base)
            )
            task = Task.make("weigh_rules", ref_lists={"verdicts": refs}, reason=f"all rules on “{topic}”")
            tasks.setdefault(task.id, task)
    return tasks


def _told(task: Task) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = task.model_dump(mode="json", exclude_defaults=True)
    return row
