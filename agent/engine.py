"""One case, from a question to a report: the same engine for a question, a report, a chat and a cohort."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from langgraph.types import Command

from agent.checkpoints import checkpoints, nodes_left, run_config
from agent.errors import Cancelled, ModelUnavailable, UsageError
from agent.graph import build_graph
from agent.identity import check_same, identity, model_of, run_start
from agent.local_only import nothing_sent
from agent.looking import looked
from agent.models.protocol import Heard, ReasoningModel
from agent.models.usage import Usage
from agent.query import Query
from agent.report_model import Report
from agent.review_model import Decision
from agent.review_run import begin_review, open_record
from agent.runs import RunFolder, Runs
from agent.services import CANCELLED, Profile, Progress, Services, silent
from agent.settings import Settings
from agent.state import Request, RunState
from agent.trace import TraceWriter, Watch
from agent.trace_read import check_untouched, ended, worked
from agent.trace_schema import Kind, RunStatus
from tools.array_store import ArrayStore
from tools.base import Case
from tools.library import Library
from tools.segment.workshop import Workshop
from tools.store import Store

_AWAY = "the model's server did not answer"


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
        watch: told of every event of the trace right after it is written, in order, from any thread; what it raises
            ends the run. None where nobody watches.
        stop: set by whoever wants the run to stop: it then ends as cancelled, before the next node or tool call, or
            while an engine or the model's words come in. None where nobody can.
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
    watch: Watch | None = None
    stop: threading.Event | None = None

    def ask(
        self,
        case: Case,
        question: str | None,
        *,
        options: tuple[str, ...] = (),
        previous: tuple[Query, ...] = (),
        spoken: bool = False,
        attended: bool = False,
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
            attended: a person looks at the report: where sources or readings disagree, it needs their review.
            out: where to put the run.
            resume: id or folder of an interrupted run to go on with, one whose review was interrupted included.

        Raises:
            Cancelled: the run was asked to stop; it can be resumed.
            UsageError: the run to resume was about something else.
            IntegrityError: the finished run to show again was changed.
        """
        request = Request(question=question, options=options, previous=previous, spoken=spoken, attended=attended)
        runs = Runs(self.settings.home)
        folder = runs.find(resume, begun=False) if resume is not None else runs.create(out)
        self.started(folder)
        about = identity(case, request, self.model.name)
        with self.profile.part("trace and checkpoints"):
            if resume is not None and folder.report_json.exists() and ended(folder):
                check_same(folder, about)
                check_untouched(folder, self._key)
                return self._finished(folder, runs)
            folder.images.mkdir(parents=True, exist_ok=True)
            begun = resume is not None and folder.trace.exists()
            trace = TraceWriter.open(folder.trace, folder.id, resume=begun, key=self._key, watch=self.watch)
        with trace:
            if trace.events == 0:
                trace.append(Kind.RUN_START, run_start(folder, case, request, self.settings, self.model))
            else:
                check_same(folder, about)
                trace.append(Kind.RUN_RESUME, {"version": version("tumortrace")})
            return self._work(folder, case, request, trace)

    def review(self, case: Case, run: str | Path, decision: Decision) -> tuple[Report, RunState]:
        """Take in a person's word on the report of a finished run; after a correction the run concludes anew.

        Args:
            case: the case of the run, as it was opened for it.
            run: id or folder of the run.
            decision: what the person says.

        Returns:
            The report with the review, and the state behind it.

        Raises:
            Cancelled: the run was asked to stop; `ask` or the same decision again goes on with it.
            UsageError: the run has no report, was about another case, is being reviewed by another process or has
                to take in another review first; or there is no such claim or place.
            IntegrityError: the run was changed since it was written.
        """
        folder = Runs(self.settings.home).find(str(run))
        self.started(folder)
        key = self._key
        with TraceWriter.open(folder.trace, folder.id, resume=True, reviewing=True, key=key, watch=self.watch) as trace:
            state = self.state_of(folder)
            model = model_of(folder)
            check_same(folder, identity(case, state.request, model))
            if decision.kind == "correct" and model != self.model.name:
                raise UsageError(
                    f"Run {folder.id} was concluded by the model {model}, which has to conclude anew from corrected "
                    f"masks; give the same one instead of {self.model.name}."
                )
            begin_review(folder, self._as_seen(case, state.labels), decision, trace, key, self._arrays)
            return self._work(folder, case, state.request, trace)

    def case_of(self, case: Case, run: str | Path) -> Case:
        """A run's case with the masks that it ended with: what engines saw and what a person corrected.

        Args:
            case: the case of the run, as it was opened for it.
            run: id or folder of the run.

        Raises:
            UsageError: there is no such run, or its masks are not in the cache any more.
        """
        return self._as_seen(case, self.state_of(Runs(self.settings.home).find(str(run))).labels)

    def _work(self, folder: RunFolder, case: Case, request: Request, trace: TraceWriter) -> tuple[Report, RunState]:
        """Run the graph to its report; the trace says how it ended, whatever happens."""
        runs = Runs(self.settings.home)
        services = Services(
            replace(case, workshop=self._workshop(), library=self.library), self.model, Store(self.settings.cache),
            trace, self.settings, self.progress, self.profile, before=worked(folder),
            look_everywhere=self.look_everywhere, stop=self.stop,
        )  # fmt: skip
        try:
            state = self._run(folder, request, services)
        except Exception as error:
            # An unexpected error surfaces; the record says that it ended the run, which can be resumed.
            status, why = _how(error)
            with suppress(OSError, ValueError):  # a full disk, or a record that has its end already
                trace.finish(status, {}, why)
            runs.set_status(folder.id, status)
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
            record = open_record(folder)
            at = nodes_left(begun)
            start: RunState | Command[str] | None = None if at else RunState(run_id=folder.id, request=request)
            if record is not None and len(begun.values.get("reviews", ())) < record.review.number:
                if "review" not in at:
                    # A run that nobody attended ended with its report, or was killed once it had it: who reviews it
                    # attends it from here on.
                    attended = begun.values["request"].model_copy(update={"attended": True})
                    graph.update_state(config, {"request": attended}, as_node="report")
                if "review" not in at or "review" in begun.next:
                    start = Command(resume=record.model_dump(mode="json"))
            # A resumed run goes on counting what its model takes.
            spent = begun.values.get("usage", Usage())
            services = replace(services, model=self.model.begin(spent, self._heard()))
            services.case = self._as_seen(services.case, begun.values.get("labels"))
            values: dict[str, Any] = graph.invoke(start, config, context=services, durability="sync")
        return RunState.model_validate({name: one for name, one in values.items() if name in RunState.model_fields})

    def state_of(self, folder: RunFolder) -> RunState:
        """The state that a run has reached, from its checkpoint.

        Raises:
            UsageError: there is none.
        """
        gone = f"Run {folder.id} has no state in {folder.checkpoint.name} any more; start it anew."
        if not folder.checkpoint.is_file():
            raise UsageError(gone)
        with closing(sqlite3.connect(folder.checkpoint, check_same_thread=False)) as connection:
            values = build_graph(checkpoints(connection)).get_state(run_config(folder, self.settings)).values
        if not values:
            raise UsageError(gone)
        return RunState.model_validate(values)

    def _finished(self, folder: RunFolder, runs: Runs) -> tuple[Report, RunState]:
        made = Report.model_validate_json(folder.report_json.read_bytes())
        runs.set_status(folder.id, made.status)  # the run may have been killed just before this
        return made, self.state_of(folder)

    @property
    def _key(self) -> bytes | None:
        return self.settings.trace_key.get_secret_value().encode() if self.settings.trace_key else None

    @property
    def _arrays(self) -> ArrayStore:
        return ArrayStore(self.settings.cache)

    def _as_seen(self, case: Case, labels: str | None) -> Case:
        return looked(case, labels, self._arrays) if labels is not None else case

    def _go_on(self) -> None:
        if self.stop is not None and self.stop.is_set():
            raise Cancelled(CANCELLED)

    def _workshop(self) -> Workshop | None:
        return replace(self.workshop, check=self._go_on) if self.workshop and self.stop else self.workshop

    def _heard(self) -> Heard | None:
        told = self.heard
        if told is None or self.stop is None:
            return told

        def heard(written: int) -> None:
            self._go_on()
            told(written)

        return heard


def _how(error: Exception) -> tuple[RunStatus, str]:
    """How the record says that an error ended the run."""
    if isinstance(error, Cancelled):
        return "cancelled", "it was asked to stop"
    return "failed", _AWAY if isinstance(error, ModelUnavailable) else f"unexpected {type(error).__name__}"
