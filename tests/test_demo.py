"""The README's demo, run as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    environment = {
        **os.environ,
        "BIN": str(Path(sys.executable).parent),
        "DEMO": str(demo),
        "TUMORTRACE_HOME": str(tmp_path / "home"),
        "TUMORTRACE_CACHE": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        ["sh", "scripts/demo.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    truth = json.loads((demo / "phantom" / "truth.json").read_text())
    report = json.loads((demo / "report" / "report.json").read_text())
    assert report["status"] == "consistent"
    volumes = {one["target"]: one for one in report["evidence"].values() if one["quantity"] == "volume"}
    for name, row in truth["structures"].items():
        if not row["voxels"]:
            continue
        found = volumes[name]
        key = "lower_bound" if row["touches_border"] else "value"
        assert found[key] == pytest.approx(row["volume_with_lesions_cm3"], rel=1e-4), name
    lesions = {one["target"]: one["value"] for one in report["evidence"].values() if one["quantity"] == "lesion_count"}
    for label in {row["label"] for row in truth["lesions"]}:
        assert lesions[label] == sum(row["label"] == label for row in truth["lesions"])
    page = (demo / "report" / "report.html").read_text()
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
