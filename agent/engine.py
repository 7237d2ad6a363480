"""One case, from a question to a report: the same engine for a question, a report, a chat and a cohort."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import JsonValue

from agent.errors import IntegrityError, ModelUnavailable, UsageError
from agent.graph import build_graph
from agent.local_only import nothing_sent
from agent.looking import looked
from agent.models.protocol import Heard, ReasoningModel
from agent.models.usage import Usage
from agent.query import Query
from agent.report_model import Report
from agent.runs import RunFolder, Runs
from agent.services import Profile, Progress, Services, silent
from agent.settings import Settings
from agent.state import Request, RunState
from agent.trace import TraceWriter, read_events, verify
from agent.trace_schema import RESUMABLE, Event, Kind
from tools.base import Case
from tools.library import Library
from tools.segment.workshop import Workshop
from tools.store import Store
from tools.types import content_hash

_STATE_MODULES = {
    "agent.state": (
        "Request", "Task", "Ref", "Taken", "Target", "Claim", "PathologyClaim", "Conclusion", "Objection", "RunState",
    ),
    "agent.models.usage": ("Usage",),
    "agent.query": ("Query", "NotUnderstood"),
    "agent.report_model": ("Binding", "Verdict"),
    "tools.types": ("Evidence", "State"),
}  # fmt: skip
_AWAY = "the model's server did not answer"
# Only these types are ever made from a checkpoint.
_STATE_TYPES = [(module, name) for module, names in _STATE_MODULES.items() for name in names]


@dataclass
class Engine:
    """Runs the loop over opened cases.

    Attributes:
        settings: settings of the program.
        model: the reasoning model.
        progress: told of every finished tool call.
        profile: where the time goes.
        started: told of the run's folder before the work begins, so that an interrupted run can be found again.
        workshop: segmentation engines that may look for what the labels lack; None where none may.
        look_everywhere: a report on everything has engines look even where labels were given.
        library: earlier cases that lesions may be compared with; None for none.
        heard: told of the characters that the model has written so far; given, its answers are streamed.
    """

    settings: Settings
    model: ReasoningModel
    progress: Progress = silent
    profile: Profile = field(default_factory=Profile)
    started: Callable[[RunFolder], None] = lambda folder: None
    heard: Heard | None = None
    workshop: Workshop | None = None
    look_everywhere: bool = False
    library: Library | None = None

    def ask(
        self,
        case: Case,
        question: str | None,
        *,
        options: tuple[str, ...] = (),
        previous: tuple[Query, ...] = (),
        spoken: bool = False,
        out: Path | None = None,
        resume: str | None = None,
    ) -> tuple[Report, RunState]:
        """Answer a question about a case, or report on everything when there is none.

        Args:
            case: the case.
            question: the words.
            options: choices of a multiple-choice question.
            previous: queries of the conversation so far.
            spoken: the answer is part of a conversation.
            out: where to put the run.
            resume: id or folder of an interrupted run to go on with.

        Raises:
            UsageError: the run to resume was about something else.
            IntegrityError: the finished run to show again was changed.
        """
        case = replace(case, workshop=self.workshop, library=self.library)
        request = Request(question=question, options=options, previous=previous, spoken=spoken)
        runs = Runs(self.settings.home)
        folder = runs.find(resume, begun=False) if resume is not None else runs.create(out)
        self.started(folder)
        key = self.settings.trace_key.get_secret_value().encode() if self.settings.trace_key else None
        about = identity(case, request, self.model)
        with self.profile.part("trace and checkpoints"):
            if resume is not None and folder.report_json.exists() and _ended(folder):
                _check_same(folder, about)
                _check_untouched(folder, key)
                return self._finished(folder, runs)
            folder.images.mkdir(parents=True, exist_ok=True)
            begun = resume is not None and folder.trace.exists()
            trace = TraceWriter.open(folder.trace, folder.id, resume=begun, key=key)
        with trace:
            if trace.events == 0:
                trace.append(Kind.RUN_START, run_start(folder, case, request, self.settings, self.model))
            else:
                _check_same(folder, about)
                trace.append(Kind.RUN_RESUME, {"version": version("tumortrace")})
            services = Services(
                case, self.model, Store(self.settings.cache), trace, self.settings, self.progress, self.profile,
                before=worked(folder), look_everywhere=self.look_everywhere,
            )  # fmt: skip
            try:
                state = self._run(folder, request, services)
            except Exception as error:
                # An unexpected error surfaces; the record says that it ended the run, which can be resumed.
                with suppress(OSError, ValueError):  # a full disk, or a record that has its end already
                    away = isinstance(error, ModelUnavailable)
                    trace.finish("failed", {}, _AWAY if away else f"unexpected {type(error).__name__}")
                runs.set_status(folder.id, "failed")
                raise
        made = Report.model_validate_json(folder.report_json.read_bytes())
        runs.set_status(folder.id, made.status)
        return made, state

    def _run(self, folder: RunFolder, request: Request, services: Services) -> RunState:
        with (
            self.profile.part("graph"),
            closing(sqlite3.connect(folder.checkpoint, check_same_thread=False)) as connection,
            nothing_sent(),
        ):
            graph = build_graph(checkpoints(connection))
            config = run_config(folder, self.settings)
            begun = graph.get_state(config)
            start = None if begun.next else RunState(run_id=folder.id, request=request)
            # A resumed run goes on counting what its model takes.
            spent = begun.values.get("usage", Usage())
            services = replace(services, model=self.model.begin(spent, self.heard))
            seen = begun.values.get("labels")
            if seen is not None:
                services.case = looked(services.case, seen)
            values = graph.invoke(start, config, context=services, durability="sync")
        return RunState.model_validate(values)

    def state_of(self, folder: RunFolder) -> RunState:
        """The state that a run has reached, from its checkpoint."""
        with closing(sqlite3.connect(folder.checkpoint, check_same_thread=False)) as connection:
            values = build_graph(checkpoints(connection)).get_state(run_config(folder, self.settings)).values
        return RunState.model_validate(values)

    def _finished(self, folder: RunFolder, runs: Runs) -> tuple[Report, RunState]:
        made = Report.model_validate_json(folder.report_json.read_bytes())
        runs.set_status(folder.id, made.status)  # the run may have been killed just before this
        return made, self.state_of(folder)


def identity(case: Case, request: Request, model: ReasoningModel) -> str:
    """Hash of all that a run is about: only the same thing goes on with it."""
    return content_hash(
        [_content(case), case.settings.digest, _prior(case), request.model_dump(mode="json"), model.name]
    )


def run_start(
    folder: RunFolder, case: Case, request: Request, settings: Settings, model: ReasoningModel
) -> dict[str, JsonValue]:
    """What the trace says first: what the run is about, and with what it works."""
    inputs: dict[str, JsonValue] = {"scan": case.scan.digest}
    if case.labels is not None:
        inputs["labels"] = case.labels.digest
    if case.prior is not None:
        inputs["prior"] = case.prior.scan.digest
        if case.prior.labels is not None:
            inputs["prior_labels"] = case.prior.labels.digest
    return {
        "run_id": folder.id,
        "question": request.question,
        "options": list(request.options),
        "version": version("tumortrace"),
        "inputs": inputs,
        "identity": identity(case, request, model),
        "settings": {
            "model": model.name,
            "max_rounds": settings.max_rounds,
            "max_tool_calls": settings.max_tool_calls,
            "max_model_tokens": settings.max_model_tokens,
            "max_seconds": settings.max_seconds,
            "min_agreement": settings.min_agreement,
            "phase": case.settings.phase,
            "prefer": list(case.settings.prefer),
            "patient": dict(case.settings.patient),
        },
    }


def _content(case: Case) -> list[str | None]:
    return [case.scan.digest, case.labels.digest if case.labels else None]


def _prior(case: Case) -> list[str | None] | None:
    return _content(case.prior) if case.prior is not None else None


def run_config(folder: RunFolder, settings: Settings) -> RunnableConfig:
    """Configuration of the graph for one run."""
    return {"configurable": {"thread_id": folder.id}, "recursion_limit": 10 + 24 * settings.max_rounds}


def checkpoints(connection: sqlite3.Connection) -> SqliteSaver:
    """The checkpointer of a run: only the types of the state are ever made from what it holds."""
    return SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=_STATE_TYPES))


def _ended(folder: RunFolder) -> bool:
    last = None
    for event in read_events(folder.trace):
        last = event
    return isinstance(last, Event) and last.kind == Kind.RUN_END and last.data.get("status") not in RESUMABLE


def worked(folder: RunFolder) -> float:
    """Seconds that a run took so far by its trace, without those in which it was interrupted."""
    found, last = 0.0, None
    for event in read_events(folder.trace):
        if isinstance(event, Event):
            if last is not None and event.kind not in {Kind.RUN_RESUME, Kind.RECOVERED}:
                found += max(0.0, (event.when() - last).total_seconds())
            last = event.when()
    return found


def _check_untouched(folder: RunFolder, key: bytes | None) -> None:
    """A finished run is shown again only as it was written."""
    found = verify(folder.trace, key)
    if not found.ok:
        raise IntegrityError(
            f"Run {folder.id} is not what was written ({found.problems[0]}); `tumortrace trace verify` names all of it."
        )


def _check_same(folder: RunFolder, identity: str) -> None:
    """A run goes on only with the same scan, labels, question and declarations."""
    first = next(read_events(folder.trace), None)
    if not isinstance(first, Event) or first.data.get("identity") != identity:
        raise UsageError(
            f"Run {folder.id} was about another scan, question or option; give the same command that started it."
        )
