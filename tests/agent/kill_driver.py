"""Runs one case again and again in children that are killed (SIGKILL) at chosen moments, and resumes each.

Called as a program by ``test_kill.py``: the imports are paid for once, every attempt is a fork. Prints one JSON
object a line: what became of each attempt.

    python -m tests.agent.kill_driver FOLDER PLAN

PLAN is JSON: {"points": [n, …], "delays": [seconds, …]}; a point is the n-th of the moments before and after every
step that touches the disk, counted over the whole run; "all" stands for every point.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import agent.executor
import agent.files
import agent.reporting
from agent.engine import Engine
from agent.errors import UsageError
from agent.runs import Runs
from agent.trace import TraceWriter, read_events, verify
from agent.trace_schema import Event
from tests.agent.loop_full import full_case
from tests.agent.loop_make import Asks, ask, settings_in
from tools.base import Case, Tool
from tools.registry import load_tools
from tools.store import Store
from tools.types import Evidence

QUERIES = [
    ask("steatosis", "liver"), ask("lesion_list", "liver_lesion"), ask("volume", "stomach"),
    ask("volume_change", "liver_lesion"), ask("category_t", "pancreas_pdac"),
]  # fmt: skip
STEPS: list[tuple[Any, str]] = [
    (os, "fsync"), (os, "replace"), (Path, "mkdir"), (Path, "replace"), (Runs, "create"), (Runs, "set_status"),
    (TraceWriter, "open"), (TraceWriter, "append"), (Store, "put"), (Store, "get"), (agent.reporting, "atomic_write"),
]  # fmt: skip
RUNNING_SECONDS = 0.005


def main() -> None:
    """Make the reference run, then kill and resume as planned."""
    root, plan = Path(sys.argv[1]), json.loads(sys.argv[2])
    case = full_case()
    slow_tools()
    begin = time.perf_counter()
    whole = attempt(case, root / "whole", None, None)
    seconds = time.perf_counter() - begin
    tell({"name": "whole", "seconds": seconds, **whole})
    points = range(1, whole["points"] + 1) if plan["points"] == "all" else plan["points"]
    for point in points:
        number = point if point > 0 else whole["points"] + point
        tell({"name": f"point {number}", **attempt(case, root / f"p{number}", number, None)})
    for number, share in enumerate(plan["delays"]):
        tell({"name": f"after {share:.2f}", **attempt(case, root / f"d{number}", None, share * seconds)})


def tell(row: dict[str, Any]) -> None:
    """One line of the answer."""
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def slow_tools() -> None:
    """Make every tool take a while, so that a kill can hit it."""

    def slowed(tool: Tool) -> Tool:
        def function(case: Case, **arguments: Any) -> list[Evidence]:
            time.sleep(RUNNING_SECONDS)
            return tool.function(case, **arguments)

        return replace(tool, function=function)

    tools = {name: slowed(tool) for name, tool in load_tools().items()}
    agent.executor.load_tools = lambda: tools  # type: ignore[attr-defined,assignment]


def attempt(case: Case, folder: Path, point: int | None, delay: float | None) -> dict[str, Any]:
    """Run in a child that is killed, then in others until one finishes; what they left behind."""
    # Two tools that make one folder of the cache at once touch the disk once more than one after the other would.
    for shard in range(256):
        (settings_in(folder).cache / "evidence" / f"{shard:02x}").mkdir(parents=True)
    killed = fork(lambda: work(case, folder, point, resume=False), delay)
    before = trace_kinds(folder)
    resumed = 0
    if killed:
        if fork(lambda: work(case, folder, None, resume=True), None):
            raise RuntimeError("the resumed run was killed by somebody else")
        resumed = 1
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    events = [event for event in read_events(folder / "run" / "trace.jsonl") if isinstance(event, Event)]
    result |= {
        "killed": killed, "resumed": resumed, "before": before, "kinds": [event.kind for event in events],
        "twice": repeated(events), "verified": [str(p) for p in verify(folder / "run" / "trace.jsonl").problems],
        "status": [entry.status for entry in Runs(folder / "home").latest()],
    }  # fmt: skip
    shutil.rmtree(folder)
    return result


def trace_kinds(folder: Path) -> list[str]:
    """Kinds of the events that were written before the kill."""
    path = folder / "run" / "trace.jsonl"
    return [e.kind for e in read_events(path) if isinstance(e, Event)] if path.exists() else []


def repeated(events: list[Event]) -> list[str]:
    """Calls that began again after they had been finished."""
    finished: set[str] = set()
    twice = []
    for event in events:
        if event.kind in {"tool.end", "tool.reused"}:
            finished.add(str(event.data["call"]))
        if event.kind == "tool.start" and event.data["call"] in finished:
            twice.append(str(event.data["call"]))
    return twice


def fork(body: Callable[[], None], delay: float | None) -> bool:
    """Run in a child; kill it after the delay if one is given; whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            body()
        except BaseException:  # noqa: BLE001  (a child must never go on as its parent)
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status) != 0:
        raise RuntimeError("a run failed, see above")
    return False


def work(case: Case, folder: Path, point: int | None, *, resume: bool) -> None:
    """One run, or the rest of one; the report goes to a file."""
    count = die_at(point)
    engine = Engine(settings_in(folder), Asks(QUERIES))
    out = folder / "run"
    try:
        report, _ = engine.ask(case, "Five questions?", out=out, resume=str(out) if resume else None)
    except UsageError as error:
        # Killed before anything was written: there is no run, and a new one begins.
        if not resume or "There is no run" not in str(error) or out.exists():
            raise
        report, _ = engine.ask(case, "Five questions?", out=out)
    plain = report.model_dump(mode="json", exclude={"run_id", "trace"})
    (folder / "result.json").write_text(json.dumps({"report": plain, "points": count[0], "run_id": report.run_id}))


def die_at(point: int | None) -> list[int]:
    """Count the moments before and after each step; kill this process at the given one."""
    count = [0]

    def moment() -> None:
        count[0] += 1
        if count[0] == point:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in STEPS:
        wrap(owner, name, moment)
    return count


def wrap(owner: Any, name: str, moment: Callable[[], None]) -> None:
    """Put a moment before and after every call."""
    real = owner.__dict__[name]
    inner = real.__func__ if isinstance(real, classmethod) else real

    def function(*args: Any, **options: Any) -> Any:
        moment()
        result = inner(*args, **options)
        moment()
        return result

    setattr(owner, name, classmethod(function) if isinstance(real, classmethod) else function)


if __name__ == "__main__":
    main()
