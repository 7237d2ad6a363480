"""A synthetic abdominal CT with exact truth, made from a seed.

    options → patient (phantom_patient, from the table in phantom_anatomy) → lesions (phantom_lesions)
            → voxels (phantom_render) → truth counted over the final arrays (phantom_truth) → files (phantom_io)

Shapes live in patient millimetres and know nothing of the grid, so the same seed at another spacing, phase or
field of view is another scan of the same patient. The phantom looks like an abdomen and is none: it serves
tests, demonstrations and controls, and says nothing about real patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from evals.phantom_lesions import place_lesions
from evals.phantom_options import PhantomOptions, PhantomTruth
from evals.phantom_patient import make_patient
from evals.phantom_render import HU_RANGE, OUTSIDE, noise_slices, outside_circle, render
from evals.phantom_shapes import Vector
from evals.phantom_tissue import CLASSES, patient_hu
from evals.phantom_truth import describe

MAX_VOXELS = 400_000_000
"""Largest phantom that is made: about 1.2 GB of voxels and labels."""
MIN_HEIGHT_MM = 40.0


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan.

    Attributes:
        hu: (i, j, k) int16 Hounsfield units, RAS order.
        labels: (i, j, k) uint8 label values, 0 = background.
        names: class name → label value, classes without voxels included.
        affine: (4, 4) voxel → world mm, RAS+.
        truth: what is true of it.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    names: Mapping[str, int]
    affine: NDArray[np.float64]
    truth: PhantomTruth


def make_phantom(options: PhantomOptions) -> Phantom:
    """Make the phantom that the options describe; equal options give equal voxels.

    Args:
        options: seed, phase, spacing, field of view, lesions and artefacts.

    Raises:
        UsageError: the field of view is cut to nothing, the grid would be too large, or a lesion does not fit.
    """
    anatomy, tissue, tumour, grain = (
        np.random.default_rng(child) for child in np.random.SeedSequence(options.seed).spawn(4)
    )
    patient = make_patient(anatomy)
    tissue_hu = patient_hu(tissue, options.phase, options.fatty_liver)
    lesions = place_lesions(tumour, patient, options.lesions, tissue_hu, options.phase)

    low: Vector = (patient.low[0], patient.low[1], patient.low[2] + options.cut_bottom_mm)
    high: Vector = (patient.high[0], patient.high[1], patient.high[2] - options.cut_top_mm)
    if high[2] - low[2] < MIN_HEIGHT_MM:
        raise UsageError(
            f"the field of view is cut to {high[2] - low[2]:.0f} mm, and at least {MIN_HEIGHT_MM:.0f} mm have to "
            f"stay of the patient's {patient.high[2] - patient.low[2]:.0f} mm: cut less off top and bottom"
        )
    spacing = options.spacing
    count = [round((high[a] - low[a]) / spacing[a]) for a in range(3)]
    shape = (count[0], count[1], count[2])
    if count[0] * count[1] * count[2] > MAX_VOXELS:
        raise UsageError(
            f"a phantom of {count[0]}×{count[1]}×{count[2]} voxels is larger than the {MAX_VOXELS:,} that are "
            "allowed: choose a coarser spacing"
        )

    # Slices are counted from the uncut feet end, so that cutting the field of view leaves the others in place.
    skipped = round(options.cut_bottom_mm / spacing[2])
    origin: Vector = (low[0] + spacing[0] / 2, low[1] + spacing[1] / 2, patient.low[2] + spacing[2] * (skipped + 0.5))
    hu = np.empty(shape, dtype=np.int16)
    labels = np.empty(shape, dtype=np.uint8)
    level_4 = patient.extents["vertebrae_L4"]
    screw = (14.0, level_4[1][1] - 18.0, (level_4[0][2] + level_4[1][2]) / 2) if options.metal else None
    volume = render(patient, lesions, tissue_hu, origin=origin, spacing=spacing, shape=shape, metal=screw)
    noise = noise_slices(grain, shape, spacing, options.noise)
    for slices, clean, painted in volume:
        for index, k in enumerate(range(slices.start, slices.stop)):
            hu[:, :, k] = np.clip(np.rint(clean[:, :, index] + next(noise)), *HU_RANGE)
        labels[:, :, slices] = painted
    if options.padding:
        hu[outside_circle(shape, spacing)] = OUTSIDE

    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.asarray(patient.origin) + origin
    truth = describe(options, patient, lesions, hu=hu, labels=labels, affine=affine)
    return Phantom(hu=hu, labels=labels, names=CLASSES, affine=affine, truth=truth)
