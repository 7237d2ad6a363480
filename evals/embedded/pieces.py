"""How sure the embedded network is of pieces that are lesions, and of pieces that are none.

    python -m evals.embedded.pieces --phantoms 10

Shows where `tools.segment.tidy.LEAST_SURE` may lie, on phantoms that are neither trained on nor scored. A piece is true
if a tenth of it lies in lesions of its organ.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from evals.embedded.classes import NETWORKS
from evals.embedded.score import phantom_like_training
from evals.phantom_tissue import CLASSES, LESION_CLASSES
from tools.masks import components
from tools.segment.backends.embedded import lesion_groups, logits_of, record
from tools.segment.sliding import best_class, probability_of, to_shape
from tools.segment.tidy import LEAST_MM3, LEAST_SURE
from tools.volume import to_canonical

FIRST = 950_000
NAME = "abdomen"
LEAST = 0.1


def pieces(seed: int) -> list[tuple[str, float, float, bool]]:
    """Organ, volume in mm3, mean probability, and whether it is a lesion, of every piece in one phantom."""
    phantom = phantom_like_training(seed, NETWORKS[NAME])
    hu, grid, _ = to_canonical(phantom.hu, phantom.affine)
    truth, _, _ = to_canonical(phantom.labels, phantom.affine)
    logits = logits_of(NAME, hu, np.asarray(grid.spacing))
    labels = best_class(logits, grid.shape)
    found = []
    for organ, values in lesion_groups(dict(enumerate(record(NAME).classes))).items():
        likely = to_shape(probability_of(logits, values), grid.shape)
        own = [CLASSES[name] for name, host in LESION_CLASSES.items() if host.split("_")[0] == organ.split("_")[0]]
        parts = components(np.isin(labels, values))
        for number in range(1, int(parts.max()) + 1):
            piece = parts == number
            volume = float(np.count_nonzero(piece) * grid.voxel_volume)
            if volume >= LEAST_MM3:
                real = bool(np.isin(truth[piece], own).mean() >= LEAST)
                found.append((organ, volume, float(likely[piece].mean()), real))
    return found


def main() -> None:
    """Command line: print how the probabilities of both lie."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=10)
    given = parser.parse_args()
    found = [one for seed in range(FIRST, FIRST + given.phantoms) for one in pieces(seed)]
    for real, name in ((True, "lesions"), (False, "none")):
        sure = [one[2] for one in found if one[3] is real]
        if sure:
            shown = " ".join(f"{value:.2f}" for value in np.percentile(sure, (0, 5, 25, 50, 75, 95, 100)))
            kept = sum(value >= LEAST_SURE for value in sure)
            sys.stdout.write(f"{name}: {len(sure)} pieces, {kept} kept; 0 5 25 50 75 95 100 %: {shown}\n")


if __name__ == "__main__":
    main()
