"""Runs as the server's records hold them, of this version or another."""

from __future__ import annotations

from contextlib import suppress

import pydantic

from agent.query import Query
from agent.web.database import Row
from agent.web.run_shapes import RunRow

KEPT = ("options", "previous", "spoken", "queries", "next", "review")
"""What is remembered of a run beyond its row."""


def row_of(record: Row) -> RunRow | None:
    """The row of a record; None where this version cannot read it."""
    try:
        return RunRow.model_validate({name: record[name] for name in RunRow.model_fields if name in record})
    except pydantic.ValidationError:
        return None


def known(record: Row) -> RunRow:
    """The row of a record that was looked at before."""
    found = row_of(record)
    assert found is not None
    return found


def again(record: Row) -> RunRow:
    """The row of a run that is queued once more."""
    return known(record).model_copy(update={"state": "queued", "error": None, "ended": None})


def queries_of(record: Row, name: str) -> list[Query]:
    """Queries of a record; none where this version cannot read them."""
    with suppress(pydantic.ValidationError, TypeError):
        return [Query.model_validate(one) for one in record.get(name) or []]
    return []
