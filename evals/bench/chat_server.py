"""A server for the benchmark of chats, in a process of its own so that its memory is its own.

    python -m evals.bench.chat_server ROOT STATE RUNS

It prints its port, and ends with its standard input. The model is the scripted one: every round it concludes what is
true, and the critic works as with any model that may conclude otherwise the next time.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from agent.engine import Engine
from agent.models.scripted import ScriptedModel
from agent.settings import Settings
from agent.web.app import build_app, build_parts
from agent.web.config import ServeConfig


def main(root: Path, state: Path, runs: int) -> None:
    """Serve until whoever started this is gone."""
    settings = Settings(home=state / "home", cache=state / "cache", segment="none")
    model = ScriptedModel([lambda _, truthful: truthful])
    config = ServeConfig(port=0, roots=(root,), state=state / "server", runs=runs, queue=1000, model=model.name)
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the command does
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    app = build_app(build_parts(config, Engine(settings, model)))
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
