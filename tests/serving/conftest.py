"""One real server for the whole test run: the one that a setting names, or one on this machine.

The server on this machine is shared by all processes of a run: the first one starts it, the last one stops it. Every
test holds a shared lock; a test that ends the server takes it alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

from tests.serving.real_server import Server, model_of, shared_server, turn


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server; a run without one fails."""
    given = os.environ.get("TUMORTRACE_VLLM_URL")
    if given:
        url, _, name = given.partition("#")
        yield Server(url, name or model_of(url), ours=False)
        return
    with shared_server() as url:
        yield Server(url, model_of(url), ours=True)


@pytest.fixture(autouse=True)
def one_turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests share the server, except one that is marked to end it."""
    if "server" not in request.fixturenames:
        yield
        return
    alone = request.node.get_closest_marker("ends_server") is not None
    with turn(fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        yield
