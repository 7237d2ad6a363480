"""What keeping results saves: the same report on a raw scan twice, the second time with the cache of the first.

    python -m evals.bench.rerun [--segment NAMES]

The run itself is a new one each time, with a trace and a report of its own; kept are masks, measurements, crops and
vectors, by content. Two ways: as a command, which starts Python and reads all knowledge each time, and in a process
that stays (chat, cohort). The ratio grows with the time that the engines take: the embedded one takes seconds, others
minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.engines import workshop
from agent.library import library
from agent.models.embedded import EmbeddedReasoner
from agent.settings import Settings
from evals.phantom import make_phantom
from evals.phantom_io import write_phantom
from evals.phantom_options import PhantomOptions

SEED = 810_000


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of processor time with that of child processes."""
    begin, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return time.perf_counter() - begin, sum(after[:4]) - sum(before[:4])


def _command(scan: Path, folder: Path, segment: str) -> Callable[[], None]:
    environment = {**os.environ, "TUMORTRACE_HOME": str(folder / "home"), "TUMORTRACE_CACHE": str(folder / "cache")}
    program = [sys.executable, "-c", "from agent.cli import main; main()"]

    def run() -> None:
        given = ["report", str(scan), "--segment", segment, "--json"]
        subprocess.run([*program, *given], env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603

    return run


def _staying(scan: Path, folder: Path, segment: str) -> Callable[[], None]:
    settings = Settings(home=folder / "home", cache=folder / "cache")
    engine = Engine(
        settings, EmbeddedReasoner(), workshop=workshop(settings, segment, lambda *_: None), look_everywhere=True,
        library=library(settings, None, None),
    )  # fmt: skip
    case = open_case(CaseFiles(scan=scan))

    def run() -> None:
        engine.ask(case, None)

    return run


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--segment", default="embedded", help="engines, as --segment of a report takes them")
    chosen = parser.parse_args()
    table = Table("", "first (s)", "second (s)", "ratio", "ratio of processor time")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = write_phantom(make_phantom(PhantomOptions(seed=SEED)), folder / "phantom").scan
        # What a process reads once is not counted where the process stays.
        _staying(scan, folder / "warm", chosen.segment)()
        for what, make in (("command", _command), ("process that stays", _staying)):
            run = make(scan, folder / make.__name__, chosen.segment)
            first, second = _timed(run), _timed(run)
            table.add_row(
                what, f"{first[0]:.1f}", f"{second[0]:.2f}", f"{first[0] / second[0]:.1f}",
                f"{first[1] / second[1]:.1f}",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
