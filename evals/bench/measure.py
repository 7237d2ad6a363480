"""How our measuring compares with loops over labels, with pyradiomics, and with itself as structures grow in number.

    python -m evals.bench.measure [--small] [--radiomics-seconds 120]

One run on a scan of 512 × 512 × 400 voxels with 60 structures and 40 lesions. Ratios within the run are what counts:
seconds differ between machines. They are seconds of processor time, so that other work on the machine does not count
and several threads do. scikit-image and pyradiomics are compared with where they
can be imported, and named as missing where not; neither is a dependency of ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from agent.commands.profile import peak_mib
from evals.bench.measure_baseline import Rows, pyradiomics, regionprops_loop, regionprops_once, scipy_loop
from evals.bench.measure_case import FULL, STRUCTURES, Large, lesion_classes, make_large
from tools.registry import load_tools
from tools.types import Evidence

SMALL = (256, 256, 100)
TINY = (48, 48, 48)
EVERY = ("measure_structure", "measure_axes")
LESIONS = ("presence", "lesion_components", "lesion_table")
"""What a report calls: two tools for every labelled class, three more for classes of lesions."""
COUNTS = (15, 30, 60)
MIB = 1 << 20


def measure(large: Large, names: list[str], only: list[str] | None = None) -> list[Evidence]:
    """Measure classes with our tools, on a case of which nothing is known yet."""
    case, tools, lesions = large.case(only), load_tools(), lesion_classes()
    made: list[Evidence] = []
    for name in names:
        for tool in EVERY + (LESIONS if name in lesions else ()):
            made += tools[tool].call(case, {"structure": name})
    return made


def main() -> None:
    """Run the benchmark, or in a child process its measurement of memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="256 × 256 × 100 voxels instead of 512 × 512 × 400")
    parser.add_argument("--radiomics-seconds", type=float, default=120.0, help="how long pyradiomics may take")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory_of is not None:
        _child(chosen.memory_of)
        return
    console = Console(highlight=False, soft_wrap=True)
    measure(make_large(TINY), [solid.name for solid in STRUCTURES])  # modules are loaded, nothing else stays
    large = make_large(SMALL if chosen.small else FULL)
    console.print(
        f"a scan of {'×'.join(map(str, large.hu.shape))} voxels with {len(STRUCTURES)} structures and 40 lesions "
        f"in {len(lesion_classes())} classes"
    )
    _loops(large, console)
    _radiomics(large, console, chosen.radiomics_seconds)
    _growth(large, console)
    _memory(large, console)


def _timed(work: Callable[[], object], repeat: int = 1) -> float:
    """The shortest processor time in seconds."""
    taken = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def _loops(large: Large, console: Console) -> None:
    names = list(large.names)
    evidence: list[Evidence] = []
    ours = _timed(lambda: evidence.extend(measure(large, names)))
    console.print(f"ours: {ours:.2f} s for all measurements of a report on {len(names)} classes")
    loops: list[tuple[str, Callable[[Large, list[str], list[str]], Rows]]] = [("scipy.ndimage, per label", scipy_loop)]
    if importlib.util.find_spec("skimage"):
        loops.append(("skimage regionprops, per label", regionprops_loop))
        loops.append(("skimage regionprops, one call for all labels", regionprops_once))
    else:
        console.print("scikit-image cannot be imported: its loops are left out")
    for title, loop in loops:
        rows: Rows = {}
        taken = _timed(lambda run=loop, into=rows: into.update(run(large, names, lesion_classes())))  # type: ignore[misc]
        console.print(f"{title}: {taken:.2f} s, {taken / ours:.1f} times ours; {_agreement(evidence, rows)}")


def _agreement(evidence: list[Evidence], rows: Rows) -> str:
    """How far our values lie from those of a loop."""
    # Volumes of organs include their lesions, of which a loop over labels knows nothing.
    quantities = {"mean": "hu_mean", "sd": "hu_sd", "median": "hu_median"}
    ours = {(one.target, one.quantity): one.value for one in evidence}
    worst = 0.0
    for name, row in rows.items():
        for key, quantity in quantities.items():
            value = ours[name, quantity]
            assert isinstance(value, float)
            worst = max(worst, abs(row[key] - value))
    lesions = lesion_classes()
    volumes = [(ours[name, "volume"], rows[name]["volume"]) for name in lesions]
    shares = [abs(one - other) / other for one, other in volumes if isinstance(one, float)]
    return f"attenuation agrees within {worst:.3f} HU, volumes of lesions within {100 * max(shares):.3f} %"


def _radiomics(large: Large, console: Console, seconds: float) -> None:
    extract = pyradiomics(large)
    if extract is None:
        console.print("pyradiomics cannot be imported: the comparison with it is left out")
        return
    counts = np.bincount(large.labels.ravel(), minlength=256)
    ordered = sorted((solid.name for solid in STRUCTURES), key=lambda name: int(counts[large.names[name]]))
    done: list[str] = []
    theirs = 0.0
    for name in ordered:
        theirs += _timed(lambda name=name: extract(name))  # type: ignore[misc]
        done.append(name)
        if theirs > seconds:
            break
    ours = _timed(lambda: measure(large, done))
    console.print(
        f"pyradiomics shape and first order: {theirs:.1f} s for the {len(done)} smallest of {len(ordered)} structures, "
        f"{theirs / ours:.1f} times ours ({ours:.2f} s)"
    )


def _growth(large: Large, console: Console) -> None:
    """Time per structure for more and more structures of the same spread of sizes, on label maps of just these."""
    counts = np.bincount(large.labels.ravel(), minlength=256)
    ordered = sorted((solid.name for solid in STRUCTURES), key=lambda name: int(counts[large.names[name]]))
    parts = []
    for count in COUNTS:
        step = len(ordered) // count
        names = ordered[step // 2 :: step][:count]
        kept = np.zeros(256, np.uint8)
        for name in names:
            kept[large.names[name]] = large.names[name]
        fewer = Large(large.hu, kept[large.labels], large.affine, {name: large.names[name] for name in names})
        taken = _timed(lambda fewer=fewer, names=names: measure(fewer, names, names), repeat=3)  # type: ignore[misc]
        voxels = statistics.fmean(int(counts[large.names[name]]) for name in names)
        parts.append(f"{count} structures {1000 * taken / count:.1f} ms each ({voxels / 1e6:.2f} million voxels each)")
    console.print("as structures grow in number: " + "; ".join(parts))


def _memory(large: Large, console: Console) -> None:
    """Peak memory of a process that loads the voxels and measures everything."""
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "hu.npy", large.hu)
        np.save(Path(name) / "labels.npy", large.labels)
        command = [sys.executable, "-m", "evals.bench.measure", "--memory-of", name]
        shape = ["--small"] if large.hu.shape == SMALL else []
        told = subprocess.run([*command, *shape], check=True, capture_output=True, text=True)  # noqa: S603
    start, loaded, peak = (float(part) for part in told.stdout.split())
    volume, labels = large.hu.nbytes / MIB, large.labels.nbytes / MIB
    console.print(
        f"peak memory: {peak:.0f} MiB with everything, {peak / volume:.2f} times the loaded volume ({volume:.0f} MiB); "
        f"of it the program {start:.0f}, the volume and its labels {loaded - start:.0f} (labels {labels:.0f}), "
        f"measuring {peak - loaded:.0f} MiB"
    )


def _child(folder: Path) -> None:
    large = make_large(TINY)  # for its names and its affine; the voxels come from the files
    measure(large, list(large.names))
    start = peak_mib()
    hu, labels = np.load(folder / "hu.npy"), np.load(folder / "labels.npy")
    scale = np.diag([*(np.array(large.hu.shape) / hu.shape), 1.0])
    loaded = peak_mib()
    measure(Large(hu, labels, large.affine @ scale, large.names), list(large.names))
    print(start, loaded, peak_mib())  # noqa: T201  (for the parent process)


if __name__ == "__main__":
    main()
