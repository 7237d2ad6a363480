"""The one engine with the ears and brakes of one run, and what may be asked once the run has ended."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from agent.engine import Engine
from agent.library import of_patient
from agent.query import Query
from agent.seen import labelled
from agent.state import RunState
from agent.suggest import suggestions
from agent.trace_schema import Event
from agent.wanted import all_seen
from agent.web.feed import Feed
from agent.web.progress import LeftOver
from agent.web.scans import Lease
from agent.web.steps import step_of
from tools.base import Case


def listening(engine: Engine, lease: Lease, feed: Feed, stop: threading.Event) -> Engine:
    """The engine for one run: what it tells goes to one feed, and one signal stops it; the rest is shared."""
    left = LeftOver()

    def progress(what: str, finished: int, planned: int) -> None:
        data = {"what": what.replace("_", " "), "finished": finished, "planned": planned}
        feed.put("progress", {**data, "seconds_left": left.seconds(finished, planned)})

    def watch(event: Event) -> None:
        feed.put("step", step_of(event).model_dump(mode="json"))

    shop = engine.workshop
    return replace(
        engine,
        progress=progress,
        heard=lambda written: feed.put("writing", {"characters": written}),
        watch=watch,
        stop=stop,
        workshop=replace(shop, tell=progress) if shop is not None else None,
        library=of_patient(engine.library, lease.path, lease.case.scan),
    )


def next_questions(engine: Engine, lease: Lease, run: str, state: RunState, asked: Sequence[Query]) -> list[str]:
    """What may be asked after a run, given what was asked before it."""
    own = [one for one in state.queries if isinstance(one, Query)]
    labels = engine.case_of(lease.case, run).labels
    return suggestions(labelled(labels), [*asked, *own], state.evidence)


def first_questions(engine: Engine, case: Case) -> list[str]:
    """What may be asked of a scan that has just been opened: of what is labelled, or what engines could see."""
    offers = engine.workshop.offers() if engine.workshop is not None and case.labels is None else ()
    return suggestions(labelled(case.labels), [], {}, engines_see=all_seen(case, offers))
