from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

import agent.models.loop
from agent.errors import ModelUnavailable
from agent.models.loop import LoopThread


class Resource:
    async def close(self) -> None:
        """Nothing to close."""

    async def number(self) -> int:
        return 5


async def forever(begun: Event) -> int:
    begun.set()
    await asyncio.Event().wait()
    return 0


def ended(thread: LoopThread[Resource]) -> None:
    assert thread._now is not None
    thread._now.thread.join(10)


def test_who_waits_while_it_is_closed_is_told_so() -> None:
    thread, begun = LoopThread(Resource), Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(thread.run, lambda resource: forever(begun))
        assert begun.wait(10)
        thread.close()
        with pytest.raises(ModelUnavailable, match="closed"):
            waiting.result(10)
    assert thread.run(Resource.number) == 5
    thread.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_has_ended_is_begun_anew() -> None:
    thread = LoopThread(Resource)

    async def leave(resource: Resource) -> int:
        raise SystemExit

    with pytest.raises((SystemExit, ModelUnavailable)):
        thread.run(leave)
    ended(thread)
    assert thread.run(Resource.number) == 5
    thread.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_a_loop_that_is_stopped_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.models.loop, "LOOK_S", 0.01)
    thread = LoopThread(Resource)

    async def stop(resource: Resource) -> int:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()
        return 0

    with pytest.raises(ModelUnavailable, match="closed"):
        thread.run(stop)
    ended(thread)
    assert thread.run(Resource.number) == 5
    thread.close()


def test_closing_does_not_wait_for_a_loop_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.models.loop, "CLOSE_S", 0.01)
    thread, begun, on = LoopThread(Resource), Event(), Event()

    async def busy(resource: Resource) -> int:
        begun.set()
        on.wait(30)
        return 0

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(thread.run, busy)
        assert begun.wait(10)
        thread.close()
        assert not waiting.done()
        on.set()
        waiting.exception(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_process_forked_off_while_the_lock_is_held_opens_its_own() -> None:
    thread = LoopThread(Resource)
    assert thread.run(Resource.number) == 5
    with thread._lock:
        child = os.fork()
        if child == 0:
            import signal

            signal.alarm(20)  # a child that hangs is killed
            os._exit(thread.run(Resource.number))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    thread.close()
