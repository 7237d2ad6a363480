"""A run that is broken off between what a node made and the checkpoint of it goes on, and begins nothing anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.engine import Engine
from agent.review_model import Decision
from agent.trace import read_events, verify
from agent.trace_schema import Event
from tests.agent.loop_make import Asks, ask, make_case, settings_in
from tools.base import Case

QUERIES = [ask("volume", "liver"), ask("lesion_count", "liver_lesion")]
QUESTION = "Two questions?"
OVERRIDE = Decision(reviewer="Dr. Roe", kind="override", about="answer-1", says="700 cm³", reason="cut off")


class BrokenOffError(Exception):
    """Stands for the kill."""


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def break_off(monkeypatch: pytest.MonkeyPatch, at: int | None) -> list[int]:
    """Let the n-th checkpoint never be written, what its node made being stored; counts them."""
    real = SqliteSaver.put
    count = [0]

    def put(self: SqliteSaver, *args: Any) -> Any:
        count[0] += 1
        if count[0] == at:
            raise BrokenOffError
        return real(self, *args)

    monkeypatch.setattr(SqliteSaver, "put", put)
    return count


def kinds(folder: Path) -> list[str]:
    return [event.kind for event in read_events(folder / "trace.jsonl") if isinstance(event, Event)]


def engine(folder: Path) -> Engine:
    return Engine(settings_in(folder), Asks(QUERIES))


def checkpoints_of_a_run(case: Case, folder: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        count = break_off(patch, None)
        engine(folder).ask(case, QUESTION, out=folder / "run")
    return count[0]


@pytest.mark.slow
def test_a_run_without_one_of_its_checkpoints_goes_on(case: Case, tmp_path: Path) -> None:
    most = checkpoints_of_a_run(case, tmp_path / "count")
    whole, state = engine(tmp_path / "whole").ask(case, QUESTION, out=tmp_path / "whole" / "run")
    assert most > 9
    for at in range(1, most + 1):
        folder = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(BrokenOffError):
            break_off(patch, at)
            engine(folder).ask(case, QUESTION, out=folder / "run")
        again, reached = engine(folder).ask(case, QUESTION, resume=str(folder / "run"))
        assert again.model_dump(exclude={"run_id", "trace"}) == whole.model_dump(exclude={"run_id", "trace"}), at
        assert list(reached.evidence) == list(state.evidence), at
        told = kinds(folder / "run")
        # Only what had no checkpoint at all begins with the intake again.
        assert told.count("intake") <= (2 if at <= 3 else 1), at
        assert verify(folder / "run" / "trace.jsonl").ok, at


@pytest.mark.slow
@pytest.mark.parametrize("attended", [False, True])
def test_a_run_that_lost_the_checkpoint_of_its_report_can_be_reviewed(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attended: bool
) -> None:
    plain, _ = engine(tmp_path).ask(case, QUESTION, out=tmp_path / "plain")
    folder = tmp_path / "run"
    last = checkpoints_of_a_run(case, tmp_path / "count")
    with monkeypatch.context() as patch, pytest.raises(BrokenOffError):
        break_off(patch, last)
        engine(tmp_path).ask(case, QUESTION, attended=attended, out=folder)
    made, _ = engine(tmp_path).ask(case, QUESTION, attended=attended, resume=str(folder))
    assert made.answers == plain.answers
    made, _ = engine(tmp_path).review(case, folder, OVERRIDE)
    assert [one.reviewer for one in made.reviews] == ["Dr. Roe"]
    assert made.answers == plain.answers
    assert kinds(folder).count("review") == 1 and verify(folder / "trace.jsonl").ok


@pytest.mark.slow
def test_a_review_without_one_of_its_checkpoints_goes_on(case: Case, tmp_path: Path) -> None:
    engine(tmp_path / "count").ask(case, QUESTION, out=tmp_path / "count" / "run")
    with pytest.MonkeyPatch.context() as patch:
        count = break_off(patch, None)
        engine(tmp_path / "count").review(case, tmp_path / "count" / "run", OVERRIDE)
    assert count[0] >= 3
    for at in range(1, count[0] + 1):
        folder = tmp_path / str(at)
        engine(folder).ask(case, QUESTION, out=folder / "run")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(BrokenOffError):
            break_off(patch, at)
            engine(folder).review(case, folder / "run", OVERRIDE)
        made, _ = engine(folder).ask(case, QUESTION, resume=str(folder / "run"))
        assert [one.reviewer for one in made.reviews] == ["Dr. Roe"], at
        told = kinds(folder / "run")
        assert told.count("review") == 1 and told.count("intake") == 1, at
        assert verify(folder / "run" / "trace.jsonl").ok, at
