"""Which evidence a reference stands for."""

from __future__ import annotations

from agent.state import FAILURE, Ref, Request, RunState, Task
from tools.types import Evidence, State

ONE = Task.make("measure_structure", {"structure": "liver"})
OTHER = Task.make("measure_structure", {"structure": "spleen"})


def made(quantity: str, target: str = "liver", state: State = State.MEASURED) -> Evidence:
    return Evidence.make(
        tool="measure_structure", quantity=quantity, target=target, state=state, method="test", version="1",
        value=1.0 if state is State.MEASURED else None,
    )  # fmt: skip


def state_of(*results: tuple[Task, list[Evidence]]) -> RunState:
    return RunState(
        run_id="r",
        request=Request(),
        tasks={task.id: task for task, _ in results},
        done={task.id: tuple(one.id for one in evidence) for task, evidence in results},
        evidence={one.id: one for _, evidence in results for one in evidence},
    )


VOLUME, HU, AGAIN = made("volume"), made("hu_mean"), made("volume", "spleen")
FAILED = made(FAILURE, "spleen", State.NOT_ASSESSED)


def test_a_star_stands_for_all_that_a_task_made_in_its_order() -> None:
    state = state_of((ONE, [VOLUME, HU]), (OTHER, [AGAIN]))
    every = Ref(task=ONE.id, quantity="*")
    assert state.lookup_all([every]) == [VOLUME, HU]
    assert state.lookup_all([Ref(task=OTHER.id, quantity="*"), every]) == [AGAIN, VOLUME, HU]
    assert state.lookup_all([every, Ref(task=ONE.id, quantity="volume")]) == [VOLUME, HU, VOLUME]


def test_a_star_leaves_out_what_failed_and_what_was_not_done() -> None:
    state = state_of((ONE, [VOLUME]), (OTHER, [FAILED]))
    assert state.lookup_all([Ref(task=OTHER.id, quantity="*"), Ref(task=ONE.id, quantity="*")]) == [VOLUME]
    assert state.lookup_all([Ref(task="nowhere", quantity="*")]) == []
    # By name, a failure stands for what was expected of its task.
    assert state.lookup_all([Ref(task=OTHER.id, quantity="volume")]) == [FAILED]
    assert state.lookup_all([Ref(task="nowhere", quantity="volume")]) == [None]
    assert state.lookup_all([Ref(task=ONE.id, quantity="hu_mean")]) == [None]


def test_a_number_stands_for_the_nth_piece() -> None:
    state = state_of((ONE, [VOLUME, HU]))
    for number, expected in enumerate([VOLUME, HU, None]):
        assert state.lookup(Ref(task=ONE.id, quantity=f"#{number}")) == expected
    assert state.lookup_all([Ref(task=ONE.id, quantity="#1"), Ref(task=ONE.id, quantity="#7")]) == [HU, None]


def test_evidence_that_is_gone_is_left_out() -> None:
    state = state_of((ONE, [VOLUME, HU]))
    left = state.model_copy(update={"evidence": {HU.id: HU}})
    assert left.lookup_all([Ref(task=ONE.id, quantity="*")]) == [HU]
    assert left.lookup(Ref(task=ONE.id, quantity="volume")) is None
