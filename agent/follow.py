"""Following: what was found in one organ opens another one, or the lesion's own crop, until nothing new comes of it.

After the planned tasks are done, the organ knowledge graph says which checks the findings open. They run like any
other task, and what they find may open more. Each hop is recorded with its trigger; no check is done twice; hops end
where none is left, where those of one step brought nothing new, or at their limits. TumorChain's iterative
interleaved reasoning is the idea; here the graph's reviewed edges decide where to look, and the stop is explicit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime
from pydantic import JsonValue

from agent.lesion_types import labelled_types
from agent.query import Query, load_kinds
from agent.services import Services
from agent.specialists import second_opinions
from agent.state import FAILURE, RunState, Taken, Task
from agent.trace_schema import Kind
from retrieval.organ_graph import RULE_CONDITIONS, Check, Condition, Finding, Hop, Limits, edges_for
from tools.ontology import load_ontology
from tools.rules.model import load_rules
from tools.types import Evidence, State

LIMITS = Limits(max_hops=24, max_depth=3)
MOST_STEPS = 4
_RULES = ("apply_rule", "apply_table")
_TOPICS = {one.value for one in RULE_CONDITIONS}


def follow(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Open the checks that the findings so far lead to, and say what the last ones brought."""
    services = runtime.context
    if services.outside is not None or not _leads(state):
        return {"opened": []}
    brought = {one.key: _brought(state, one) for one in state.hops if one.step == state.steps}
    # What a second opinion brought counts as well: where in its organ a lesion lies opens checks of its own.
    done = state.steps > 0 and not any(_new(state, state.opened))
    tasks: dict[str, Task] = {}
    taken: list[Taken] = []
    if state.steps == 0:
        tasks |= {task.id: task for task in second_opinions(state, services.case)}
    ahead = list(_hops(state))
    ended = _ended(ahead, done, state.steps)
    if ended is None:
        for hop, trigger in ahead:
            made = {task.id: task for task in tasks_of(hop) if task.id not in state.tasks}
            tasks |= made
            taken.append(_taken(hop, trigger, tuple(made), state.steps + 1))
    new = [ident for ident in tasks if ident not in state.done]
    if brought or taken:
        opened: list[JsonValue] = [one.model_dump(mode="json") for one in taken]
        left = len(ahead) - len(taken)
        services.trace.append(
            Kind.HOPS,
            {
                "round": state.round, "step": state.steps + 1, "opened": opened, "brought": {**brought},
                "ended": ended, "left": left,
            },
        )  # fmt: skip
    return {"tasks": tasks, "hops": [*state.hops, *taken], "steps": state.steps + 1, "opened": new}


def _ended(ahead: Sequence[object], done: bool, steps: int) -> str | None:
    """Why hops end here; None where they go on."""
    if not ahead:
        return "nothing is left to follow"
    if done:
        return "the last hops brought nothing new"
    return "the most steps were done" if steps >= MOST_STEPS else None


def _leads(state: RunState) -> bool:
    """Whether findings are followed: in a report on everything, and where a question asks what a tumour is."""
    if state.request.question is None:
        return True
    return any(isinstance(one, Query) and load_kinds()[one.kind].follows for one in state.queries)


def _hops(state: RunState) -> Iterator[tuple[Hop, str]]:
    """Checks that are opened and were not done yet, each with the id of the evidence that opened it."""
    depths = {task: one.depth for one in state.hops for task in one.tasks}
    made_by = {ident: depths.get(task, 0) for task, ids in state.done.items() for ident in ids}
    triggers: dict[tuple[str, str | None, Condition, str | None], str] = {}
    findings: list[Finding] = []
    for one, finding in findings_of(state.evidence):
        deep = finding.model_copy(update={"depth": made_by.get(one.id, 0)})
        findings.append(deep)
        triggers.setdefault((finding.structure, finding.side, finding.condition, finding.part), one.id)
    visited = {one.key for one in state.hops}
    for hop in edges_for(findings, visited, limits=LIMITS):
        source = Finding(structure=hop.source, condition=hop.condition)
        yield hop, triggers[source.structure, source.side, hop.condition, hop.part]


def findings_of(evidence: Mapping[str, Evidence]) -> Iterator[tuple[Evidence, Finding]]:
    """What the evidence holds that may open checks: lesions that are there, how many and where; verdicts of rules."""
    regions = {one.target: _region(one) for one in evidence.values() if one.quantity == "largest_lesion_region"}
    for one in evidence.values():
        if one.state is not State.MEASURED:
            continue
        target = load_ontology().get(one.target)
        if one.quantity == "exists" and one.value is True and target.kind in {"lesion", "finding"}:
            for structure in _as_labelled(one):
                yield one, Finding(structure=structure, condition=Condition.PRESENT)
                if regions.get(one.target) is not None:
                    yield one, Finding(structure=structure, condition=Condition.PRESENT, part=regions[one.target])
        elif one.quantity == "lesion_count" and isinstance(one.value, int) and one.value > 1:
            yield one, Finding(structure=one.target, condition=Condition.MULTIPLE)
        elif one.tool in _RULES and one.value is True and not one.details.get("normal"):
            rule = load_rules().get(str(one.details.get("rule")))
            if rule is not None and rule.topic in _TOPICS:
                yield one, Finding(structure=one.target, condition=Condition(rule.topic))


def _as_labelled(one: Evidence) -> Iterable[str]:
    """What a finding is by the labels behind it: a kidney lesion that is labelled a cyst opens what cysts open."""
    target, types = load_ontology().get(one.target), labelled_types(one)
    if target.kind != "lesion" or target.organ is None or not types:
        return [one.target]
    return [load_ontology().lesion_id(kind, target.organ) for kind in types]


def _region(one: Evidence) -> str | None:
    told = one.details.get("structure")
    return told if isinstance(told, str) else None


def _lesions_in(hop: Hop) -> Iterable[Task]:
    lesion = hop.structure
    if load_ontology().get(lesion).kind != "lesion":
        lesion = load_ontology().lesion_id("lesion", hop.structure)
    yield Task.make("presence", {"structure": lesion}, reason=hop.why)
    yield Task.make("lesion_components", {"structure": lesion}, reason=hop.why)


def _one(tool: str, **names: str) -> Callable[[Hop], Iterable[Task]]:
    def make(hop: Hop) -> Iterable[Task]:
        args: dict[str, JsonValue] = {name: getattr(hop, of) for name, of in names.items()}
        yield Task.make(tool, args, reason=hop.why)

    return make


_TASKS: Mapping[Check, Callable[[Hop], Iterable[Task]]] = {
    "presence": _one("presence", structure="structure"),
    "measure": _one("measure_structure", structure="structure"),
    "vessel_contact": _one("vessel_contact", structure="source", vessel="structure"),
    "distance": _one("surface_distance", first="source", second="structure"),
    "lesions": _lesions_in,
}
"""Tool calls of each kind of check."""


def tasks_of(hop: Hop) -> list[Task]:
    """Tool calls of a hop."""
    return list(_TASKS[hop.check](hop))


def _taken(hop: Hop, trigger: str, tasks: tuple[str, ...], step: int) -> Taken:
    return Taken(
        key=hop.key, edge=hop.edge, source=hop.source, trigger=trigger, structure=hop.structure, check=hop.check,
        why=hop.why, depth=hop.depth, step=step, tasks=tasks,
    )  # fmt: skip


def _brought(state: RunState, hop: Taken) -> int:
    """Pieces of evidence that a hop brought, those that say that nothing could be seen left out."""
    return sum(_new(state, hop.tasks))


def _new(state: RunState, tasks: Iterable[str]) -> Iterator[bool]:
    made = (state.evidence[ident] for task in tasks for ident in state.done.get(task, ()))
    return (one.quantity != FAILURE and one.state is not State.NOT_ASSESSED for one in made)
