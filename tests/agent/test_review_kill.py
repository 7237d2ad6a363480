"""``kill -9`` at any moment of a review: given again, or resumed, it comes to the same report, and to one review."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The first moments are those before the review is written, the last those around the report.
POINTS = [1, 3, 5, 9, 13, 20, 28, 36, 44, 52, 58, -30, -24, -18, -12, -8, -5, -3, -1]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    seeded = random.Random(5)  # noqa: S311
    points = json.dumps([*POINTS, *(seeded.randrange(64, 120) for _ in range(4))])
    command = [sys.executable, "-m", "tests.agent.review_kill_driver", str(tmp_path_factory.mktemp("kill")), points]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["correct", "override"])
def test_a_killed_review_goes_on_to_the_same_report(rows: list[dict[str, Any]], kind: str) -> None:
    whole, *attempts = [row for row in rows if row["name"].startswith(kind)]
    assert not whole["killed"] and len(whole["report"]["reviews"]) == 1
    assert sum(row["killed"] for row in attempts) >= len(POINTS)
    for row in attempts:
        assert row["report"] == whole["report"], row["name"]
        assert row["status"] == ["consistent"], row["name"]


@pytest.mark.slow
def test_the_record_has_one_review_and_no_call_twice(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["verified"] == [], row["name"]
        assert row["twice"] == [], row["name"]
        assert row["kinds"].count("review") == 1 and row["kinds"].count("run.end") == 2, row["name"]
        assert row["kept"], row["name"]


@pytest.mark.slow
def test_kills_hit_every_stage(rows: list[dict[str, Any]]) -> None:
    last = {row["reached"][-1] if row["reached"] else "nothing" for row in rows if row["killed"]}
    assert {"nothing", "review", "run.end"} <= last
    assert any(kind.startswith("tool.") for kind in last)
