"""Where the real scans lie, and how a test gets one answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.report_model import Report
from agent.settings import Settings
from tools.base import Case

DATA = Path(__file__).resolve().parents[1] / "../shared/data"


def real(*parts: str) -> Path:
    """Path of a real scan; skips the test where it is not on this machine."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the real scans are not on this machine ({path})")
    return path


def opened(*folder: str, scan: str = "ct.nii.gz", labels: str | None = "labels.nii.gz") -> Case:
    """A real case."""
    where = real(*folder)
    return open_case(CaseFiles(where / scan, where / labels if labels else None))


def answer(case: Case, question: str | None, home: Path, options: tuple[str, ...] = ()) -> Report:
    """The report on a question."""
    settings = Settings(home=home / "home", cache=home / "cache")
    return Engine(settings, EmbeddedReasoner()).ask(case, question, options=options)[0]
