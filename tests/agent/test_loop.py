"""The loop: cache, concurrency, budget, failures, what is kept in checkpoints, and what never leaves the machine."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import langsmith.utils
import numpy as np
import pytest
from langchain_core.tracers import langchain as langchain_tracer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import BaseModel

import agent.checkpoints
import agent.engine
from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.errors import IntegrityError, ToolError, UsageError
from agent.executor import execute
from agent.graph import build_graph
from agent.models.embedded import EmbeddedReasoner
from agent.query import Query
from agent.runs import Runs
from agent.state import BUDGET_SPENT, FAILURE, Ref, Request, RunState, Task
from agent.trace import verify
from tests.agent.loop_full import full_case
from tests.agent.loop_make import Asks, Outcome, ask, make_case, run, settings_in, write_case
from tests.agent.loop_queries import every_query
from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu
from tools.base import Case, CaseSettings, Tool
from tools.registry import load_tools
from tools.types import Evidence, State

SPLEEN_TOO_LARGE = Query(
    kind="volume_threshold", structures=("spleen",), comparator="gt", threshold=300.0, threshold_unit="HU"
)


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def patch_tools(monkeypatch: pytest.MonkeyPatch, **wrapped: Callable[[Tool], Callable[..., list[Evidence]]]) -> None:
    """Replace functions of tools, as the executor sees them."""
    tools = dict(load_tools())
    for name, wrap in wrapped.items():
        tools[name] = replace(tools[name], function=wrap(tools[name]))
    monkeypatch.setattr("agent.executor.load_tools", lambda: tools)


def of_kind(made: Outcome, kind: str) -> list[str]:
    return [str(event.data["tool"]) for event in made.events if event.kind == kind]


# -- cache and concurrency ----------------------------------------------------------------------------------------


def test_a_second_run_calls_no_tool(case: Case, tmp_path: Path) -> None:
    first = run(case, [ask("enlarged", "spleen")], tmp_path)
    second = run(case, [ask("enlarged", "spleen")], tmp_path)
    assert of_kind(first, "tool.start")
    assert not of_kind(first, "tool.reused")
    assert not of_kind(second, "tool.start")
    assert sorted(of_kind(second, "tool.reused")) == sorted(of_kind(first, "tool.end"))
    assert first.report.answers == second.report.answers
    assert list(first.report.evidence.values()) == list(second.report.evidence.values())
    other = run(case, [ask("normal_size", "spleen")], tmp_path)
    assert "measure_structure" not in of_kind(other, "tool.start")


def test_another_voxel_label_or_setting_is_measured_anew(case: Case, tmp_path: Path) -> None:
    query = [ask("hu_mean", "spleen")]
    run(case, query, tmp_path)
    hu = case.scan.hu.copy()
    hu[8, 10, 12] += 40
    assert case.labels is not None
    label = case.labels.layers[0].copy()
    label[8, 10, 12] = 0
    for other in (
        replace(case, scan=replace(case.scan, hu=hu)),
        replace(case, labels=replace(case.labels, layers=(label,))),
    ):
        made = run(other, query, tmp_path)
        assert "measure_structure" in of_kind(made, "tool.start")
    made = run(replace(case, settings=CaseSettings(phase="portal")), [ask("contrast_phase")], tmp_path)
    assert "contrast_phase" in of_kind(made, "tool.start")
    assert "declared by the user as portal" in made.report.answers[0].text  # which the attenuation contradicts


def test_independent_tools_run_at_once(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meet = threading.Barrier(2, timeout=10)

    def wait(tool: Tool) -> Callable[..., list[Evidence]]:
        def function(case: Case, **arguments: Any) -> list[Evidence]:
            meet.wait()  # breaks, and so the run, where the other one is not running
            return tool.function(case, **arguments)

        return function

    patch_tools(monkeypatch, scan_checks=wait, label_checks=wait)
    made = run(case, [ask("volume", "liver")], tmp_path, workers=2)
    assert made.report.status == "consistent"


def test_workers_bound_how_many_run_at_once(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = [0], [0], threading.Lock()

    def count(tool: Tool) -> Callable[..., list[Evidence]]:
        def function(case: Case, **arguments: Any) -> list[Evidence]:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.02)
            with lock:
                running[0] -= 1
            return tool.function(case, **arguments)

        return function

    patch_tools(monkeypatch, scan_checks=count, label_checks=count, contrast_phase=count, measure_structure=count)
    run(case, [ask("volume_total", "liver", "spleen", "pancreas")], tmp_path, workers=1)
    assert most == [1]


@pytest.mark.slow
def test_the_order_of_a_report_does_not_depend_on_who_was_faster(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run(case, None, tmp_path / "a", workers=1).report
    delays = iter(np.random.default_rng(3).uniform(0, 0.02, 10_000))

    def dawdle(tool: Tool) -> Callable[..., list[Evidence]]:
        def function(case: Case, **arguments: Any) -> list[Evidence]:
            time.sleep(next(delays))
            return tool.function(case, **arguments)

        return function

    patch_tools(monkeypatch, measure_structure=dawdle, scan_checks=dawdle, contrast_phase=dawdle, presence=dawdle)
    other = run(case, None, tmp_path / "b", workers=8).report
    assert other.findings == plain.findings
    assert other.impression == plain.impression
    assert list(other.evidence) == list(plain.evidence)


# -- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 3, 4])
def test_a_spent_budget_is_told_and_unresolved(case: Case, tmp_path: Path, budget: int) -> None:
    made = run(case, [ask("steatosis", "liver")], tmp_path, max_tool_calls=budget)
    assert len(of_kind(made, "tool.start")) <= budget
    assert made.report.status == "unresolved"
    answer = made.report.answer
    assert answer is not None
    assert (answer.value, answer.state, answer.reason) == (None, State.NOT_ASSESSED, BUDGET_SPENT)
    assert any(BUDGET_SPENT in v.reason for v in made.report.verdicts if v.outcome == "fail")
    assert any(BUDGET_SPENT in text for text in made.report.not_assessed)
    whole = run(case, None, tmp_path, max_tool_calls=budget)
    assert whole.report.status == "unresolved"


def test_a_tool_that_cannot_do_its_work_is_told(case: Case, tmp_path: Path) -> None:
    made = run(case, [SPLEEN_TOO_LARGE], tmp_path)
    assert made.report.status == "consistent"
    answer = made.report.answer
    assert answer is not None
    assert answer.text == "This was not assessed: a value in cm3 cannot be compared with a number in HU."
    assert answer.state is State.NOT_ASSESSED
    assert of_kind(made, "tool.failed") == ["compare_number"]


def test_what_rests_on_a_failed_tool_is_not_assessed(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(tool: Tool) -> Callable[..., list[Evidence]]:
        def function(case: Case, *, structure: str) -> list[Evidence]:
            if structure == "spleen":
                raise ToolError("the tool has lost its scissors")
            return tool.function(case, structure=structure)

        return function

    patch_tools(monkeypatch, measure_structure=fail)
    queries = [ask("steatosis", "liver"), ask("volume", "liver"), ask("volume", "spleen")]
    made = run(case, queries, tmp_path)
    ratio, volume, spleen = made.report.answers
    assert (ratio.state, ratio.value) == (State.NOT_ASSESSED, None)
    assert ratio.reason == "the tool has lost its scissors"
    assert volume.value == pytest.approx(768.32)
    assert spleen.text == "For the spleen this was not assessed: the tool has lost its scissors."
    failed = [one for one in made.state.evidence.values() if one.quantity == FAILURE]
    assert {one.tool for one in failed} >= {"measure_structure", "ratio", "apply_rule", "weigh_rules"}
    assert made.report.status == "consistent"


def test_an_unexpected_error_surfaces_and_the_run_goes_on_after_the_fix(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(tool: Tool) -> Callable[..., list[Evidence]]:
        def function(case: Case, **arguments: Any) -> list[Evidence]:
            raise KeyError("/home/someone/secret")

        return function

    queries = [ask("volume_ratio", "liver", "spleen")]
    patch_tools(monkeypatch, ratio=crash)
    with pytest.raises(KeyError, match="secret"):
        run(case, queries, tmp_path)
    (folder,) = (tmp_path / "home" / "runs").iterdir()
    trace = (folder / "trace.jsonl").read_text()
    assert "unexpected KeyError" in trace
    assert "secret" not in trace
    assert '"status":"failed"' in trace
    monkeypatch.undo()
    made = run(case, queries, tmp_path, resume=folder.name)
    assert made.report.status == "consistent"
    assert made.report.run_id == folder.name
    assert made.report.answers[0].value == pytest.approx(6.533333)
    assert of_kind(made, "tool.end").count("measure_structure") == 2
    assert verify(made.folder.trace).ok


def test_a_tool_that_breaks_keeps_what_waits_from_starting(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def crash(tool: Tool) -> Callable[..., list[Evidence]]:
        def function(case: Case, **arguments: Any) -> list[Evidence]:
            started.append(tool.name)
            raise ZeroDivisionError

        return function

    patch_tools(monkeypatch, scan_checks=crash, measure_structure=crash)
    with pytest.raises(ZeroDivisionError):
        run(case, [ask("volume_total", "liver", "spleen", "pancreas", "stomach")], tmp_path, workers=1)
    assert len(started) <= 2


def test_tasks_that_nobody_planned_are_a_programming_error(case: Case, tmp_path: Path) -> None:
    made = run(case, [ask("volume", "liver")], tmp_path)
    lost = Task.make("convert", {"unit": "ml"}).model_copy(update={"id": "lost"})
    waits = lost.model_copy(update={"refs": {"item": Ref(task="nowhere", quantity="volume")}})

    class Runtime:
        context = type("Services", (), {"settings": settings_in(tmp_path), "outside": None})()

    state = made.state.model_copy(update={"tasks": {"lost": waits}})
    with pytest.raises(ValueError, match="nobody planned"):
        execute(state, Runtime())  # type: ignore[arg-type]


# -- resuming -----------------------------------------------------------------------------------------------------


def test_a_finished_run_is_given_back(case: Case, tmp_path: Path) -> None:
    made = run(case, [ask("volume", "liver")], tmp_path)
    before = made.folder.trace.read_bytes()
    again = run(case, [ask("volume", "liver")], tmp_path, resume=made.report.run_id)
    assert again.report == made.report
    assert again.state.evidence == made.state.evidence
    assert made.folder.trace.read_bytes() == before


@pytest.mark.parametrize("what", ["question", "options", "labels", "scan", "settings"])
def test_another_question_or_case_cannot_resume_a_run(case: Case, tmp_path: Path, what: str) -> None:
    made = run(case, [ask("volume", "liver")], tmp_path)
    other, queries, options = case, [ask("volume", "liver")], ()
    if what == "labels":
        other = make_case(without=("spleen",))
    elif what == "scan":
        other = make_case({"liver": 60})
    elif what == "settings":
        other = replace(case, settings=CaseSettings(phase="native"))
    elif what == "options":
        options = ("small", "large")  # type: ignore[assignment]
    with pytest.raises(UsageError, match="same command"):
        run(other, None if what == "question" else queries, tmp_path, options=options, resume=made.report.run_id)


def test_a_run_that_is_not_there_cannot_be_resumed(case: Case, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no run"):
        run(case, [ask("volume", "liver")], tmp_path, resume="20260101-000000-abcdef")


@pytest.mark.parametrize("torn", [None, b"", b"{", b'{"data":{"identity":"0a'])
@pytest.mark.parametrize("by", ["id", "folder"])
def test_a_run_killed_before_its_first_event_is_resumed(
    case: Case, tmp_path: Path, torn: bytes | None, by: str
) -> None:
    begun = Runs(tmp_path / "home").create(tmp_path / "out")
    if torn is not None:
        begun.trace.write_bytes(torn)
    named = begun.id if by == "id" else str(begun.folder)
    made = run(case, [ask("volume", "liver")], tmp_path, resume=named)
    assert (made.report.run_id, made.folder.folder) == (begun.id, begun.folder)
    assert made.report.status == "consistent"
    assert verify(made.folder.trace).ok
    assert made.kinds()[:2] == ["run.start", "intake"]


def test_a_file_that_is_no_trace_is_not_overwritten(case: Case, tmp_path: Path) -> None:
    begun = Runs(tmp_path / "home").create(tmp_path / "out")
    begun.trace.write_bytes(b"my diary")
    with pytest.raises(UsageError, match="no whole event"):
        run(case, [ask("volume", "liver")], tmp_path, resume=begun.id)
    assert begun.trace.read_bytes() == b"my diary"


# -- checkpoints --------------------------------------------------------------------------------------------------


def walk(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        for key, part in value.items():
            yield from walk(key)
            yield from walk(part)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from walk(part)


def checkpoints(made: Outcome) -> list[Any]:
    serde = JsonPlusSerializer(allowed_msgpack_modules=agent.checkpoints.STATE_TYPES)
    with closing(sqlite3.connect(made.folder.checkpoint)) as connection:
        saver = SqliteSaver(connection, serde=serde)
        return list(saver.list({"configurable": {"thread_id": made.report.run_id}}))


def test_no_array_enters_a_checkpoint_and_its_size_does_not_grow_with_the_scan(case: Case, tmp_path: Path) -> None:
    made = run(case, [ask("volume", "liver")], tmp_path)
    found = checkpoints(made)
    assert len(found) >= 6
    types = {type(value).__name__ for one in found for value in walk([one.checkpoint, one.pending_writes])}
    assert {"Evidence", "Task", "Conclusion"} <= types
    assert not any(name.startswith(("ndarray", "memmap", "int16", "float64", "Scan", "LabelSet")) for name in types)
    assert not any(isinstance(value, np.ndarray | np.generic) for one in found for value in walk(one.checkpoint))
    largest = max(len(str(one.checkpoint)) for one in found)
    assert largest < 200_000
    assert case.scan.hu.nbytes < 200_000  # an array would hide in a larger limit
    twice = np.repeat(case.scan.hu, 4, axis=0)
    grid = replace(case.scan.grid, shape=(twice.shape[0], twice.shape[1], twice.shape[2]))
    bigger = Case(scan=replace(case.scan, hu=twice, grid=grid))
    small = Case(scan=case.scan)
    sizes = [
        run(one, [ask("volume", "liver")], tmp_path / str(n)).folder.checkpoint.stat().st_size
        for n, one in enumerate((small, bigger))
    ]
    assert abs(sizes[1] - sizes[0]) < 20_000


def test_a_checkpoint_makes_no_other_types() -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=agent.checkpoints.STATE_TYPES)
    foreign = JsonPlusSerializer(allowed_msgpack_modules=True).dumps_typed({"value": CaseSettings(phase="native")})
    assert not isinstance(serde.loads_typed(foreign)["value"], CaseSettings)
    known = ask("volume", "liver")
    assert serde.loads_typed(serde.dumps_typed({"value": known}))["value"] == known


@pytest.mark.slow
def test_every_type_of_the_state_may_be_read_back(case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = run(full_case(), every_query()[3::31], tmp_path)
    with closing(sqlite3.connect(made.folder.checkpoint)) as connection:
        graph = build_graph(SqliteSaver(connection, serde=JsonPlusSerializer(
            allowed_msgpack_modules=agent.checkpoints.STATE_TYPES)))  # fmt: skip
        values = graph.get_state({"configurable": {"thread_id": made.report.run_id}}).values
    assert RunState.model_validate(values) == made.state
    assert "Blocked" not in caplog.text


# -- nothing leaves the machine -----------------------------------------------------------------------------------


@pytest.fixture
def tracers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often the graph library made a tracer that uploads, with the environment asking for it."""
    made: list[int] = []

    class Tracer:
        def __init__(self, *args: object, **options: object) -> None:
            made.append(1)
            raise RuntimeError("no uploads in tests")

    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(langchain_tracer, "LangChainTracer", Tracer)
    forget: Any = langsmith.utils.get_env_var
    forget.cache_clear()
    yield made
    forget.cache_clear()


def test_no_tracing_service_is_told(case: Case, tmp_path: Path, tracers: list[int]) -> None:
    assert run(case, [ask("volume", "liver")], tmp_path).report.status == "consistent"
    assert tracers == []


def test_without_the_guard_a_tracing_service_would_be_told(
    case: Case, tmp_path: Path, tracers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.engine, "nothing_sent", nullcontext)
    run(case, [ask("volume", "liver")], tmp_path)
    assert tracers


def test_the_old_tracing_variable_is_refused(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_TRACING", "true")
    with pytest.raises(UsageError, match="LANGCHAIN_TRACING"):
        run(case, [ask("volume", "liver")], tmp_path)
    monkeypatch.setenv("LANGCHAIN_TRACING", "false")
    assert run(case, [ask("volume", "liver")], tmp_path).report.status == "consistent"


def written(folder: Path) -> str:
    """All text that a run wrote, checkpoints included."""
    return "".join(path.read_bytes().decode("latin-1") for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.slow
def test_paths_of_the_input_are_written_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "Doe-John-1961"
    scan, labels = write_case(secret)
    case = open_case(CaseFiles(scan, labels))
    made = run(case, None, tmp_path / "work")
    text = written(made.folder.folder)
    assert "Doe-John" not in text
    assert "scan.nii" not in text
    assert "labels.nii" not in text
    assert not any("Doe-John" in path.name for path in (tmp_path / "work").rglob("*"))


def test_identifying_fields_of_a_dicom_header_are_written_nowhere(tmp_path: Path) -> None:
    def name(dataset: Any, k: int) -> None:
        dataset.PatientBirthDate, dataset.InstitutionName = "19610203", "Hospital Nowhere"
        dataset.AccessionNumber, dataset.ReferringPhysicianName = "ACC0815", "Doctor^Who"
        dataset.StudyDescription = "Kidney of Secret Person"

    write_ct_series(tmp_path / "dicom", body_hu((48, 40, 12)).astype(float), edit=name)
    case = open_case(CaseFiles(tmp_path / "dicom"))
    engine = Engine(settings_in(tmp_path / "work"), Asks([ask("slice_thickness")]))
    report, _ = engine.ask(case, "A question in words?")
    assert report.answers[0].value == 4.0
    text = written(tmp_path / "work")
    for secret in ("Secret", "Secret-Number", "19610203", "Nowhere", "ACC0815", "Doctor^Who"):
        assert secret not in text, secret


def test_a_report_on_everything_asks_nothing() -> None:
    assert EmbeddedReasoner().interpret(Request(), []) == []


def test_a_finished_run_that_was_changed_is_not_shown_again(case: Case, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    engine = Engine(settings, Asks([ask("volume", "spleen")]))
    report, _ = engine.ask(case, "A question?", out=tmp_path / "run")
    again, _ = engine.ask(case, "A question?", resume=report.run_id)
    assert again == report
    written_report = tmp_path / "run" / "report.json"
    assert report.answers[0].value is not None
    written_report.write_text(written_report.read_text().replace(str(report.answers[0].value), "999.9"))
    with pytest.raises(IntegrityError, match=r"report\.json"):
        engine.ask(case, "A question?", resume=report.run_id)


@pytest.mark.parametrize(("labels_now", "labels_before"), [(True, False), (False, True), (False, False)])
def test_an_earlier_scan_or_this_one_without_labels_is_no_error(
    tmp_path: Path, labels_now: bool, labels_before: bool
) -> None:
    before = make_case({"liver": 70}, labelled=labels_before)
    case = replace(make_case(labelled=labels_now), prior=before)
    made = run(case, [Query(kind="response", structures=())], tmp_path)
    assert made.report.answer is not None
    assert (made.report.answer.value, made.report.answer.state) == (None, State.NOT_ASSESSED)
    inputs = made.events[0].data["inputs"]
    assert isinstance(inputs, dict) and ("prior_labels" in inputs) is labels_before
