"""Engines as the settings name them, and engines of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.engines import engine_settings
from agent.errors import UsageError
from agent.settings import Settings
from tools.segment import backends
from tools.segment.backends import load_backends


def test_an_engine_of_another_package_that_breaks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name, value, dist = "theirs", "their_package:ENGINE", None

        def load(self) -> None:
            raise ImportError("no such module")

    monkeypatch.setattr(backends, "entry_points", lambda group: [Broken()])
    load_backends.cache_clear()
    with pytest.raises(UsageError, match=r"'theirs' of the package their_package:ENGINE cannot be loaded"):
        load_backends()
    load_backends.cache_clear()


def test_folders_are_the_same_wherever_an_engine_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", "weights")
    found = engine_settings(Settings(home=tmp_path, cache=tmp_path, bundles="one:./two", models="three"))
    assert found.totalsegmentator == tmp_path / "weights"
    assert found.bundles == (tmp_path / "one", tmp_path / "two")
    assert found.models == (tmp_path / "three",)
