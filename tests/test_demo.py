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
        **{name: value for name, value in os.environ.items() if not name.startswith("TUMORTRACE_")},
        "BIN": str(Path(sys.executable).parent),
        "DEMO": str(demo),
        "TUMORTRACE_HOME": str(tmp_path / "home"),
        "TUMORTRACE_CACHE": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        ["sh", "scripts/demo.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    asked = done.stdout.partition("== The report on everything")[0]
    assert "the stage group of the colon cancer is IV: the M category is M1" in " ".join(
        asked.replace("│", " ").split()
    )
    truth = json.loads((demo / "phantom" / "truth.json").read_text())
    report = json.loads((demo / "report" / "report.json").read_text())
    assert report["status"] == "consistent"
    evidence = list(report["evidence"].values())
    # No labels were given: what is measured is what the embedded segmenter saw.
    assert {one["details"]["engine"] for one in evidence if one["quantity"] == "segmentation"} == {
        "embedded/abdomen", "embedded/organs",
    }  # fmt: skip
    volumes = {one["target"]: one for one in evidence if one["quantity"] == "volume"}
    for name in ("liver", "spleen", "kidney_left", "kidney_right", "stomach", "urinary_bladder", "liver_metastasis"):
        row, found = truth["structures"][name], volumes[name]
        assert found["value"] == pytest.approx(row["volume_with_lesions_cm3"], rel=0.15), name
    for name, row in truth["structures"].items():
        if row["touches_border"] and name in volumes:
            assert volumes[name]["state"] == "not_measurable", f"{name} is cut off"
    lesions = {one["target"]: one["value"] for one in evidence if one["quantity"] == "lesion_count"}
    for label in ("liver_metastasis", "kidney_cyst_right"):
        assert lesions[label] == sum(row["label"] == label for row in truth["lesions"])
    said = {one["quantity"] for one in evidence if one["state"] == "measured"}
    assert {"stage", "category_m", "similar_cases", "lesion_type_opinion", "distance"} <= said
    trace = (demo / "report" / "trace.jsonl").read_text()
    assert '"kind":"hops"' in trace
    page = (demo / "report" / "report.html").read_text()
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
