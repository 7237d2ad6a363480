"""Nothing of a run leaves the machine: the graph library's tracing stays off, whatever the environment says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from langsmith.run_helpers import tracing_context

from agent.errors import UsageError

_REFUSED = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")
_OFF = {"", "0", "false", "False"}


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Run the block with LangSmith's tracing off; it would upload the questions and every value measured.

    ``LANGSMITH_TRACING`` and ``LANGCHAIN_TRACING_V2`` have no effect within it.

    Raises:
        UsageError: a variable asks for the old tracer, with which the library refuses to run at all.
    """
    for name in _REFUSED:
        if os.environ.get(name, "") not in _OFF:
            raise UsageError(f"The environment variable {name} asks for an upload of traces; unset it.")
    with tracing_context(enabled=False):
        yield
