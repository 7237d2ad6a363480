"""Tools that run elsewhere: the graph waits for their results and concludes as if they had run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.outside import Turn
from agent.outside_run import OutsideRun, Waiting
from agent.query import Query
from agent.report_model import Report
from agent.settings import Settings
from agent.state import Request, RunState
from agent.trace import verify
from tests.agent.loop_make import Asks, make_case, run
from tools.base import Case
from tools.registry import load_tools
from tools.types import Evidence


class Remote:
    """Another machine with the scan: it gets a tool's name and arguments as JSON, and returns evidence as JSON."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.asked: list[list[JsonValue]] = []

    def open_tasks(self, state: RunState) -> list[str]:
        return [
            ident for ident, task in state.tasks.items()
            if ident not in state.done and not load_tools()[task.tool].derives
        ]  # fmt: skip

    def calls(self, state: RunState, turns: Sequence[Turn]) -> list[JsonValue]:
        if turns:
            return []
        tasks = [state.tasks[ident] for ident in self.open_tasks(state)]
        return [{"name": task.tool, "arguments": dict(task.args)} for task in tasks]

    def answer(self, calls: Sequence[JsonValue]) -> list[JsonValue]:
        self.asked.append(list(calls))
        answers: list[JsonValue] = []
        for call in calls:
            assert isinstance(call, dict) and isinstance(call["arguments"], dict)
            made = load_tools()[str(call["name"])].call(self.case, call["arguments"])
            answers.append([one.model_dump(mode="json") for one in made])
        return answers

    def evidence(self, state: RunState, turns: Sequence[Turn]) -> dict[str, list[Evidence]]:
        found = {}
        for ident, rows in zip(self.open_tasks(state), [one for _, given in turns for one in given], strict=True):
            assert isinstance(rows, list)
            found[ident] = [Evidence.model_validate(row) for row in rows]
        return found


QUERIES = (
    Query(kind="enlarged", structures=("liver",), text="Is the liver enlarged?"),
    Query(kind="hu_ratio", structures=("liver", "spleen"), text="And the ratio?"),
)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.kind)
def test_the_graph_waits_for_results_and_concludes_as_if_it_had_made_them(tmp_path: Path, query: Query) -> None:
    case = make_case()
    here = run(case, [query], tmp_path / "here").report
    remote = Remote(case)
    engine = Engine(Settings(home=tmp_path), Asks([query]))
    # What is at hand here has no labels: nothing could be measured without the answers.
    going = OutsideRun(engine, replace(case, labels=None), Request(question=query.text), remote, tmp_path / "run")
    step = going.advance()
    turns = 0
    while isinstance(step, Waiting):
        turns += 1
        step = going.advance(remote.answer(step.calls))
    assert isinstance(step, Report) and here.answer is not None and step.answer is not None
    assert (step.status, step.answer.text) == (here.status, here.answer.text)
    assert step.answer.value is not None
    assert turns == 1 and len(remote.asked[0]) >= 4
    assert verify(going.folder.trace).ok


class Hesitant(Remote):
    """Asks one call per turn, so that the node runs again from its start several times."""

    def calls(self, state: RunState, turns: Sequence[Turn]) -> list[JsonValue]:
        return super().calls(state, [])[len(turns) : len(turns) + 1]


@pytest.mark.slow
def test_several_turns_are_put_together_whatever_runs_again(tmp_path: Path) -> None:
    case = make_case()
    query = Query(kind="enlarged", structures=("liver",), text="Is the liver enlarged?")
    remote = Hesitant(case)
    engine = Engine(Settings(home=tmp_path), Asks([query]))
    going = OutsideRun(engine, replace(case, labels=None), Request(question=query.text), remote, tmp_path / "run")
    step = going.advance()
    while isinstance(step, Waiting):
        step = going.advance(remote.answer(step.calls))
    assert isinstance(step, Report) and step.status == "consistent"
    assert len(remote.asked) >= 4 and all(len(calls) == 1 for calls in remote.asked)
    names = [str(calls[0]) for calls in remote.asked]
    assert len(set(names)) == len(names)


def test_nothing_is_asked_where_everything_is_known(tmp_path: Path) -> None:
    case = make_case()

    class Silent(Remote):
        def calls(self, state: RunState, turns: Sequence[Turn]) -> list[JsonValue]:
            return []

        def evidence(self, state: RunState, turns: Sequence[Turn]) -> dict[str, list[Evidence]]:
            return {}

    engine = Engine(Settings(home=tmp_path), EmbeddedReasoner())
    request = Request(question="What is the volume of the liver?")
    made = OutsideRun(engine, case, request, Silent(case), tmp_path / "run").advance()
    assert isinstance(made, Report) and made.answer is not None
    assert made.answer.value == pytest.approx(14 * 16 * 14 * 7 * 7 * 5 / 1000)
