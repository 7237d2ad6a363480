"""Where the time of a question on a large scan goes: 512 × 512 × 300 voxels, 60 labels.

    python -m evals.bench.question

The baseline is what nobody can avoid: decompressing the two files with the reference reader (nibabel) alone.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from rich.console import Console

from agent.cases import CaseFiles, open_case
from agent.commands.profile import peak_mib, print_profile, summarise
from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.services import Profile
from agent.settings import Settings
from evals.phantom_io import label_table

SHAPE = (512, 512, 300)
QUESTION = "Is the spleen enlarged?"
_NAMES = [
    "liver",
    "spleen",
    "pancreas",
    "kidney_left",
    "kidney_right",
    "gallbladder",
    "stomach",
    "duodenum",
    "colon",
    "small_bowel",
    "urinary_bladder",
    "aorta",
    "inferior_vena_cava",
    "portal_vein_and_splenic_vein",
    "heart",
    "adrenal_gland_left",
    "adrenal_gland_right",
    "esophagus",
] + [f"vertebrae_{part}{n}" for part, last in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, last + 1)]


def make_case(folder: Path) -> tuple[Path, Path]:
    """Write a large scan of boxes in noise, with 60 labels whose names are in the header."""
    rng = np.random.default_rng(1)
    names = _NAMES + [f"rib_{side}_{n}" for side in ("left", "right") for n in range(1, 13)]
    names = names[:60]
    hu = rng.normal(-1000, 12, SHAPE).astype(np.int16)
    labels = np.zeros(SHAPE, np.uint8)
    hu[40:470, 60:450] = rng.normal(-100, 12, (430, 390, 300)).astype(np.int16)
    for number, name in enumerate(names):
        i, j, k = 60 + 66 * (number % 6), 80 + 70 * (number // 6 % 5), 30 + 120 * (number // 30)
        box = (slice(i, i + 60), slice(j, j + 64), slice(k, k + 110))
        labels[box] = number + 1
        hu[box] = rng.normal(300 if name.startswith(("vert", "rib")) else 50, 12, (60, 64, 110)).astype(np.int16)
    affine = np.diag([0.8, 0.8, 1.5, 1.0])
    image = nib.Nifti1Image(labels, affine)
    table = label_table({name: n for n, name in enumerate(names, 1)})
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, table))
    scan, label_map = folder / "ct.nii.gz", folder / "labels.nii.gz"
    nib.save(nib.Nifti1Image(hu, affine), scan)
    nib.save(image, label_map)
    return scan, label_map


def main() -> None:
    """Make the case, time the baseline, ask, and print where the time and the memory went."""
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan, labels = make_case(folder)
        before = peak_mib()
        begin = time.perf_counter()
        for path in (scan, labels):
            np.asanyarray(nib.nifti1.Nifti1Image.from_filename(path).dataobj)
        baseline = time.perf_counter() - begin
        profile = Profile()
        settings = Settings(home=folder / "home", cache=folder / "cache")
        case = open_case(CaseFiles(scan, labels), profile)
        Engine(settings, EmbeddedReasoner(), profile=profile).ask(case, QUESTION)
    print_profile(profile, console)
    parts = summarise(profile)
    total = sum(parts.values())
    console.print(f"decompressing alone: {baseline:.2f} s; the whole question: {total / baseline:.2f} times that")
    console.print(f"everything but load and measure: {100 * (parts['graph'] + parts['report']) / total:.1f} %")
    console.print(f"peak before asking (making the case): {before:.0f} MiB")


if __name__ == "__main__":
    main()
