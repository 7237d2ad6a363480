"""Whatever is done to a finished trace is found, and the event it was done to is named."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace import TraceWriter, Verification, verify
from agent.trace_schema import FIRST_PREV, MAX_LINE_BYTES, MAX_TRACE_BYTES, Event, chain_hash, parse_line

pytestmark = pytest.mark.slow

START = {"run_id": "r1", "question": "Größe der Milz?", "version": "0.1.0"}


@functools.cache
def finished(key: bytes | None = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        with TraceWriter.open(path, "r1", key=key) as trace:
            trace.append("run.start", START)
            trace.append("intake", {"notes": ["spacing 3.0 mm"]})
            trace.append("tool.start", {"call": "a", "tool": "measure", "arguments": {"n": 1.5, "m": 10}})
            trace.append("tool.start", {"call": "b", "tool": "measure"})
            trace.append("tool.end", {"call": "a", "tool": "measure", "seconds": 1.0})
            trace.append("tool.end", {"call": "b", "tool": "measure", "seconds": 1.0})
            trace.finish("consistent", {})
        return path.read_bytes()


def look(content: bytes, key: bytes | None = None) -> Verification:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        path.write_bytes(content)
        return verify(path, key)


def lines() -> list[bytes]:
    return finished().splitlines(keepends=True)


LAST = 6
some_line = st.integers(0, LAST)


def test_untouched_is_fine() -> None:
    assert look(finished()).ok


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_byte_is_found_and_named(data: st.DataObject) -> None:
    content = bytearray(finished())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
    line = finished()[:at].count(b"\n") + 1
    found = look(bytes(content))
    assert not found.ok
    assert line in {problem.line for problem in found.problems}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_any_inserted_bytes_are_found(at: int, extra: bytes) -> None:
    content = finished()
    at %= len(content) + 1
    assert not look(content[:at] + extra + content[at:]).ok


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3000))
def test_any_cut_is_found(at: int, length: int) -> None:
    content = finished()
    at %= len(content)
    assert not look(content[:at] + content[at + length :]).ok


@given(some_line)
def test_a_removed_event_is_found_and_named(gone: int) -> None:
    kept = lines()
    del kept[gone]
    found = look(b"".join(kept))
    assert not found.ok
    if gone == LAST:
        assert found.incomplete
        assert found.problems[0].line == LAST
    elif gone:
        assert f"event {gone} should stand before it" in str(found.problems[0])
        assert found.problems[0].line == gone + 1
    else:
        assert any("begins with run.start" in str(problem) for problem in found.problems)


@given(some_line, some_line)
def test_a_repeated_event_is_found_and_named(source: int, target: int) -> None:
    more = lines()
    more.insert(target + 1, more[source])
    found = look(b"".join(more))
    assert not found.ok
    assert any(p.seq == source and ("already" in p.what or "before it" in p.what) for p in found.problems)


@given(st.tuples(some_line, some_line).filter(lambda pair: pair[0] != pair[1]))
def test_swapped_events_are_found_and_named(pair: tuple[int, int]) -> None:
    a, b = sorted(pair)
    moved = lines()
    moved[a], moved[b] = moved[b], moved[a]
    found = look(b"".join(moved))
    assert not found.ok
    assert {a + 1, b + 1} <= {problem.line for problem in found.problems}
    assert {a, b} <= {problem.seq for problem in found.problems}


@given(some_line, st.booleans())
def test_a_forged_event_with_its_own_right_hash_is_found(at: int, replaces: bool) -> None:
    changed = lines()
    event = parse_line(changed[at]).model_dump(exclude={"hash"})
    event["data"] = {**event["data"], "reason": "forged"}
    forged = parse_line(changed[at]).model_copy(update={**event, "hash": chain_hash(event, None)}).line()
    changed[at : at + replaces] = [forged]
    found = look(b"".join(changed))
    if replaces and at == LAST:
        # What a plain chain cannot show: its end rewritten. A key can, see below.
        assert found.ok
    else:
        assert not found.ok
        assert min(problem.line for problem in found.problems) == at + 2


def rechained(events: list[dict[str, Any]], renumber: bool) -> bytes:
    """Events with fresh hashes, as a forger would write them."""
    out, prev = [], FIRST_PREV
    for number, event in enumerate(events):
        content = {**event, "prev": prev, "seq": number if renumber else event["seq"]}
        prev = chain_hash(content, None)
        out.append(Event.model_validate({**content, "hash": prev}).line())
    return b"".join(out)


@pytest.mark.parametrize("gone", range(1, LAST))
def test_even_with_fresh_hashes_the_end_counts_its_events(gone: int) -> None:
    events = [parse_line(line).model_dump(exclude={"hash"}) for line in lines()]
    assert rechained(events, renumber=True) == finished()
    del events[gone]
    found = look(rechained(events, renumber=True))
    assert [str(p) for p in found.problems] == ["line 6, event 5 (run.end): it counts 7 events, 6 are there"]


@pytest.mark.parametrize("again", range(1, LAST))
def test_even_with_fresh_hashes_a_repeated_number_is_named(again: int) -> None:
    events = [parse_line(line).model_dump(exclude={"hash"}) for line in lines()]
    events.insert(again + 1, events[again])
    events[-1]["data"]["events"] = LAST + 2
    found = look(rechained(events, renumber=False))
    assert [(p.line, p.seq) for p in found.problems] == [(again + 2, again)]
    assert "stands further up already" in str(found.problems[0])


def test_a_key_shows_a_rewritten_end() -> None:
    key = b"secret"
    assert look(finished(key), key).ok
    changed = finished(key).splitlines(keepends=True)
    event = parse_line(changed[-1])
    content = event.model_dump(exclude={"hash"})
    content["data"]["status"] = "unresolved"
    for other in (None, b"guess"):
        forged = event.model_copy(update={**content, "hash": chain_hash(content, other)}).line()
        found = look(b"".join([*changed[:-1], forged]), key)
        assert [problem.seq for problem in found.problems] == [LAST]
    assert "TUMORTRACE_TRACE_KEY" in str(look(finished(key)).problems[0])
    assert "wrong" in str(look(finished(key), b"other").problems[0])
    assert "not keyed" in str(look(finished(), key).problems[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n", "not an event"),
        (b"[1]\n", "not an event"),
        (b"[" * 100_000 + b"\n", "not an event"),
        (b'{"a":' + b"9" * 5000 + b"}\n", "not an event"),
        (b"\xff\xfe\n", "not an event"),
        (b" " * (MAX_LINE_BYTES + 5), "longer than"),
        (finished()[:-1], "torn"),
        (finished().replace(b'"seq":1,', b'"seq": 1,'), "canonical"),
        (finished() + lines()[LAST], "after the end"),
    ],
)
def test_malformed_traces(content: bytes, words: str) -> None:
    found = look(content)
    assert not found.ok
    assert any(words in str(problem) for problem in found.problems)


def test_a_huge_trace_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_TRACE_BYTES + 1)
    assert "larger" in str(verify(path).problems[0])


def test_a_missing_trace(tmp_path: Path) -> None:
    assert "no trace" in str(verify(tmp_path / "trace.jsonl").problems[0])


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        ({"report.json": "0" * 64}, "not the file"),
        ({"images/liver.png": "0" * 64}, "missing"),
        ({"../report.json": "0" * 64}, "outside"),
        ({"/etc/hostname": "0" * 64}, "outside"),
        ({"link.json": "0" * 64}, "outside"),
    ],
)
def test_artifacts_beside_the_trace(tmp_path: Path, artifacts: dict[str, str], words: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "report.json").write_text("elsewhere")
    (folder / "report.json").write_text("changed since")
    (folder / "link.json").symlink_to(tmp_path / "report.json")
    with TraceWriter.open(folder / "trace.jsonl", "r1") as trace:
        trace.append("run.start", START)
        trace.finish("consistent", artifacts)
    found = verify(folder / "trace.jsonl")
    assert [problem.kind_of for problem in found.problems] == ["artifact"]
    assert words in str(found.problems[0])
    assert "event 1 (run.end)" in str(found.problems[0])
    assert verify(folder / "trace.jsonl", artifacts=False).ok
