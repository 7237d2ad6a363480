"""A run that is watched, stopped between nodes, calls, an engine's ticks and a model's words, and goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.engine import Engine
from agent.errors import Cancelled
from agent.models.embedded import EmbeddedReasoner
from agent.models.usage import Usage
from agent.runs import Runs
from agent.settings import Settings
from agent.state import RunState, Task
from agent.trace import read_events, verify
from agent.trace_schema import Event
from agent.trace_view import summary
from tests.agent.loop_make import Asks, ask, make_case, settings_in
from tests.engine_make import NAME, install
from tests.tools.segment.plausible_make import torso
from tools.array_store import ArrayStore
from tools.base import Case
from tools.segment.backends import load_backends
from tools.segment.engine import EngineSettings
from tools.segment.isolate import one_at_a_time
from tools.segment.workshop import Workshop

pytestmark = pytest.mark.slow

QUERIES = [ask("volume_ratio", "liver", "spleen"), ask("lesion_count", "liver_lesion")]


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def _events(folder: Path) -> list[Event]:
    found = [event for event in read_events(folder / "trace.jsonl") if isinstance(event, Event)]
    assert found
    return found


def test_a_watcher_is_told_of_every_event_in_order(case: Case, tmp_path: Path) -> None:
    told: list[Event] = []
    Engine(settings_in(tmp_path), Asks(QUERIES), watch=told.append).ask(case, "A question?", out=tmp_path / "run")
    assert told == _events(tmp_path / "run")


def test_what_a_watcher_raises_surfaces_and_the_run_can_go_on(case: Case, tmp_path: Path) -> None:
    def watch(event: Event) -> None:
        if event.kind == "plan":
            raise KeyError("the watcher's own")

    with pytest.raises(KeyError, match="the watcher's own"):
        Engine(settings_in(tmp_path), Asks(QUERIES), watch=watch).ask(case, "A question?", out=tmp_path / "run")
    assert _events(tmp_path / "run")[-1].data["status"] == "failed"
    made, _ = Engine(settings_in(tmp_path), Asks(QUERIES)).ask(case, "A question?", resume=str(tmp_path / "run"))
    assert made.status == "consistent" and verify(tmp_path / "run" / "trace.jsonl").ok


@pytest.mark.parametrize("kind", ["run.start", "intake", "tool.start", "tool.end", "plan", "verdict"])
def test_a_cancelled_run_goes_on_without_repeating_a_finished_call(case: Case, tmp_path: Path, kind: str) -> None:
    stop = threading.Event()

    def watch(event: Event) -> None:
        if event.kind == kind:
            stop.set()

    folder, settings = tmp_path / "run", settings_in(tmp_path, workers=1)
    with pytest.raises(Cancelled, match=r"^The run was cancelled; resume it to go on where it stopped\."):
        Engine(settings, Asks(QUERIES), watch=watch, stop=stop).ask(case, "A question?", out=folder)
    events = _events(folder)
    assert events[-1].data["status"] == "cancelled" and events[-1].data["reason"] == "it was asked to stop"
    assert summary(events[-1]).startswith("cancelled (it was asked to stop) after")
    assert verify(folder / "trace.jsonl").ok
    assert [entry.status for entry in Runs(settings.home).latest()] == ["cancelled"]
    before = {str(one.data["call"]) for one in events if one.kind == "tool.end"}
    made, _ = Engine(settings, Asks(QUERIES)).ask(case, "A question?", resume=str(folder))
    after = [str(one.data["call"]) for one in _events(folder)[len(events) :] if one.kind == "tool.start"]
    assert made.status == "consistent" and not before & set(after) and len(after) == len(set(after))
    assert verify(folder / "trace.jsonl").ok
    whole, _ = Engine(settings_in(tmp_path / "whole"), Asks(QUERIES)).ask(case, "A question?")
    assert made.answers == whole.answers


def test_a_run_that_is_stopped_before_it_begins_does_nothing(case: Case, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        Engine(settings_in(tmp_path), Asks(QUERIES), stop=stop).ask(case, "A question?", out=tmp_path / "run")
    assert [one.kind for one in _events(tmp_path / "run")] == ["run.start", "run.end"]


class Writes(Asks):
    """Tells of characters that it writes, as a served model does."""

    def begin(self, spent: Usage, heard: Callable[[int], None] | None = None) -> Writes:
        assert heard is not None
        self.heard = heard
        return self

    def plan(self, state: RunState) -> list[Task]:
        self.heard(10)
        return []


def test_a_model_that_writes_is_stopped_at_its_next_word(case: Case, tmp_path: Path) -> None:
    stop, told = threading.Event(), list[int]()

    def watch(event: Event) -> None:
        if event.kind == "round":
            stop.set()

    model = Writes(QUERIES)
    with pytest.raises(Cancelled):
        Engine(settings_in(tmp_path), model, watch=watch, stop=stop, heard=told.append).ask(
            case, "A question?", out=tmp_path / "run"
        )
    assert told == [] and "plan" not in [one.kind for one in _events(tmp_path / "run")]


@pytest.fixture
def _forget() -> Iterator[None]:
    yield
    load_backends.cache_clear()


@pytest.mark.usefixtures("_forget")
@pytest.mark.parametrize("occupied", [False, True], ids=["running", "waiting"])
def test_an_engine_that_runs_or_is_waited_for_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, occupied: bool
) -> None:
    ran = install(tmp_path, monkeypatch, "sleep_a:liver,spleen")
    stop, cache = threading.Event(), tmp_path / "cache"

    def tell(what: str, finished: int, planned: int) -> None:
        if "looking" in what or "waiting" in what:
            stop.set()

    workshop = Workshop(EngineSettings(cache=cache), ArrayStore(cache), tell, engines=(NAME,))
    engine = Engine(Settings(home=tmp_path / "home", cache=cache), EmbeddedReasoner(), workshop=workshop, stop=stop)
    case = replace(torso().case, labels=None)
    cache.mkdir()

    def asked() -> None:
        with pytest.raises(Cancelled):
            engine.ask(case, "What is the volume of the spleen?", out=tmp_path / "run")

    if occupied:
        with one_at_a_time(cache, lambda: None, lambda: None):
            asked()
    else:
        asked()
    assert ran.exists() is not occupied
    failed = [one for one in _events(tmp_path / "run") if one.kind == "tool.failed"]
    assert [one.data["error"] for one in failed] == ["the run was cancelled"]
    assert not list((cache / "work").glob("segment-*"))
