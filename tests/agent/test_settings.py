from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.settings import Settings

NAMES = ("HOME", "CACHE", "WORKERS", "MAX_ROUNDS", "MAX_TOOL_CALLS", "TRACE_KEY")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"TUMORTRACE_{name}", raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_defaults_follow_the_base_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().home == tmp_path / ".local/share/tumortrace"
    assert Settings().cache == tmp_path / ".cache/tumortrace"
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert Settings().home == Path("/srv/data/tumortrace")
    assert Settings().cache == tmp_path / ".cache/tumortrace"


def test_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMORTRACE_HOME", "/srv/runs")
    monkeypatch.setenv("TUMORTRACE_WORKERS", "8")
    monkeypatch.setenv("TUMORTRACE_TRACE_KEY", "secret")
    settings = Settings()
    assert (settings.home, settings.workers) == (Path("/srv/runs"), 8)
    assert "secret" not in repr(settings)
    monkeypatch.setenv("TUMORTRACE_WORKERS", "0")
    with pytest.raises(ValidationError):
        Settings()
