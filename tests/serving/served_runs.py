"""Runs of the program against the real server, and what is compared of their reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.report_model import Answer, EvidenceOut, Report
from agent.settings import Settings
from evals.phantom import make_phantom
from evals.phantom_io import PhantomFiles, write_phantom
from evals.phantom_options import LesionSpec, PhantomOptions
from tests.agent.test_numbers_resolve import problems
from tests.serving.real_server import ROOT, Server
from tools.base import Case

UNRESOLVED = 3
BAD_INPUT = 2
DIFFERS = {"run_id", "trace", "usage"}
"""What no two runs share."""
SHORT = {
    "TUMORTRACE_MAX_ROUNDS": "2",
    "TUMORTRACE_MODEL_MAX_TOKENS": "250",
    "TUMORTRACE_MODEL_TIMEOUT_S": "300",
}
"""A tiny model fills whatever room it gets, and may have a slow machine to itself or share it."""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    report: Report | None
    error: str


def small_phantom(folder: Path, seed: int, diameter_mm: float) -> PhantomFiles:
    """A coarse phantom with lesions of the liver and a cyst of the left kidney."""
    lesions = (
        LesionSpec(type="liver_metastasis", diameter_mm=diameter_mm),
        LesionSpec(type="kidney_cyst", diameter_mm=25, side="left"),
    )
    return write_phantom(make_phantom(PhantomOptions(seed=seed, spacing=(5, 5, 5), lesions=lesions)), folder)


def opened(files: PhantomFiles) -> Case:
    """The phantom as a case."""
    return open_case(CaseFiles(files.scan, (files.labels, files.parts)))


def embedded(case: Case, question: str | None, home: Path, options: tuple[str, ...] = ()) -> Report:
    """What the embedded reasoner reports."""
    settings = Settings(home=home / "home", cache=home / "cache")
    return Engine(settings, EmbeddedReasoner()).ask(case, question, options=options)[0]


def command(files: PhantomFiles, question: str, server: Server, *more: str) -> list[str]:
    """``tumortrace ask`` with the served model."""
    return [
        sys.executable, "-m", "agent.cli", "ask", str(files.scan), question, "--labels", str(files.labels),
        "--labels", str(files.parts), "--model", f"{server.url}#{server.model}", "--json", *more,
    ]  # fmt: skip


def environment(home: Path, **more: str) -> dict[str, str]:
    """Variables of a run with its own home."""
    own = {"TUMORTRACE_HOME": str(home / "home"), "TUMORTRACE_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    # The runs that they are compared with are made here, without a case base.
    own["TUMORTRACE_INDEX"] = "none"
    return os.environ | own | SHORT | more


def finished(process: subprocess.Popen[str], timeout: float = 600.0) -> Ran:
    """Wait for a command; one that takes too long is ended."""
    try:
        out, error = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
    report = Report.model_validate_json(out) if process.returncode in {0, UNRESOLVED} else None
    return Ran(process.returncode, report, error)


def begun(words: list[str], variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(report: Report) -> list[str]:
    """All that a report says as fact."""
    answers = [one.text for one in report.answers]
    return answers + [one.text for one in (*report.findings, *report.impression)]


def untrue(served: Report, truth: Report, everything: Report) -> list[str]:
    """What a served report says that isn't so.

    Args:
        served: the report to check.
        truth: what the embedded reasoner reports on the same question.
        everything: what it reports on the whole case.
    """
    found = problems(served)
    known = truth.evidence | everything.evidence
    for ident, one in served.evidence.items():
        if ident in known and _fact(one) != _fact(known[ident]):
            found.append(f"evidence {ident} differs")
    right = {answer.question: answer for answer in truth.answers}
    for answer in served.answers:
        same = right.get(answer.question)
        if served.status == "consistent" and (same is None or _said(answer) != _said(same)):
            found.append(f"{answer.text!r} is not what is true: {same.text if same else None!r}")
    sayable = set(told(truth)) | set(told(everything))
    found += [
        f"nobody else says {one.text!r}" for one in (*served.findings, *served.impression) if one.text not in sayable
    ]
    return found


def _fact(one: EvidenceOut) -> tuple[object, ...]:
    return one.value, one.unit, one.state


def _said(one: Answer) -> tuple[object, ...]:
    return one.value, one.unit, one.state, one.option


def compared(report: Report) -> dict[str, Any]:
    """A report without what no two runs share."""
    plain: dict[str, Any] = json.loads(report.model_dump_json(by_alias=True))
    return {name: value for name, value in plain.items() if name not in DIFFERS}
