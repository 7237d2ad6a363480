"""Chats with a server: how soon it answers one person, and how it bears fifty at once.

    python -m evals.bench.chat [--sessions 50] [--runs 2]

Two phantoms, the scripted model, masks given. Aims: the first step within 300 ms of the question, the first answer
within a few seconds, fifty sessions without an error and with bounded memory. The baselines are the same questions
asked of the engine directly, without a server, and the same number of sessions one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.settings import Settings
from evals.bench.chat_client import Asked, open_scan, session
from evals.phantom import make_phantom
from evals.phantom_io import write_phantom
from evals.phantom_options import PhantomOptions

QUESTIONS = (
    "What is the volume of the right kidney?",
    "And the left one?",
    "How many liver metastases are there?",
)
_SEEDS = (11, 12)
_MIB = 1 << 20


def main() -> None:
    """Make the phantoms, time one session, then many, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "scans"
        for seed in _SEEDS:
            write_phantom(make_phantom(PhantomOptions(seed=seed)), root / str(seed), force=False)
        direct = _direct(root / str(_SEEDS[0]), Path(name) / "direct")
        with _served(root, Path(name) / "state", options.runs) as (base, process):
            _measure(console, base, process, direct, options.sessions)


def _measure(console: Console, base: str, process: int, direct: Sequence[float], sessions: int) -> None:
    with httpx.Client(base_url=base, timeout=60) as client:
        listed = [one for one in client.get("/api/sources").json()["sources"] if one["kind"] == "nifti"]
        begin = time.perf_counter()
        scans = [open_scan(client, one["id"], one["labels"][0]["id"]) for one in listed]
        console.print(f"two scans opened in {time.perf_counter() - begin:.2f} s")
    first = session(base, scans[0], QUESTIONS)
    _fail(first)
    console.print("one person:")
    for one, alone in zip(first, direct, strict=True):
        console.print(
            f"  {one.question:45} told {one.told * 1000:4.0f} ms, first step {one.step * 1000:4.0f} ms, answer "
            f"{one.answered:5.2f} s = {one.answered / alone:4.1f} × the engine alone ({alone:.2f} s)"
        )
    expected = {scan: [one.answer for one in session(base, scan, QUESTIONS)] for scan in scans}
    begin = time.perf_counter()
    for number in range(4):
        session(base, scans[number % len(scans)], QUESTIONS)
    each = (time.perf_counter() - begin) / 4
    before = _resident(process)
    begin = time.perf_counter()
    with ThreadPoolExecutor(max_workers=sessions) as pool:
        jobs = [pool.submit(session, base, scans[number % len(scans)], QUESTIONS) for number in range(sessions)]
        peak = before
        while not all(job.done() for job in jobs):
            peak = max(peak, _resident(process))
            time.sleep(0.1)
    took = time.perf_counter() - begin
    mixed = 0
    every: list[Asked] = []
    for number, job in enumerate(jobs):
        every += job.result()
        mixed += [one.answer for one in job.result()] != expected[scans[number % len(scans)]]
    _fail(every)
    told = sorted(one.told for one in every)
    answered = sorted(one.answered for one in every)
    console.print(
        f"{sessions} sessions at once, {len(every)} questions: {took:.1f} s, {took / (each * sessions):.2f} × of one "
        f"after the other ({each * sessions:.1f} s); 0 errors, {mixed} sessions with another's answer\n"
        f"  told after {statistics.median(told) * 1000:.0f} ms (median), {told[-1] * 1000:.0f} ms (longest); answered "
        f"after {statistics.median(answered):.2f} s (median), {answered[-1]:.2f} s (longest)\n"
        f"  memory of the server: {before / _MIB:.0f} MiB before, {peak / _MIB:.0f} MiB at most, "
        f"{_resident(process) / _MIB:.0f} MiB after"
    )
    if mixed:
        raise SystemExit("some sessions got another's answers")


def _direct(folder: Path, state: Path) -> list[float]:
    """Seconds that the same questions take without a server, each the first time."""
    settings = Settings(home=state / "home", cache=state / "cache", segment="none")
    case = open_case(CaseFiles(folder / "ct.nii.gz", (folder / "labels.nii.gz",)))
    engine = Engine(settings, EmbeddedReasoner())
    found = []
    for question in ("What is the volume of the right kidney?", "What is the volume of the left kidney?", QUESTIONS[2]):
        begin = time.perf_counter()
        engine.ask(case, question)
        found.append(time.perf_counter() - begin)
    return found


@contextmanager
def _served(root: Path, state: Path, runs: int) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "evals.bench.chat_server", str(root), str(state), str(runs)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        assert child.stdout is not None and child.stdin is not None
        port = int(child.stdout.readline())
        base = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                httpx.get(f"{base}/api/status", timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        try:
            yield base, child.pid
        finally:
            child.stdin.close()
            child.wait(timeout=30)


def _resident(process: int) -> int:
    """Bytes of memory that a process holds (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024


def _fail(asked: Sequence[Asked]) -> None:
    wrong = [one for one in asked if one.error is not None or not one.answer]
    if wrong:
        raise SystemExit(f"{len(wrong)} questions failed, the first: {wrong[0]}")


if __name__ == "__main__":
    main()
