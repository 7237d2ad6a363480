"""A run whose tools are answered from outside: it waits at an interrupt for their results and goes on with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, JsonValue

from agent.checkpoints import checkpoints, run_config
from agent.engine import Engine
from agent.graph import build_graph
from agent.identity import run_start
from agent.local_only import nothing_sent
from agent.models.usage import Usage
from agent.outside import Outside
from agent.report_model import Report
from agent.runs import RunFolder
from agent.services import Services
from agent.state import Request, RunState
from agent.trace import TraceWriter
from agent.trace_schema import Kind
from tools.base import Case
from tools.store import Store


class Waiting(BaseModel):
    """The run waits for the results of these calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: tuple[JsonValue, ...]


class OutsideRun:
    """One run whose tools are answered by the caller, step by step.

    Args:
        engine: with which settings and model to run.
        case: a case; of its arrays nothing is read for tasks that are answered from outside.
        request: what is asked.
        outside: turns tasks into calls and answers into evidence.
        folder: where trace, checkpoint and report go; made if it is missing.
    """

    def __init__(self, engine: Engine, case: Case, request: Request, outside: Outside, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = RunFolder(id=folder.name, folder=folder.absolute())
        self._engine = engine
        self._request = request
        self._trace = TraceWriter.open(self.folder.trace, self.folder.id, resume=False, key=None)
        self._trace.append(Kind.RUN_START, run_start(self.folder, case, request, engine.settings, engine.model))
        store = Store(self.folder.folder / "cache")
        model = engine.model.begin(Usage())
        self._services = Services(
            case, model, store, self._trace, engine.settings, engine.progress, engine.profile, outside=outside
        )

    def advance(self, answers: Sequence[JsonValue] | None = None) -> Waiting | Report:
        """Go on until results are needed from outside, or to the report.

        Args:
            answers: one per call that the run waited for, in order; None to begin.
        """
        start: RunState | Command[str] = (
            Command(resume=list(answers))
            if answers is not None
            else RunState(run_id=self.folder.id, request=self._request)
        )
        with (
            closing(sqlite3.connect(self.folder.checkpoint, check_same_thread=False)) as connection,
            nothing_sent(),
        ):
            graph = build_graph(checkpoints(connection))
            config = run_config(self.folder, self._engine.settings)
            values = graph.invoke(start, config, context=self._services, durability="sync")
        paused = values.get("__interrupt__")
        if paused:
            return Waiting(calls=tuple(paused[0].value))
        self.close()
        return Report.model_validate_json(self.folder.report_json.read_bytes())

    def close(self) -> None:
        """Close the trace; a run that has not ended stays without an end."""
        self._trace.close()
