"""The process in which an engine runs: ``python -m tools.segment.child JOB``.

It can crash, run out of memory or be killed without harm to the run that asked. It says what it does in a file of
lines, writes its result whole, and cannot reach the network.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import TumorTraceError
from tools.files import write_whole
from tools.segment.backends import load_backends
from tools.segment.engine import Job

LABELS, NAMES, STEPS, FAILED = "labels.npy", "names.json", "steps.jsonl", "failed.json"
REFUSED = 3
"""Exit code where the engine said why it cannot do the job."""
_PR_SET_PDEATHSIG = 1


def main(path: str) -> int:
    """Do the job that a file describes; the exit code says how it went."""
    job = Job.model_validate_json(Path(path).read_bytes())
    _end_with_parent()
    _no_network()
    if job.memory_gib is not None:
        limit = int(job.memory_gib * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    steps = (job.out / STEPS).open("a", encoding="utf-8", buffering=1)

    def tell(what: str, finished: int, planned: int) -> None:
        steps.write(json.dumps([what, finished, planned]) + "\n")

    try:
        made = load_backends()[job.backend].run(job, tell)
    except (TumorTraceError, MemoryError) as error:
        reason = "it ran out of memory" if isinstance(error, MemoryError) else str(error)
        write_whole(job.out / FAILED, lambda file: file.write(json.dumps({"reason": reason}).encode()))
        return REFUSED
    finally:
        steps.close()
    names = {str(value): name for value, name in made.names.items()}
    write_whole(job.out / LABELS, lambda file: np.save(file, made.labels, allow_pickle=False))
    write_whole(job.out / NAMES, lambda file: file.write(json.dumps(names).encode()))
    return 0


def _end_with_parent() -> None:
    """A run that is killed leaves no engine behind (Linux; elsewhere the engine ends by itself)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            raise SystemExit(1)


def _no_network() -> None:
    """Nothing is fetched behind the user's back, and nothing waits for a network that is not there."""

    def refuse(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _loopback(address):
            raise OSError("a segmentation engine has no network here")
        return connect(self, address)

    connect = socket.socket.connect
    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]


def _loopback(address: Any) -> bool:
    return isinstance(address, tuple) and str(address[0]) in {"127.0.0.1", "::1", "localhost"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
