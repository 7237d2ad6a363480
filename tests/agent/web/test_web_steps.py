"""What watchers are told of the trace: every kind of event, hostile texts, time left; and what is held in memory."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace_schema import FIRST_PREV, Event, Kind
from agent.web.latest import Latest
from agent.web.progress import LeftOver
from agent.web.steps import _KINDS, Step, step_of

KNOWN = {"plan", "tool", "model", "gate", "round", "hops", "mask", "intake", "report", "review", "start", "end"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = st.sampled_from(
    [
        "tool",
        "call",
        "gate",
        "outcome",
        "reason",
        "round",
        "seconds",
        "question",
        "tasks",
        "purpose",
        "status",
        "evidence",
        "decision",
    ]
)


def event(kind: str, **data: object) -> Event:
    """An event; its hashes play no part."""
    return Event.model_construct(
        seq=4, time="2026-01-01T00:00:00.000Z", kind=kind, data=data, prev=FIRST_PREV, hash=f"sha256:{FIRST_PREV}"
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_row(kind: Kind) -> None:
    assert kind in _KINDS
    step = step_of(event(kind))
    assert step.kind in KNOWN
    assert step.title
    assert (step.n, step.seconds, step.round) == (4, None, None)


@pytest.mark.slow
@given(st.sampled_from([*Kind, "something.new"]), st.dictionaries(FIELDS, JSON, max_size=6))
def test_nothing_in_a_trace_breaks_a_step(kind: str, data: dict[str, object]) -> None:
    step = step_of(event(kind, **data))
    assert len(step.title) <= 80
    assert step.title.isprintable()
    assert step.detail is None or (0 < len(step.detail) <= 300 and step.detail.isprintable())
    assert len(step.key) <= 120
    assert Step.model_validate_json(step.model_dump_json()) == step


def test_control_characters_and_markup_are_text() -> None:
    step = step_of(event(Kind.VERDICT, gate="\x1b[31m<b>", outcome="fail", reason="a\r\ndata: x\n\nevent: state\u202e"))
    assert "\x1b" not in step.title
    assert step.detail is not None
    assert "\n" not in step.detail
    assert step.state == "fail"


def test_the_end_of_a_call_stands_for_its_start() -> None:
    begun = step_of(event(Kind.TOOL_START, tool="measure_axis", call="c7"))
    ended = step_of(event(Kind.TOOL_END, tool="measure_axis", call="c7", seconds=0.5))
    assert begun.key == ended.key
    assert (begun.state, ended.state, ended.seconds) == ("running", "ok", 0.5)
    assert begun.title == "Measure axis"
    assert step_of(event(Kind.TOOL_END, tool="x", call="c8")).key != ended.key


@pytest.mark.parametrize(
    ("outcome", "state"), [("pass", "ok"), ("fail", "fail"), ("not_applicable", "info"), ("?", "info")]
)
def test_gates(outcome: str, state: str) -> None:
    assert step_of(event(Kind.VERDICT, gate="rules", outcome=outcome)).state == state


def test_a_plan_counts_its_tools() -> None:
    tasks = [{"tool": "measure_axis"}, {"tool": "measure_axis"}, {"tool": "crop"}, "odd"]
    assert step_of(event(Kind.PLAN, tasks=tasks)).detail == "2 × measure axis, 1 × crop"


def test_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100.0, 2.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    left = LeftOver()
    told = [left.seconds(done, 10) for done in range(11)]
    assert told[:3] == [None, None, None]
    assert all(one is not None and one >= 0 for one in told[3:])
    assert told[10] == 0
    assert left.seconds(0, 10) is None
    assert [left.seconds(done, 0) for done in (0, 5)] == [None, None]
    assert left.seconds(11, 10) is None


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50))))
def test_time_left_is_never_negative(counts: list[tuple[int, int]]) -> None:
    left = LeftOver()
    for finished, planned in counts:
        told = left.seconds(finished, planned)
        assert told is None or told >= 0


def test_the_latest_are_held() -> None:
    latest: Latest[int] = Latest(2)
    made: list[str] = []

    def make(name: str) -> int:
        def do() -> int:
            made.append(name)
            return len(made)

        return latest.get((name,), do)

    assert [make(name) for name in "aabaca"] == [1, 1, 2, 1, 3, 1]
    assert made == ["a", "b", "c"]
    assert latest.peek(("b",)) is None
    assert latest.peek(("c",)) == 3


def test_a_result_that_cannot_be_made_is_not_held() -> None:
    latest: Latest[int] = Latest(2)
    with pytest.raises(ZeroDivisionError):
        latest.get(("a",), lambda: 1 // 0)
    assert latest.get(("a",), lambda: 5) == 5


def test_the_latest_under_threads() -> None:
    latest: Latest[int] = Latest(3)
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(300):
                assert latest.get((str(number % 5),), lambda n=number: n % 5) == number % 5  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - told by the test
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
