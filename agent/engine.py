"""One case, from files to a report: the same engine for a question, a report, a chat and a cohort."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import JsonValue

from agent.errors import InputError, IntegrityError, LabelsError, ScanError, UsageError
from agent.graph import build_graph
from agent.local_only import nothing_sent
from agent.models.protocol import ReasoningModel
from agent.query import Query
from agent.report_model import Report
from agent.runs import RunFolder, Runs
from agent.services import Profile, Progress, Services, silent
from agent.settings import Settings
from agent.state import Request, RunState
from agent.trace import TraceWriter, read_events, verify
from agent.trace_schema import RESUMABLE, Event, Kind
from agent.warm import warm_up
from tools.base import Case, CaseSettings
from tools.readers import read_scan
from tools.segment.labels import load_labels
from tools.store import Store
from tools.types import content_hash

_STATE_MODULES = {
    "agent.state": (
        "Request", "Task", "Ref", "Target", "Claim", "PathologyClaim", "Conclusion", "Objection", "RunState",
    ),
    "agent.query": ("Query", "NotUnderstood"),
    "agent.report_model": ("Binding", "Verdict"),
    "tools.types": ("Evidence", "State"),
}  # fmt: skip
# Only these types are ever made from a checkpoint.
_STATE_TYPES = [(module, name) for module, names in _STATE_MODULES.items() for name in names]


@dataclass(frozen=True)
class CaseFiles:
    """What a case is made of on disk, and what the user declares about it.

    Attributes:
        scan: NIfTI file, DICOM folder, or zip.
        labels: label map, folder of masks, or DICOM SEG.
        class_map: name of a class map, or path of one.
        series: SeriesInstanceUID, where a DICOM input holds several.
        settings: declared phase, patient facts, preferred sources.
    """

    scan: Path
    labels: Path | None = None
    class_map: str | None = None
    series: str | None = None
    settings: CaseSettings = field(default_factory=CaseSettings)


def open_case(files: CaseFiles, profile: Profile | None = None, progress: Progress = silent) -> Case:
    """Read and check a scan and its labels.

    Raises:
        InputError: where they can't be used.
    """
    profile = profile or Profile()
    for path, refusal in ((files.scan, ScanError), (files.labels, LabelsError), (files.class_map, UsageError)):
        if path is not None:
            _usable(Path(path), refusal)
    progress("reading the scan", 0, 0)
    # Decompression leaves the interpreter free for half of the time: enough to read our own tables beside it.
    with profile.part("load scan"), ThreadPoolExecutor(max_workers=1) as beside:
        tables = beside.submit(warm_up)
        scan = read_scan(files.scan, series=files.series)
        tables.result()
    labels = None
    if files.labels is not None:
        progress("reading the labels", 0, 0)
        with profile.part("load labels"):
            labels = load_labels(files.labels, scan, class_map=files.class_map)
    elif files.class_map is not None:
        raise UsageError("--class-map names the classes of a label map, but no --labels was given.")
    progress("hashing the voxels", 0, 0)
    with profile.part("load: hash and index"):
        # Made once here, so that no later step is charged for them.
        _ = scan.digest
        if labels is not None:
            _ = labels.digest, labels.boxes
    return Case(scan=scan, labels=labels, settings=files.settings)


def _usable(path: Path, refusal: type[InputError]) -> None:
    """Refuse a path that the system cannot even look up; whether something is there is for its reader to say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise refusal(f"The path {str(path)[:60]!r} cannot be used ({why}): check it.") from error


@dataclass
class Engine:
    """Runs the loop over opened cases.

    Attributes:
        settings: settings of the program.
        model: the reasoning model.
        progress: told of every finished tool call.
        profile: where the time goes.
        started: told of the run's folder before the work begins, so that an interrupted run can be found again.
    """

    settings: Settings
    model: ReasoningModel
    progress: Progress = silent
    profile: Profile = field(default_factory=Profile)
    started: Callable[[RunFolder], None] = lambda folder: None

    def ask(
        self,
        case: Case,
        question: str | None,
        *,
        options: tuple[str, ...] = (),
        previous: tuple[Query, ...] = (),
        out: Path | None = None,
        resume: str | None = None,
    ) -> tuple[Report, RunState]:
        """Answer a question about a case, or report on everything when there is none.

        Args:
            case: the case.
            question: the words.
            options: choices of a multiple-choice question.
            previous: queries of the conversation so far.
            out: where to put the run.
            resume: id or folder of an interrupted run to go on with.

        Raises:
            UsageError: the run to resume was about something else.
            IntegrityError: the finished run to show again was changed.
        """
        request = Request(question=question, options=options, previous=previous)
        runs = Runs(self.settings.home)
        folder = runs.find(resume, begun=False) if resume is not None else runs.create(out)
        self.started(folder)
        key = self.settings.trace_key.get_secret_value().encode() if self.settings.trace_key else None
        identity = self._identity(case, request)
        with self.profile.part("trace and checkpoints"):
            if resume is not None and folder.report_json.exists() and _ended(folder):
                _check_same(folder, identity)
                _check_untouched(folder, key)
                return self._finished(folder, runs)
            folder.images.mkdir(parents=True, exist_ok=True)
            begun = resume is not None and folder.trace.exists()
            trace = TraceWriter.open(folder.trace, folder.id, resume=begun, key=key)
        with trace:
            if trace.events == 0:
                trace.append(Kind.RUN_START, self._start(folder, case, request, identity))
            else:
                _check_same(folder, identity)
                trace.append(Kind.RUN_RESUME, {"version": version("tumortrace")})
            services = Services(
                case, self.model, Store(self.settings.cache), trace, self.settings, self.progress, self.profile
            )
            try:
                state = self._run(folder, request, services)
            except Exception as error:
                # An unexpected error surfaces; the record says that it ended the run, which can be resumed.
                with suppress(OSError, ValueError):  # a full disk, or a record that has its end already
                    trace.finish("failed", {}, f"unexpected {type(error).__name__}")
                runs.set_status(folder.id, "failed")
                raise
        made = Report.model_validate_json(folder.report_json.read_bytes())
        runs.set_status(folder.id, made.status)
        return made, state

    def _run(self, folder: RunFolder, request: Request, services: Services) -> RunState:
        serde = JsonPlusSerializer(allowed_msgpack_modules=_STATE_TYPES)
        with (
            self.profile.part("graph"),
            closing(sqlite3.connect(folder.checkpoint, check_same_thread=False)) as connection,
            nothing_sent(),
        ):
            graph = build_graph(SqliteSaver(connection, serde=serde))
            config: RunnableConfig = {
                "configurable": {"thread_id": folder.id},
                "recursion_limit": 10 + 6 * self.settings.max_rounds,
            }
            begun = graph.get_state(config)
            start = None if begun.next else RunState(run_id=folder.id, request=request)
            values = graph.invoke(start, config, context=services, durability="sync")
        return RunState.model_validate(values)

    def _finished(self, folder: RunFolder, runs: Runs) -> tuple[Report, RunState]:
        serde = JsonPlusSerializer(allowed_msgpack_modules=_STATE_TYPES)
        with closing(sqlite3.connect(folder.checkpoint, check_same_thread=False)) as connection:
            graph = build_graph(SqliteSaver(connection, serde=serde))
            values = graph.get_state({"configurable": {"thread_id": folder.id}}).values
        made = Report.model_validate_json(folder.report_json.read_bytes())
        runs.set_status(folder.id, made.status)  # the run may have been killed just before this
        return made, RunState.model_validate(values)

    def _identity(self, case: Case, request: Request) -> str:
        return content_hash(
            [
                case.scan.digest,
                case.labels.digest if case.labels else None,
                case.settings.digest,
                request.model_dump(mode="json"),
                self.model.name,
            ]
        )

    def _start(self, folder: RunFolder, case: Case, request: Request, identity: str) -> dict[str, JsonValue]:
        inputs: dict[str, JsonValue] = {"scan": case.scan.digest}
        if case.labels is not None:
            inputs["labels"] = case.labels.digest
        return {
            "run_id": folder.id,
            "question": request.question,
            "options": list(request.options),
            "version": version("tumortrace"),
            "inputs": inputs,
            "identity": identity,
            "settings": {
                "model": self.model.name,
                "max_rounds": self.settings.max_rounds,
                "max_tool_calls": self.settings.max_tool_calls,
                "phase": case.settings.phase,
                "prefer": list(case.settings.prefer),
                "patient": dict(case.settings.patient),
            },
        }


def _ended(folder: RunFolder) -> bool:
    last = None
    for event in read_events(folder.trace):
        last = event
    return isinstance(last, Event) and last.kind == Kind.RUN_END and last.data.get("status") not in RESUMABLE


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
