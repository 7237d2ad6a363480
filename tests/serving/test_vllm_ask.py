"""The program against a real server with a model that knows nothing: what it reports is so, or is left open."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.commands.options import choose_model
from agent.engine import Engine
from agent.report_model import Report
from agent.settings import Settings
from agent.trace import read_events
from agent.trace_schema import Event, Kind
from evals.phantom_io import PhantomFiles
from tests.serving.real_server import Server
from tests.serving.served_runs import (
    SHORT,
    UNRESOLVED,
    begun,
    command,
    embedded,
    environment,
    finished,
    opened,
    small_phantom,
    untrue,
)
from tools.base import Case

pytestmark = pytest.mark.serving

QUESTIONS = [
    "What is the volume of the liver?",
    "Is the spleen enlarged?",
    "How many liver lesions are there?",
    "What is the volume of the left kidney?",
]
STRUCTURES = ["liver", "spleen", "pancreas", "gallbladder", "left kidney", "right kidney", "stomach", "urinary bladder"]


@dataclass(frozen=True)
class Patient:
    """A phantom, opened, with what is true of it."""

    files: PhantomFiles
    case: Case
    everything: Report


@pytest.fixture(scope="session")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Patient]]:
    """Two that differ in everything."""
    made = []
    for seed, diameter in ((7, 30.0), (8, 45.0)):
        folder = tmp_path_factory.mktemp(f"patient-{seed}")
        files = small_phantom(folder / "phantom", seed, diameter)
        case = opened(files)
        made.append(Patient(files, case, embedded(case, None, folder / "whole")))
    yield made


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_the_embedded_one_or_left_open(
    server: Server, patients: list[Patient], tmp_path: Path, question: str
) -> None:
    patient = patients[0]
    ran = finished(begun(command(patient.files, question, server), environment(tmp_path)))
    assert ran.code in {0, UNRESOLVED}, ran.error
    assert ran.report is not None
    assert (ran.code == UNRESOLVED) == (ran.report.status == "unresolved")
    truth = embedded(patient.case, question, tmp_path / "truth")
    assert untrue(ran.report, truth, patient.everything) == []


def test_a_report_on_everything_says_nothing_that_is_not_so(
    server: Server, patients: list[Patient], tmp_path: Path
) -> None:
    patient = patients[0]
    words = command(patient.files, "", server)
    words[3] = "report"
    words.remove("")
    ran = finished(begun(words, environment(tmp_path)))
    assert ran.code in {0, UNRESOLVED}, ran.error
    assert ran.report is not None
    assert untrue(ran.report, patient.everything, patient.everything) == []


def test_sixteen_runs_at_once_do_not_mix(
    server: Server, patients: list[Patient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two patients, eight questions each, one model for all: every run speaks of its own patient and structure."""
    for name, value in SHORT.items():
        monkeypatch.setenv(name, value)
    jobs = [(patient, f"What is the volume of the {name}?") for name in STRUCTURES for patient in patients]
    model = choose_model(f"{server.url}#{server.model}")

    def one(number: int) -> tuple[Report, Path]:
        patient, question = jobs[number]
        home = tmp_path / str(number)
        settings = Settings(home=home / "home", cache=home / "cache")
        report, _ = Engine(settings, model).ask(patient.case, question, out=home / "run")
        return report, home / "run"

    with ThreadPoolExecutor(len(jobs)) as pool:
        done = list(pool.map(one, range(len(jobs))))
    for number, (report, folder) in enumerate(done):
        patient, question = jobs[number]
        truth = embedded(patient.case, question, tmp_path / f"truth-{number}")
        assert untrue(report, truth, patient.everything) == [], question
        assert set(report.evidence) <= set(truth.evidence) | set(patient.everything.evidence), question
        assert report.question == question
        called = [event for event in read_events(folder / "trace.jsonl") if isinstance(event, Event)]
        assert [event for event in called if event.kind == Kind.MODEL_CALL], question
