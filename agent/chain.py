"""From a question kind's evidence chain to tasks: placeholders are filled, rules are looked up, units converted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from agent.query import Kind, Query, Step
from agent.state import Ref, Target, Task
from tools.ontology import is_pair, load_ontology
from tools.rules.model import Criterion, Rule, Source, rules_for


@dataclass
class _Plan:
    query: Query
    kind: Kind
    tasks: dict[str, Task] = field(default_factory=dict)
    steps: dict[str, list[Task]] = field(default_factory=dict)

    def add(self, task: Task) -> Task:
        return self.tasks.setdefault(task.id, task)


def expand(index: int, query: Query, kind: Kind) -> tuple[list[Task], Target]:
    """Tasks that answer a query, and which of their evidence is the answer.

    Args:
        index: number of the query within the request.
        query: the query.
        kind: its kind.

    Raises:
        ValueError: for a kind whose chain refers to a step or placeholder that doesn't exist.
    """
    plan = _Plan(query, kind)
    for step in kind.chain:
        plan.steps[step.step] = [task for where in _over(plan, step) for task in _tasks(plan, step, where)]
    answering = plan.steps[kind.answer.step]
    decisive = _in_unit(plan, _one(plan, answering))
    also = [
        _in_unit(plan, Ref(task=task.id, quantity=kind.answer.quantity))
        for step in kind.chain
        if step.over == "parts" and step.tool is not None and step.step != kind.answer.step
        for task in plan.steps[step.step]
    ]
    target = Target(query=index, decisive=decisive, also=tuple(also), chain=tuple(plan.tasks))
    return list(plan.tasks.values()), target


def _one(plan: _Plan, tasks: list[Task]) -> Ref:
    quantity = plan.kind.answer.quantity
    if len(tasks) == 1:
        return Ref(task=tasks[0].id, quantity=quantity)
    items = tuple(Ref(task=task.id, quantity=quantity) for task in tasks)
    joined = plan.add(Task.make(f"{plan.kind.answer.join}_of", ref_lists={"items": items}, reason="sides of a pair"))
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
    else:
        first = plan.query.structures[0]
        alone = step.over == "sides" and not is_pair(first)
        yield from (first,) if alone else load_ontology().get(first).parts


def _tasks(plan: _Plan, step: Step, structure: str | None) -> Iterator[Task]:
    if step.topic is not None:
        assert structure is not None
        yield _apply_rules(plan, step.topic, structure)
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
            if any(other.step == source and other.over for other in plan.kind.chain):
                ref_lists[name] = found
            else:
                refs[name] = found[0]
        else:
            args[name] = _placeholder(plan.query, value, structure)
    yield plan.add(Task.make(step.tool, args, refs, ref_lists, reason=f"{step.step} of “{plan.kind.id}”"))


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
        "$threshold_unit": query.threshold_unit,
        "$unit": query.unit,
    }
    if value in {"$lesion", "$organ"}:
        lesion = next((s for s in query.structures if ontology.get(s).kind == "lesion"), None)
        organ = next((s for s in query.structures if ontology.get(s).kind != "lesion"), None)
        if value == "$organ":
            return organ or (ontology.get(lesion).organ if lesion else None)
        return lesion or (ontology.lesion_id("lesion", organ) if organ else None)
    if value not in table:
        raise ValueError(f"unknown placeholder {value} in a question kind")
    return table[value]


def _apply_rules(plan: _Plan, topic: str, structure: str) -> Task:
    rules = rules_for(topic, load_ontology().get(structure).base)
    if not rules:
        return plan.add(Task.make("no_rule", {"topic": topic, "structure": structure}, reason="no rule is encoded"))
    verdicts = tuple(Ref(task=rule_task(plan.tasks, rule, structure).id, quantity="verdict") for rule in rules)
    return plan.add(Task.make("weigh_rules", ref_lists={"verdicts": verdicts}, reason=f"all rules on “{topic}”"))


def rule_task(tasks: dict[str, Task], rule: Rule, structure: str) -> Task:
    """The task that applies a rule to a structure; it and all that it needs are added to `tasks`."""
    inputs = tuple(_criterion(tasks, criterion, structure, rule) for criterion in rule.criteria)
    limits = Task.make("rule_thresholds", {"rule": rule.id}, reason=f"rule {rule.id}")
    tasks.setdefault(limits.id, limits)
    edges = sum(len(criterion.edges) for criterion in rule.criteria)
    refs = {}
    if rule.phases:
        phase = Task.make("contrast_phase", reason=f"rule {rule.id} holds for {', '.join(rule.phases)} only")
        tasks.setdefault(phase.id, phase)
        refs["phase"] = Ref(task=phase.id, quantity="phase")
    task = Task.make(
        "apply_rule",
        {"rule": rule.id, "structure": structure},
        refs,
        {"inputs": inputs, "thresholds": tuple(Ref(task=limits.id, quantity=f"#{n}") for n in range(edges))},
        reason=f"rule {rule.id}",
    )
    return tasks.setdefault(task.id, task)


def _criterion(tasks: dict[str, Task], criterion: Criterion, structure: str, rule: Rule) -> Ref:
    def measured(source: Source) -> Ref:
        of = structure if source.structure == "$structure" else source.structure
        task = Task.make(source.tool, {"structure": of}, reason=f"input of rule {rule.id}")
        tasks.setdefault(task.id, task)
        return Ref(task=task.id, quantity=source.quantity)

    first = measured(criterion.measure)
    if criterion.over is None:
        return first
    divided = Task.make(
        "ratio", refs={"numerator": first, "denominator": measured(criterion.over)}, reason=f"input of rule {rule.id}"
    )
    tasks.setdefault(divided.id, divided)
    return Ref(task=divided.id, quantity=f"{criterion.measure.quantity}_ratio")
