"""``kill -9`` at any moment: the same command with --resume goes on, and no finished tool call is made again."""

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
# The first moments are those before there is a checkpoint, the last those around the report.
POINTS = [4, 8, 12, 16, 20, -20, -9, -4, -1]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    seeded = random.Random(11)  # noqa: S311
    plan = {
        "points": POINTS + [seeded.randrange(21, 640) for _ in range(2)],
        "delays": [seeded.uniform(0.05, 0.9) for _ in range(8)],
    }
    command = [sys.executable, "-m", "tests.agent.kill_driver", str(tmp_path_factory.mktemp("kill")), json.dumps(plan)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_report(rows: list[dict[str, Any]]) -> None:
    whole, *attempts = rows
    assert not whole["killed"]
    assert whole["report"]["status"] == "consistent"
    # Those after a time may end sooner than the first run, by which the time is set; those at a step are always hit.
    stepwise = [row for row in attempts if row["name"].startswith("point")]
    assert len(stepwise) == len(POINTS) + 2
    assert all(row["killed"] for row in stepwise)
    for row in attempts:
        assert row["report"] == whole["report"], row["name"]
        assert row["status"] == ["consistent"], row["name"]


@pytest.mark.slow
def test_no_finished_call_is_made_again_and_the_record_is_whole(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["twice"] == [], row["name"]
        assert row["verified"] == [], row["name"]
        assert row["kinds"].count("run.start") == 1
        assert row["kinds"].count("run.end") == 1
        if row["killed"] and row["before"] and row["before"][-1] != "run.end":
            assert row["kinds"].count("run.resume") == 1, row["name"]


@pytest.mark.slow
def test_kills_hit_every_stage(rows: list[dict[str, Any]]) -> None:
    last = {row["before"][-1] if row["before"] else "nothing" for row in rows if row["killed"]}
    assert {"nothing", "run.end"} <= last
    assert any(kind.startswith("tool.") for kind in last)
    assert last & {"verdict", "report", "model.call"}
