"""Reviews one finished run again and again in children that are killed (SIGKILL) at chosen moments, and goes on.

Called as a program by ``test_review_kill.py``; prints one JSON object a line: what became of each attempt.

    python -m tests.agent.review_kill_driver FOLDER POINTS

POINTS is JSON: numbers of the moments before and after every step that touches the disk, counted over the review;
negative ones from its end.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from agent.engine import Engine
from agent.review_model import Decision
from agent.runs import Runs
from agent.trace import read_events, verify
from agent.trace_schema import Event
from tests.agent.kill_driver import die_at, fork, repeated, slow_tools, tell
from tests.agent.loop_make import AFFINE, Asks, ask, make_case, settings_in
from tools.base import Case
from tools.correct_model import Edit

QUERIES = [ask("volume", "liver"), ask("lesion_count", "liver_lesion"), ask("lesion_list", "liver_lesion")]
X, Y, Z = (float(one) for one in AFFINE[:3, :3] @ (31, 15, 13) + AFFINE[:3, 3])
KINDS = {
    "correct": Decision(
        reviewer="Dr. Roe", kind="correct", reason="an artefact",
        edits=(Edit(kind="remove", structure="liver_lesion", point=(X, Y, Z)),),
    ),
    "override": Decision(reviewer="Dr. Roe", kind="override", about="answer-1", says="700 cm³", reason="cut off"),
}  # fmt: skip


def main() -> None:
    """Finish a run, then review copies of it, killed as planned and gone on with in either way."""
    root, points = Path(sys.argv[1]), json.loads(sys.argv[2])
    case = make_case()
    slow_tools()
    fork(lambda: asked(case, root / "plain"), None)
    for kind in KINDS:
        whole = attempt(case, root, kind, "whole", None, again="ask")
        tell({"name": f"{kind} whole", **whole})
        for number, point in enumerate(points):
            at = point if point > 0 else whole["points"] + point
            # Whoever goes on gives the decision again, or resumes the run.
            again = ("ask", "review")[number % 2]
            tell({"name": f"{kind} {point} {again}", **attempt(case, root, kind, f"p{number}", at, again=again)})


def asked(case: Case, folder: Path) -> None:
    """A finished run that nobody attended."""
    Engine(settings_in(folder), Asks(QUERIES)).ask(case, "Three questions?", out=folder / "run")


def attempt(case: Case, root: Path, kind: str, name: str, point: int | None, *, again: str) -> dict[str, Any]:
    """Review a copy of the run in a child that is killed, then go on in another; what they left behind."""
    folder = root / f"{kind}-{name}"
    shutil.copytree(root / "plain", folder)
    before = kinds_in(folder)
    killed = fork(lambda: work(case, folder, kind, point, "review"), None)
    reached = kinds_in(folder)[len(before) :]
    # Killed before the review was written, it has not been given; killed after the end, it is in the report.
    how = "review" if "review" not in reached else "ask" if "run.end" in reached else again
    if killed and fork(lambda: work(case, folder, kind, None, how), None):
        raise RuntimeError("whoever went on was killed by somebody else")
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    events = [event for event in read_events(folder / "run" / "trace.jsonl") if isinstance(event, Event)]
    last = [number for number, event in enumerate(events) if event.kind == "review"][-1]
    result |= {
        "killed": killed, "reached": reached, "kinds": [event.kind for event in events],
        "twice": repeated(events[last:]), "verified": [str(p) for p in verify(folder / "run" / "trace.jsonl").problems],
        "status": [entry.status for entry in Runs(folder / "home").latest()],
        "kept": (folder / "run" / "report.0.json").read_bytes() == (root / "plain/run/report.json").read_bytes(),
    }  # fmt: skip
    shutil.rmtree(folder)
    return result


def kinds_in(folder: Path) -> list[str]:
    """Kinds of the events that the trace holds."""
    return [one.kind for one in read_events(folder / "run" / "trace.jsonl") if isinstance(one, Event)]


def work(case: Case, folder: Path, kind: str, point: int | None, how: str) -> None:
    """One review, or the rest of one; the report goes to a file."""
    count = die_at(point)
    engine, run = Engine(settings_in(folder), Asks(QUERIES)), folder / "run"
    if how == "review":
        report, _ = engine.review(case, run, KINDS[kind])
    else:
        report, _ = engine.ask(case, "Three questions?", resume=str(run))
    plain = report.model_dump(mode="json", exclude={"trace"})
    for one in plain["reviews"]:
        one.pop("time")
    (folder / "result.json").write_text(json.dumps({"report": plain, "points": count[0]}))


if __name__ == "__main__":
    main()
