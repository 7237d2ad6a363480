"""The distribution: its names are its own, its command line is whole, its data are packed."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import GROUP, build_app

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agent", "tools", "prompts", "retrieval", "evals")


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_our_names(package: str) -> None:
    owners = set(packages_distributions().get(package, []))
    assert owners <= {"tumortrace"}


@pytest.mark.slow
def test_every_command_is_called_like_its_entry_point() -> None:
    points = {point.name for point in entry_points(group=GROUP)}
    runner = CliRunner()
    for name in sorted(points):
        shown = runner.invoke(build_app(name), [name, "--help"])
        assert shown.exit_code == 0, (name, shown.output)
    assert points >= {"ask", "report", "chat", "cohort", "doctor", "trace", "phantom", "rules", "questions"}


def test_an_unknown_command_is_a_usage_error() -> None:
    shown = CliRunner().invoke(build_app("nonsense"), ["nonsense"])
    assert shown.exit_code == 2


def test_heavy_engines_are_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = " ".join(project["dependencies"]).lower()
    assert not [name for name in ("torch", "monai", "totalsegmentator", "simpleitk", "vllm") if name in core]
    assert set(project["optional-dependencies"]) >= {"totalsegmentator", "monai"}


def test_licence_and_notice_are_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "For research use only" in (ROOT / "README.md").read_text(encoding="utf-8")
