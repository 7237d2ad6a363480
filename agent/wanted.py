"""What engines have to look for: the structures that the plan's tool calls name or look at besides, and their hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.chain import expand
from agent.query import Query, load_kinds
from agent.services import Services
from agent.state import RunState, Task
from tools.base import Case
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.segment.catalogue import unfit, with_hosts
from tools.segment.engine import Offer
from tools.segment.workshop import Workshop


def wanted(state: RunState, services: Services, workshop: Workshop) -> tuple[str, ...]:
    """Structures that have to be looked for, those that the question names first."""
    case = services.case
    if state.request.question is None:
        return all_seen(case, workshop.offers()) if case.labels is None or services.look_everywhere else ()
    found: dict[str, None] = {}
    every = False
    for index, query in enumerate(state.queries):
        if isinstance(query, Query):
            kind = load_kinds()[query.kind]
            every = every or any(step.everything for step in kind.chain)
            tasks, _ = expand(index, query, kind)
            found |= dict.fromkeys([*query.structures, *(one for task in tasks for one in named(task))])
    if every and case.labels is None:
        found |= dict.fromkeys(all_seen(case, workshop.offers()))
    return with_hosts(found, load_ontology())


def opened(state: RunState, case: Case) -> tuple[str, ...]:
    """What hops opened and nothing looked for yet."""
    tried = case.labels.unseen if case.labels is not None else {}
    names = [one for ident in state.opened for one in named(state.tasks[ident])]
    return with_hosts([one for one in dict.fromkeys(names) if one not in tried], load_ontology())


def all_seen(case: Case, offers: Sequence[Offer]) -> tuple[str, ...]:
    """Everything that some engine can see here, or could if it were installed."""
    able = [one for one in offers if one.missing is None and unfit(one, case.scan, case.told_phase) is None]
    return tuple(dict.fromkeys(name for offer in able for name in offer.classes))


def named(task: Task) -> Iterable[str]:
    """Structures that a task's arguments name, and those that its tool looks at besides."""
    ontology = load_ontology()
    also = load_tools()[task.tool].also
    yield from also.get("", ())
    for value in task.args.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and (found := ontology.get(one)).kind not in {"user", "finding"}:
                yield one
                yield from also.get(ontology.get(found.organ or one).base, ())
