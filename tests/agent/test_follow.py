"""Findings open further checks: each with its trigger, once, within limits, and not where nobody asks what it is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.follow import LIMITS, MOST_STEPS, findings_of, follow
from agent.report_model import Report
from agent.state import RunState
from agent.trace import read_events
from agent.trace_schema import Event, Kind
from retrieval.organ_graph import Condition, Finding, load_organ_graph
from tests.agent.loop_full import full_case
from tests.agent.loop_make import ask, make_case, run
from tools.types import State


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, RunState, Path]:
    folder = tmp_path_factory.mktemp("hops")
    found = run(full_case(prior=False), None, folder)
    return found.report, found.state, Path(found.report.trace)


@pytest.mark.slow
def test_a_pancreatic_tumour_opens_vessels_and_a_hop_opens_the_next(made: tuple[Report, RunState, Path]) -> None:
    _, state, _ = made
    keys = {one.key for one in state.hops}
    assert {"vessel_contact:superior_mesenteric_artery", "vessel_contact:splenic_vein", "measure:spleen"} <= keys
    assert any(one.step == 2 for one in state.hops), "nothing was opened by what the first hops found"


def test_every_hop_names_its_trigger_and_its_edge(made: tuple[Report, RunState, Path]) -> None:
    _, state, _ = made
    edges = {edge.id for edge in load_organ_graph().edges}
    for hop in state.hops:
        trigger = state.evidence[hop.trigger]
        assert trigger.state is State.MEASURED
        assert hop.edge in edges and hop.why
        assert 1 <= hop.depth <= LIMITS.max_depth and 1 <= hop.step <= MOST_STEPS
        assert all(task in state.done for task in hop.tasks), "a hop was planned and never done"


def test_the_trigger_is_the_finding_that_the_edge_asks_for(
    made: tuple[Report, RunState, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = made[1].model_copy(update={"hops": []})
    large, portal = list(state.evidence.values())[:2]
    rows = [
        (large, Finding(structure="liver", condition=Condition.ENLARGED)),
        (portal, Finding(structure="liver", condition=Condition.PORTAL_HYPERTENSION)),
    ]
    module = import_module("agent.follow")
    monkeypatch.setattr(module, "findings_of", lambda _: iter(rows))
    told = {hop.edge: trigger for hop, trigger in module._hops(state)}
    assert told == {"portal-hypertension-next": portal.id}


def test_where_a_lesion_lies_is_followed_though_the_hops_beside_it_brought_nothing(
    made: tuple[Report, RunState, Path],
) -> None:
    state = made[1]
    placed = next(one for one in state.evidence.values() if one.quantity == "largest_lesion_region")
    task = next(ident for ident, ids in state.done.items() if placed.id in ids)
    barren = state.hops[0].model_copy(update={"step": 1, "tasks": ()})
    services = SimpleNamespace(outside=None, case=None, trace=SimpleNamespace(append=lambda *_: None))
    runtime: Any = SimpleNamespace(context=services)
    for opened, goes_on in (([task], True), ([], False)):
        changed = {"steps": 1, "hops": [barren], "opened": opened}
        found = follow(state.model_copy(update=changed), runtime)
        assert (len(found["hops"]) > 1) is goes_on


def test_no_check_is_done_twice(made: tuple[Report, RunState, Path]) -> None:
    _, state, _ = made
    keys = [one.key for one in state.hops]
    assert len(keys) == len(set(keys))
    tasks = [task for one in state.hops for task in one.tasks]
    assert len(tasks) == len(set(tasks))


def test_the_trace_tells_hops_and_what_they_brought(made: tuple[Report, RunState, Path]) -> None:
    _, state, trace = made
    events = [one for one in read_events(trace) if isinstance(one, Event) and one.kind == Kind.HOPS]
    told = [hop["key"] for event in events for hop in event.data["opened"]]  # type: ignore[union-attr, index, call-overload]
    assert told == [one.key for one in state.hops]
    brought: dict[str, int] = {}
    for event in events:
        brought |= event.data["brought"]  # type: ignore[arg-type]
    assert set(brought) == set(told), "some hops are never said to have brought anything or nothing"
    assert brought["distance:spleen"] > 0
    assert brought["vessel_contact:splenic_vein"] == 0, "no label shows the vein: that is nothing new"
    assert [event.data["ended"] is None for event in events] == [True] * (len(events) - 1) + [False]
    assert events[-1].data["opened"] == []


@pytest.mark.parametrize(
    ("steps", "brings", "ended"),
    [(1, True, None), (1, False, "the last hops brought nothing new"), (MOST_STEPS, True, "the most steps were done")],
)
def test_the_trace_tells_why_hops_end(
    made: tuple[Report, RunState, Path], steps: int, brings: bool, ended: str | None
) -> None:
    state, events = made[1], []
    placed = next(one for one in state.evidence.values() if one.quantity == "largest_lesion_region")
    task = next(ident for ident, ids in state.done.items() if placed.id in ids)
    taken = state.hops[0].model_copy(update={"step": steps})
    services = SimpleNamespace(outside=None, case=None, trace=SimpleNamespace(append=lambda *told: events.append(told)))
    runtime: Any = SimpleNamespace(context=services)
    changed = {"steps": steps, "hops": [taken], "opened": [task] if brings else []}
    follow(state.model_copy(update=changed), runtime)
    ((_, data),) = events
    assert data["ended"] == ended
    assert (data["left"] > 0) is (ended is not None) and bool(data["opened"]) is (ended is None)


def test_a_cyst_opens_what_cysts_open(made: tuple[Report, RunState, Path]) -> None:
    _, state, _ = made
    for one, finding in findings_of(state.evidence):
        if one.target.startswith("kidney_lesion") and one.details.get("types") == ["cyst"]:
            assert finding.structure == "kidney_cyst"
        if finding.condition is Condition.MULTIPLE:
            assert isinstance(one.value, int) and one.value > 1


def test_a_question_about_a_size_opens_nothing(tmp_path: Path) -> None:
    found = run(make_case(), [ask("volume", "spleen")], tmp_path)
    assert found.state.hops == [] and found.state.steps == 0


def test_a_question_about_a_stage_opens_what_the_tumour_concerns(tmp_path: Path) -> None:
    found = run(full_case(prior=False), [ask("stage", "pancreas_pdac")], tmp_path)
    assert any(one.check == "vessel_contact" for one in found.state.hops)
    assert all("pancreas" in one.source or one.depth > 1 or "liver" in one.source for one in found.state.hops)
