"""Phantoms to learn from, kept in a working folder outside of the program."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from evals.phantom import Phantom, make_phantom
from evals.phantom_cases import draw_specs
from evals.phantom_lesions import KINDS
from evals.phantom_options import LesionSpec, PhantomOptions
from evals.phantom_tissue import Phase

FIRST_SEED = 1_000_000
"""Training phantoms have seeds from here on: below it, every phantom is unseen."""
SPACING = 3.0
PHASES = (Phase.PORTAL, Phase.ARTERIAL, Phase.DELAYED, Phase.NATIVE)
PHASE_SHARES = (0.6, 0.15, 0.15, 0.1)
_RARE = ("pancreas_pdac", "pancreas_pnet", "pancreas_cyst", "kidney_rcc", "colon_cancer", "kidney_cyst")


def training_options(seed: int) -> PhantomOptions:
    """What the training phantom of a seed is asked to be: all phases, fields of view, noise levels and lesions."""
    rng = np.random.default_rng([seed, 7])
    phase = PHASES[int(rng.choice(len(PHASES), p=PHASE_SHARES))]
    cut = rng.random() < 0.3
    own = draw_specs(rng, None)
    kinds = [one.type for one in own]
    extra = [LesionSpec(type=kind) for kind in rng.permutation([k for k in KINDS if k not in kinds])[:3]]
    organs = {kind.split("_")[0] for kind in kinds}
    # A pancreas holds few lesions beside each other.
    extra = [one for one in extra if one.type.split("_")[0] != "pancreas" or "pancreas" not in organs]
    return PhantomOptions(
        seed=seed, phase=phase, spacing=(SPACING,) * 3, noise=float(rng.uniform(4, 14)),
        cut_top_mm=float(rng.uniform(0, 110)) if cut else 0.0, cut_bottom_mm=float(rng.uniform(0, 160)) if cut else 0.0,
        fatty_liver=bool(rng.random() < 0.1), padding=bool(rng.random() < 0.1), lesions=(*own, *extra),
    )  # fmt: skip


def make_training_phantom(options: PhantomOptions) -> Phantom:
    """A phantom; where its lesions do not fit, with those of a random patient."""
    try:
        return make_phantom(options)
    except UsageError:
        return make_phantom(options.model_copy(update={"lesions": None, "cut_top_mm": 0.0}))


def make_sample(seed: int, folder: Path) -> Path:
    """Make the training phantom of a seed, once."""
    path = folder / f"{seed}.npz"
    if path.exists():
        return path
    phantom = make_training_phantom(training_options(seed))
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, hu=phantom.hu, labels=phantom.labels)
    os.replace(part, path)  # noqa: PTH105  (atomic)
    return path


def load_sample(path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """HU and phantom label values of a training phantom, (i, j, k) at `SPACING` mm."""
    with np.load(path, allow_pickle=False) as stored:
        return stored["hu"].astype(np.float32), stored["labels"]
