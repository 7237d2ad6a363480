"""A folder that takes no more than its room."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.web.bounded_folder import BoundedFolder

STEPS = st.lists(st.tuples(st.sampled_from("rw"), st.sampled_from("abcdef"), st.integers(0, 60)), max_size=30)


def taken(folder: Path) -> int:
    """Bytes of its files."""
    return sum(one.stat().st_size for one in folder.iterdir()) if folder.is_dir() else 0


def aged(folder: Path, name: str, age: int) -> None:
    """Let a file have been used a while ago."""
    os.utime(folder / name, (1_000_000_000 - age, 1_000_000_000 - age))


def test_what_was_used_least_lately_goes(tmp_path: Path) -> None:
    kept = BoundedFolder(tmp_path, 100)
    for age, name in enumerate("abc"):
        kept.write(name, name.encode() * 30)
        aged(tmp_path, name, 10 * age)
    assert kept.read("c") == b"c" * 30  # used now, though it was the oldest
    kept.write("d", b"d" * 30)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "c", "d"]
    assert (kept.read("b"), kept.read("d")) == (None, b"d" * 30)


@pytest.mark.parametrize("room", [0, 9])
def test_what_has_no_room_is_not_kept_and_costs_nothing_else(tmp_path: Path, room: int) -> None:
    kept = BoundedFolder(tmp_path / "volumes", room)
    kept.write("small", b"x" * room)
    kept.write("large", b"x" * 10)
    assert (kept.read("large"), kept.read("small")) == (None, b"x" * room)


def test_a_file_is_replaced_in_its_own_room(tmp_path: Path) -> None:
    kept = BoundedFolder(tmp_path, 100)
    kept.write("a", b"a" * 40)
    kept.write("b", b"b" * 60)
    kept.write("b", b"B" * 60)
    assert (kept.read("a"), kept.read("b")) == (b"a" * 40, b"B" * 60)


def test_who_reads_a_file_that_goes_reads_all_of_it(tmp_path: Path) -> None:
    kept = BoundedFolder(tmp_path, 100)
    kept.write("a", b"a" * 80)
    with (tmp_path / "a").open("rb") as open_file:
        assert open_file.read(1) == b"a"
        kept.write("b", b"b" * 80)
        assert kept.read("a") is None
        assert open_file.read() == b"a" * 79


def test_drafts_that_nobody_finished_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    (tmp_path / ".new-old").write_bytes(b"x" * 500)
    (tmp_path / ".new-fresh").write_bytes(b"x" * 500)
    aged(tmp_path, ".new-old", 0)
    kept = BoundedFolder(tmp_path, 100)
    kept.write("a", b"a" * 100)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".new-fresh", "a"]


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "volumes").write_text("a file")
    kept = BoundedFolder(tmp_path / "volumes", 100)
    kept.write("a", b"a")
    assert kept.read("a") is None
    assert "could not be kept" in caplog.text


@settings(max_examples=25)
@given(STEPS)
def test_there_is_never_more_than_the_room_and_never_another_content(steps: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "volumes"
        kept, last = BoundedFolder(folder, 100), dict[str, bytes]()
        for what, name, size in steps:
            if what == "w":
                last[name] = name.encode() * size
                kept.write(name, last[name])
                assert kept.read(name) == last[name]
            else:
                assert kept.read(name) in {None, last.get(name)}
            assert taken(folder) <= 100


def test_many_threads_and_two_servers(tmp_path: Path) -> None:
    both = [BoundedFolder(tmp_path, 300) for _ in range(2)]

    def work(number: int) -> bool:
        kept, name = both[number % 2], "abcdefgh"[number % 8]
        kept.write(name, name.encode() * 60)
        return kept.read(name) in {None, name.encode() * 60}

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))
    # Each makes room for what it writes itself; two that write at once may pass the room by one file.
    assert taken(tmp_path) <= 360
