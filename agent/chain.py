"""From a question kind's evidence chain to tasks: placeholders are filled, rules are looked up, units converted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from agent.query import Kind, Query, Step
from agent.rule_chain import single_rule_task, topic_task
from agent.state import Ref, Target, Task
from tools.ontology import is_pair, load_ontology


@dataclass
class _Plan:
    query: Query
    kind: Kind
    everything: Callable[[], dict[str, Task]]
    tasks: dict[str, Task] = field(default_factory=dict)
    steps: dict[str, list[Task]] = field(default_factory=dict)

    def add(self, task: Task) -> Task:
        return self.tasks.setdefault(task.id, task)


def expand(
    index: int, query: Query, kind: Kind, everything: Callable[[], dict[str, Task]] = dict
) -> tuple[list[Task], Target]:
    """Tasks that answer a query, and which of their evidence is the answer.

    Args:
        index: number of the query within the request.
        query: the query.
        kind: its kind.
        everything: makes the tasks of a report on everything, for steps that rest on all of it.

    Raises:
        ValueError: for a kind whose chain refers to a step or placeholder that doesn't exist.
    """
    plan = _Plan(query, kind, everything)
    for step in kind.chain:
        plan.steps[step.step] = [
            task for at, where in enumerate(_over(plan, step)) for task in _tasks(plan, step, where, at)
        ]
    answering = plan.steps[kind.answer.step]
    decisive = _in_unit(plan, _one(plan, answering))
    also = [
        _in_unit(plan, Ref(task=task.id, quantity=kind.answer.quantity))
        for step in kind.chain
        if step.over == "parts" and step.tool is not None and step.step != kind.answer.step
        for task in plan.steps[step.step]
    ]
    for named in kind.answer.also:
        source, _, quantity = named.partition(".")
        also += [Ref(task=task.id, quantity=quantity) for task in plan.steps[source]]
    target = Target(query=index, decisive=decisive, also=tuple(also), chain=tuple(plan.tasks))
    return list(plan.tasks.values()), target


def _one(plan: _Plan, tasks: list[Task]) -> Ref:
    quantity = plan.kind.answer.quantity
    if len(tasks) == 1:
        return Ref(task=tasks[0].id, quantity=quantity)
    items = tuple(Ref(task=task.id, quantity=quantity) for task in tasks)
    # Between two numbers means beyond the one and not beyond the other.
    join = "all" if plan.query.upper is not None else plan.kind.answer.join
    joined = plan.add(Task.make(f"{join}_of", ref_lists={"items": items}, reason="parts of one question"))
    return Ref(task=joined.id, quantity=quantity)


def _in_unit(plan: _Plan, item: Ref) -> Ref:
    """The same evidence in the unit that the question asks for."""
    unit, answer = plan.query.unit, plan.kind.answer
    if not unit or answer.form != "number" or unit == answer.unit:
        return item
    reason = "the question asks for this unit"
    converted = plan.add(Task.make("convert", args={"unit": unit}, refs={"item": item}, reason=reason))
    return Ref(task=converted.id, quantity=answer.quantity)


def _over(plan: _Plan, step: Step) -> Iterator[str | None]:
    """The structures that a step runs for; None for a step that runs once for the query."""
    if step.over is None:
        yield plan.query.structures[0] if plan.query.structures else None
    elif step.over == "structures":
        yield from plan.query.structures
    elif step.over == "regions":
        ontology = load_ontology()
        first = ontology.get(plan.query.structures[0])
        yield from (ontology.get(first.organ) if first.organ else first).regions
    else:
        first_id = plan.query.structures[0]
        if is_pair(first_id):
            yield from load_ontology().get(first_id).parts
        elif step.over == "sides":
            yield first_id


def _tasks(plan: _Plan, step: Step, structure: str | None, at: int) -> Iterator[Task]:
    if step.everything:
        yield from [plan.add(task) for task in plan.everything().values()]
        return
    if step.topic is not None or step.rule is not None:
        asked = _placeholder(plan.query, step.args.get("structure", "$structure"), structure)
        assert asked is None or isinstance(asked, str)
        if step.topic is not None:
            yield topic_task(plan.tasks, step.topic, asked)
        else:
            assert step.rule is not None
            yield single_rule_task(plan.tasks, step.rule, asked)
        return
    assert step.tool is not None
    args: dict[str, JsonValue] = {}
    refs: dict[str, Ref] = {}
    ref_lists: dict[str, tuple[Ref, ...]] = {}
    for name, value in step.args.items():
        if isinstance(value, str) and value.startswith("@"):
            source, _, quantity = value[1:].partition(".")
            tasks = plan.steps[source]
            found = tuple(Ref(task=task.id, quantity=quantity) for task in tasks)
            if step.over is not None and any(s.step == source and s.over == step.over for s in plan.kind.chain):
                refs[name] = found[at]
            elif quantity == "*" or any(s.step == source and (s.over or s.everything) for s in plan.kind.chain):
                ref_lists[name] = found
            else:
                refs[name] = found[0]
        else:
            args[name] = _placeholder(plan.query, value, structure)
    reason = f"{step.step} of “{plan.kind.id}”"
    yield plan.add(Task.make(step.tool, args, refs, ref_lists, reason=reason))
    if step.tool == "compare_number" and plan.query.upper is not None:
        args |= {"comparator": "le", "number": plan.query.upper}
        yield plan.add(Task.make(step.tool, args, refs, ref_lists, reason=reason))


def _placeholder(query: Query, value: JsonValue, structure: str | None) -> JsonValue:
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    ontology = load_ontology()
    table: dict[str, JsonValue] = {
        "$structure": structure,
        "$part": structure,
        "$structures": list(query.structures),
        "$second": query.structures[1] if len(query.structures) > 1 else None,
        "$comparator": query.comparator,
        "$threshold": query.threshold,
        "$upper": query.upper,
        "$vessel": next((s for s in query.structures if ontology.get(s).kind == "vessel"), None),
        "$threshold_unit": query.threshold_unit,
        "$unit": query.unit,
    }
    if value in {"$lesion", "$organ"}:
        named = (structure, *query.structures) if structure else query.structures
        lesion = next((s for s in named if ontology.get(s).kind == "lesion"), None)
        organ = next((s for s in query.structures if ontology.get(s).kind != "lesion"), None)
        if value == "$organ":
            return organ or (ontology.get(lesion).organ if lesion else None)
        return lesion or (ontology.lesion_id("lesion", organ) if organ else None)
    if value not in table:
        raise ValueError(f"unknown placeholder {value} in a question kind")
    return table[value]
