"""Executor: runs planned tools in parallel, through the content-addressed store, and records every call.

A typed tool error becomes evidence of failure; anything else ends the run. Concurrency is bounded here, not by the
graph, so that a checkpoint is never delayed by a running tool.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import JsonValue

from agent.errors import Cancelled, ToolError
from agent.outside import Turn
from agent.services import Services
from agent.state import BUDGET_SPENT, FAILURE, RunState, Task
from agent.trace_schema import Kind
from tools.base import Tool
from tools.registry import load_tools
from tools.types import Evidence, State


def execute(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Run every planned task that is not done, each as soon as the evidence that it takes is there."""
    services = runtime.context
    working = state.model_copy(update={"done": dict(state.done), "evidence": dict(state.evidence)})
    new_done: dict[str, tuple[str, ...]] = {}
    new_evidence: dict[str, Evidence] = {}
    open_ = {ident: task for ident, task in state.tasks.items() if ident not in state.done}
    elsewhere = _from_outside(state, services)
    running: dict[Future[list[Evidence]], Task] = {}
    pool = ThreadPoolExecutor(max_workers=services.settings.workers)
    try:
        while open_ or running:
            ready = [task for task in open_.values() if task.needs() <= working.done.keys()]
            if not ready and not running:
                raise ValueError(f"tasks wait for tasks that nobody planned: {sorted(open_)}")
            for task in ready:
                del open_[task.id]
                over = len(working.done) + len(running) >= services.settings.max_tool_calls
                given = elsewhere.get(task.id)
                running[pool.submit(run_task, services, working, task, given, over_budget=over)] = task
            finished, _ = wait(running, return_when="FIRST_COMPLETED")
            for future in finished:
                task = running.pop(future)
                made = future.result()
                ids = tuple(one.id for one in made)
                new_done[task.id] = working.done[task.id] = ids
                for one in made:
                    new_evidence[one.id] = working.evidence[one.id] = one
                services.progress(task.tool, len(working.done), len(state.tasks))
    finally:
        # Where a tool broke, nothing that still waits is begun.
        pool.shutdown(cancel_futures=True)
    # In the order of the plan, whichever tool was faster: the same run makes the same report.
    done = {ident: new_done[ident] for ident in state.tasks if ident in new_done}
    evidence = {ident: new_evidence[ident] for made in done.values() for ident in made}
    return {"done": done, "evidence": evidence}


def _from_outside(state: RunState, services: Services) -> dict[str, list[Evidence]]:
    """Evidence of the tasks that run elsewhere; the graph waits until their results are given."""
    if services.outside is None:
        return {}
    turns: list[Turn] = []
    while calls := services.outside.calls(state, turns):
        turns.append((calls, list(interrupt(calls))))
    return services.outside.evidence(state, turns)


def run_task(
    services: Services, state: RunState, task: Task, given: list[Evidence] | None = None, *, over_budget: bool = False
) -> list[Evidence]:
    """Make one tool call, or take its result from the store, and record it; a failure is evidence too.

    Args:
        services: with the case, the store and the trace.
        state: with the evidence that the task cites.
        task: the call.
        given: its result where it was made elsewhere.
        over_budget: whether no call is allowed any more.

    Raises:
        Cancelled: the run was asked to stop, before the call or within it.
    """
    services.go_on()
    tool = load_tools()[task.tool]
    arguments, broken = _arguments(state, task)
    call: dict[str, JsonValue] = {"call": task.id, "tool": tool.name, "round": state.round}
    if broken is not None or over_budget:
        reason = broken or BUDGET_SPENT
        services.trace.append(Kind.TOOL_FAILED, {**call, "error": reason})
        return [_failure(tool, arguments, reason)]
    if given is not None:
        services.trace.append(Kind.TOOL_START, {**call, "arguments": dict(arguments), "target": _target(arguments)})
        services.trace.append(
            Kind.TOOL_END, {**call, "seconds": 0.0, "version": tool.version, "key": "outside", "evidence": _dump(given)}
        )
        return given
    # Only what the task cites is handed over, so that a tool cannot depend on anything that its key leaves out.
    case = replace(services.case, evidence=_cited(state.evidence, arguments))
    key = tool.key(case, arguments)
    known = services.store.get(key)
    if known is not None:
        services.trace.append(Kind.TOOL_REUSED, {**call, "key": key, "evidence": _dump(known)})
        return known
    services.trace.append(Kind.TOOL_START, {**call, "arguments": dict(arguments), "target": _target(arguments)})
    begin = time.perf_counter()
    try:
        with services.profile.tool(tool.name):
            made = tool.call(case, arguments)
    except ToolError as error:
        seconds = round(time.perf_counter() - begin, 6)
        services.trace.append(Kind.TOOL_FAILED, {**call, "error": str(error), "seconds": seconds})
        return [_failure(tool, arguments, str(error))]
    except Cancelled:
        services.trace.append(Kind.TOOL_FAILED, {**call, "error": "the run was cancelled"})
        raise
    except Exception as error:
        # Its message may hold anything; the type is enough for the record, and the traceback surfaces.
        services.trace.append(Kind.TOOL_FAILED, {**call, "error": f"unexpected {type(error).__name__}"})
        raise
    seconds = round(time.perf_counter() - begin, 6)
    # Stored before it is recorded: a kill in between costs a line of the trace's story, not a second computation.
    services.store.put(key, made)
    services.trace.append(
        Kind.TOOL_END, {**call, "seconds": seconds, "version": tool.version, "key": key, "evidence": _dump(made)}
    )
    return made


def _arguments(state: RunState, task: Task) -> tuple[dict[str, JsonValue], str | None]:
    """Arguments with references filled in, and the reason if evidence that they need could not be made."""
    arguments = dict(task.args)
    for name, ref in task.refs.items():
        found = state.lookup(ref)
        if found is None or found.quantity == FAILURE:
            return arguments, (found.reason if found else None) or f"{task.tool} lacks its input {ref.quantity}"
        arguments[name] = found.id
    for name, refs in task.ref_lists.items():
        ids: list[JsonValue] = []
        for found in state.lookup_all(refs):
            if found is None or found.quantity == FAILURE:
                return arguments, (found.reason if found else None) or f"{task.tool} lacks an input of its {name}"
            ids.append(found.id)
        arguments[name] = ids
    return arguments, None


def _cited(evidence: Mapping[str, Evidence], arguments: Mapping[str, JsonValue]) -> dict[str, Evidence]:
    ids: list[JsonValue] = []
    for value in arguments.values():
        ids += value if isinstance(value, list) else [value]
    return {ident: evidence[ident] for ident in ids if isinstance(ident, str) and ident in evidence}


def _failure(tool: Tool, arguments: Mapping[str, JsonValue], reason: str) -> Evidence:
    return Evidence.make(
        tool=tool.name, arguments=dict(arguments), quantity=FAILURE, target=_target(arguments) or "scan",
        state=State.NOT_ASSESSED, reason=reason, method="the tool call failed", version=tool.version,
    )  # fmt: skip


def _target(arguments: Mapping[str, JsonValue]) -> str | None:
    named = arguments.get("structure")
    return named if isinstance(named, str) else None


def _dump(evidence: list[Evidence]) -> list[JsonValue]:
    return [one.model_dump(mode="json") for one in evidence]
