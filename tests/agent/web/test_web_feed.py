"""The events of a run: none lost, none twice, in order, for everybody who watches."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web import feed as module
from agent.web.feed import LATEST_ONLY, Feed, Note

EVENTS = st.lists(st.sampled_from(["step", "state", "progress", "writing"]), max_size=30)


async def watch(feed: Feed, after: int = 0) -> list[Note]:
    """Everything that a watcher sees until the end."""
    return [note async for note in feed.watch(after, pause=0.05) if note is not None]


@given(EVENTS, st.integers(0, 40))
def test_who_comes_late_sees_all(events: list[str], after: int) -> None:
    feed = Feed()
    for number, event in enumerate(events):
        feed.put(event, {"n": number})
    feed.end("state", {"last": True})
    seen = asyncio.run(watch(feed))
    kept = [n for n, event in enumerate(events) if event not in LATEST_ONLY or event not in events[n + 1 :]]
    assert [note.data.get("n") for note in seen] == [*kept, None]
    assert [note.number for note in seen] == sorted({note.number for note in seen})
    assert asyncio.run(watch(feed, after)) == [note for note in seen if note.number > after]


def test_after_the_end_nothing_is_told() -> None:
    feed = Feed()
    feed.end("state", {"state": "done"})
    feed.put("step", {})
    feed.end("state", {"state": "failed"})
    assert [note.data for note in asyncio.run(watch(feed))] == [{"state": "done"}]


def test_no_step_is_lost_under_threads() -> None:
    feed = Feed()
    threads, each = 4, 200

    def work(name: int) -> None:
        for number in range(each):
            feed.put("step", {"from": name, "n": number})
            feed.put("progress", {"n": number})

    async def both() -> list[list[Note]]:
        watchers = [asyncio.create_task(watch(feed)) for _ in range(3)]
        await asyncio.sleep(0)
        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for one in workers:
            one.start()
        for one in workers:
            await asyncio.to_thread(one.join)
        feed.end("state", {})
        return await asyncio.gather(*watchers)

    for seen in asyncio.run(both()):
        steps = [note.data for note in seen if note.event == "step"]
        assert len(steps) == threads * each
        for name in range(threads):
            assert [one["n"] for one in steps if one["from"] == name] == list(range(each))
        numbers = [note.number for note in seen]
        assert numbers == sorted(set(numbers))
        assert seen[-1].event == "state"


def test_silence_is_told() -> None:
    async def look() -> Note | None:
        async for note in Feed().watch(pause=0.01):
            return note
        raise AssertionError

    assert asyncio.run(look()) is None


def test_who_leaves_is_forgotten() -> None:
    feed = Feed()
    feed.put("step", {})

    async def look() -> None:
        watching = feed.watch()
        assert (await anext(watching)) is not None
        assert len(feed._watchers) == 1
        await watching.aclose()

    asyncio.run(look())
    assert not feed._watchers


def test_a_loop_that_ended_does_not_end_the_run() -> None:
    feed = Feed()
    loop = asyncio.new_event_loop()
    feed._watchers[asyncio.Event()] = loop
    loop.close()
    feed.put("step", {})
    closing = _Closing()
    feed._watchers[asyncio.Event()] = closing  # type: ignore[assignment]
    feed.put("step", {})
    assert closing.asked
    assert [note.number for note in feed._notes] == [1, 2]


class _Closing:
    """A loop that closes between a look and the call."""

    asked = False

    def is_closed(self) -> bool:
        return False

    def call_soon_threadsafe(self, *_: object) -> None:
        self.asked = True
        raise RuntimeError("Event loop is closed")


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 10)
    feed = Feed()
    for number in range(25):
        feed.put("step", {"n": number})
    feed.end("state", {})
    assert [note.number for note in asyncio.run(watch(feed))] == list(range(17, 27))
