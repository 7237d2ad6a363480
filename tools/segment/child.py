"""The process in which an engine runs: ``python -m tools.segment.child JOB PARENT``.

It can crash, run out of memory or be killed without harm to the run that asked. It says what it does in a file of
lines, writes its result whole, and cannot reach the network from Python.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import TumorTraceError
from retrieval.files import write_whole
from tools.segment.backends import load_backends
from tools.segment.engine import Job, no_memory

LABELS, NAMES, STEPS, FAILED = "labels.npy", "names.json", "steps.jsonl", "failed.json"
REFUSED = 3
"""Exit code where the engine said why it cannot do the job."""
_PR_SET_PDEATHSIG = 1
_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_HERE = frozenset({"127.0.0.1", "::1", "localhost", ""})
_REFUSAL = "a segmentation engine has no network here"


def main(path: str, parent: int) -> int:
    """Do the job that a file describes for the process of that id; the exit code says how it went."""
    job = Job.model_validate_json(Path(path).read_bytes())
    _end_with_parent(parent)
    sys.addaudithook(_no_network)
    if job.memory_gib is not None:
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = int(job.memory_gib * 2**30)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    steps = (job.out / STEPS).open("a", encoding="utf-8", buffering=1)

    def tell(what: str, finished: int, planned: int) -> None:
        steps.write(json.dumps([what, finished, planned]) + "\n")

    try:
        made = load_backends()[job.backend].run(job, tell)
    except (TumorTraceError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not no_memory(error):
            raise
        reason = str(error) if isinstance(error, TumorTraceError) else "it ran out of memory"
        write_whole(job.out / FAILED, lambda file: file.write(json.dumps({"reason": reason}).encode()))
        return REFUSED
    finally:
        steps.close()
    names = {str(value): name for value, name in made.names.items()}
    write_whole(job.out / LABELS, lambda file: np.save(file, made.labels, allow_pickle=False))
    write_whole(job.out / NAMES, lambda file: file.write(json.dumps(names).encode()))
    return 0


def _end_with_parent(parent: int) -> None:
    """A run that is killed leaves no engine behind (Linux; elsewhere the engine ends by itself)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have ended before it could be asked for; in a container it may be process 1.
        if os.getppid() != parent:
            raise SystemExit(1)


def _no_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Nothing is fetched behind the user's back, and nothing waits for a network that is not there.

    Python tells its audit hooks of every connection, datagram and name that is looked up, whichever library asks.
    """
    if event in _SENDS:
        address: Any = arguments[1]
        if isinstance(address, tuple) and not _here(address[0]):
            raise OSError(_REFUSAL)
    elif event in _LOOKUPS and not _here(arguments[0]):
        raise OSError(_REFUSAL)


def _here(host: Any) -> bool:
    """Whether a host is this machine, which libraries ask for its own name."""
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    return name is None or name in {*_HERE, os.uname().nodename}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
