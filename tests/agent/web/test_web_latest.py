"""Results that are held while there is room for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.web.latest import Latest


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50))), st.integers(1, 5), st.integers(0, 100))
def test_no_more_is_held_than_there_is_room_for(puts: list[tuple[int, int]], most: int, room: int) -> None:
    held: Latest[int] = Latest(most, room, int)
    for key, size in puts:
        held.put((str(key),), size)
        kept = [one for one in (held.peek((str(number),)) for number in range(10)) if one is not None]
        assert held.peek((str(key),)) == size
        assert len(kept) <= most
        assert len(kept) == 1 or sum(kept) <= room
