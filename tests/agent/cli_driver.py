"""The command line again and again, each time in a fresh fork: its imports, which take seconds, are paid for once.

Called as a program by ``test_bad_input.py``. Reads JSON objects, one a line: ``arguments``, ``environment`` (added to
this process's own), ``folder``. Of each it writes ``out``, ``err`` and ``peak`` (kB, VmHWM of proc(5)) into the folder
and prints the exit code, minus the signal where one ended it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import agent.commands.ask  # noqa: F401  (what every fork needs)
from agent.cli import main


def serve() -> None:
    """Answer until nothing more is asked."""
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            run(task)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run(task: dict[str, Any]) -> None:
    """One command; never returns."""
    folder = Path(task["folder"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(task["environment"])
    sys.argv = ["tumortrace", *task["arguments"]]
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001  (a child must never go on as its parent)
        sys.excepthook(*sys.exc_info())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    (folder / "peak").write_text(found[1] if found else "")
    os._exit(code)


if __name__ == "__main__":
    serve()
