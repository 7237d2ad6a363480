"""Engines look ahead: a question after that finds their masks, and an engine that fails harms nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.engine import Engine
from agent.errors import Cancelled
from agent.models.embedded import EmbeddedReasoner
from agent.prepare import prepare
from agent.settings import Settings
from tests.engine_make import NAME, give, install
from tests.tools.segment.plausible_make import Arrays, torso
from tools.array_store import ArrayStore
from tools.segment.backends import load_backends
from tools.segment.engine import EngineSettings
from tools.segment.workshop import Workshop

ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "stomach", "pancreas", "duodenum")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    load_backends.cache_clear()


@pytest.fixture(scope="module")
def body() -> Arrays:
    return torso()


def _shop(tmp_path: Path) -> Workshop:
    return Workshop(EngineSettings(cache=tmp_path / "cache"), ArrayStore(tmp_path / "cache"), engines=(NAME,))


def _organs(tmp_path: Path, body: Arrays) -> str:
    numbers = {name: body.numbers[name] for name in ORGANS}
    kept = np.where(np.isin(body.labels, list(numbers.values())), body.labels, 0).astype(np.uint8)
    return give(tmp_path, "give_organs", kept, numbers)


@pytest.mark.slow
def test_a_question_after_looking_ahead_starts_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    ran = install(tmp_path, monkeypatch, _organs(tmp_path, body))
    case = replace(body.case, labels=None)
    shop = _shop(tmp_path)
    assert prepare(case, shop) == 1
    looked = len(ran.read_text().split())
    assert looked == 1
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache")
    report, _ = Engine(settings, EmbeddedReasoner(), workshop=shop).ask(case, "What is the volume of the spleen?")
    assert report.status == "consistent"
    assert len(ran.read_text().split()) == looked


def test_looking_ahead_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays) -> None:
    install(tmp_path, monkeypatch, _organs(tmp_path, body))

    def check() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        prepare(replace(body.case, labels=None), replace(_shop(tmp_path), check=check))


@pytest.mark.slow
def test_an_engine_that_fails_is_left_for_the_question_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Arrays
) -> None:
    install(tmp_path, monkeypatch, "crash")
    assert prepare(replace(body.case, labels=None), _shop(tmp_path)) == 0
