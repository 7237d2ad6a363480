"""Margins: every file is complete, and what rests on them is cached by their content."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.errors import UsageError
from tools import base
from tools.rules.margins import Margin, load_margins, margin

VALUES = {
    "lesion-attenuation-radgpt": (0.1, "1"),
    "volume-same-margin": (5.0, "%"),
    "lesion-burden-asymmetry": (2.0, "1"),
    "recist-lesion": (10.0, "mm"),
    "recist-slice": (5.0, "mm"),
    "recist-node-target": (15.0, "mm"),
    "recist-node-normal": (10.0, "mm"),
    "recist-targets": (5.0, "1"),
    "recist-targets-per-organ": (2.0, "1"),
}


def test_values_are_those_of_the_sources() -> None:
    assert {one.id: (one.value, one.unit) for one in load_margins().values()} == VALUES


def test_every_file_is_named_after_what_it_holds_and_says_where_it_is_from() -> None:
    folder = Path(str(files("tools").joinpath("rules/margins")))
    assert {path.stem for path in folder.glob("*.toml")} == set(load_margins())
    for one in load_margins().values():
        assert one.citation
        assert one.source
        # the note is shown as a method: numbers in sentences are bound to evidence
        assert one.note
        assert not any(character.isdecimal() for character in one.note)
        own = one.source == "TumorTrace default"
        assert own == one.citation.startswith("TumorTrace default")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_margin_without_sense_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Margin(id="x", version="1", source="s", citation="c", value=value, unit="1")


def test_unknown_margins_are_named() -> None:
    with pytest.raises(UsageError, match="no-such"):
        margin("no-such")


def test_a_changed_margin_changes_every_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = base.knowledge_digest()
    copy = tmp_path / "rules"
    for folder in ("rules/data", "rules/margins"):
        target = tmp_path / folder
        target.mkdir(parents=True)
        for path in Path(str(files("tools").joinpath(folder))).glob("*.toml"):
            (target / path.name).write_text(path.read_text())
    real = files
    monkeypatch.setattr(base, "files", lambda name: tmp_path if name == "tools" else real(name))
    base.knowledge_digest.cache_clear()
    assert base.knowledge_digest() == before
    changed = copy / "margins" / "volume-same-margin.toml"
    changed.write_text(changed.read_text().replace("5.0", "6.0"))
    base.knowledge_digest.cache_clear()
    assert base.knowledge_digest() != before
    base.knowledge_digest.cache_clear()
