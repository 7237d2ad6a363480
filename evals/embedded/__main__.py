"""Everything embedded that is learned from phantoms, anew: ``python -m evals.embedded --work FOLDER``.

    phantoms → two networks → ONNX with records → classifier of lesion types → case base → score on unseen phantoms

Phantoms and weights stay in the work folder, so that a second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from agent.commands.options import progress_bar
from evals.embedded.data import FIRST_SEED, make_sample

PHANTOMS = 200
MINUTES = {"organs": 60.0, "abdomen": 110.0}


def make_data(folder: Path, count: int, workers: int) -> None:
    """Make the training phantoms that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    with progress_bar() as progress, ProcessPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(partial(make_sample, folder=folder), seeds), start=1):
            progress("training phantoms", done, count)


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)  # noqa: S603  (our own modules)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--phantoms", type=int, default=PHANTOMS)
    parser.add_argument("--faster", type=float, default=1.0, help="Divide the minutes of training by this.")
    given = parser.parse_args()
    data, out = given.work / "phantoms", Path("tools/segment/embedded")
    make_data(data, given.phantoms, workers=2)
    for name, minutes in MINUTES.items():
        weights = given.work / f"{name}.pt"
        if not weights.with_suffix(".json").exists():
            _run(
                "evals.embedded.train", name, "--minutes", str(minutes / given.faster),
                "--data", str(data), "--out", str(weights),
            )  # fmt: skip
        _run("evals.embedded.export", name, "--weights", str(weights), "--out", str(out))
    _run("evals.embedded.lesion_types", "--data", str(data), "--out", "tools/classifiers/embedded")
    _run("evals.embedded.case_base", "--data", str(data), "--out", "retrieval/embedded")
    _run("evals.embedded.score")


if __name__ == "__main__":
    main()
