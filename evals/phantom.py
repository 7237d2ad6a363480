"""A synthetic abdominal CT with exact truth, made from a seed.

    options → patient (phantom_patient, from the tables in phantom_anatomy and phantom_vessels)
            → lesions (what: phantom_lesions, phantom_cases; where: phantom_place, phantom_site)
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
from evals.phantom_options import PhantomOptions
from evals.phantom_patient import make_patient
from evals.phantom_place import place_lesions
from evals.phantom_render import HU_RANGE, OUTSIDE, noise_slices, outside_circle, render
from evals.phantom_shapes import Vector
from evals.phantom_tidy import congested, tidy
from evals.phantom_tilt import field_of_view
from evals.phantom_tissue import CLASSES, OTHER_LESIONS, PARTS, patient_hu
from evals.phantom_truth import describe
from evals.phantom_truth_model import PhantomTruth

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
        parts: (i, j, k) uint8 values of the organs' parts, lesions included, 0 = none.
        part_names: name of the part → its value.
        affine: (4, 4) voxel → world mm, RAS+.
        truth: what is true of it.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    names: Mapping[str, int]
    parts: NDArray[np.uint8]
    part_names: Mapping[str, int]
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
    patient = make_patient(anatomy, options.volumes)
    tissue_hu = patient_hu(tissue, options.phase, options.fatty_liver) | options.tissue_hu
    lesions = place_lesions(tumour, patient, options.lesions, tissue_hu, options.phase)
    patient = congested(patient, lesions)

    low: Vector = (patient.low[0], patient.low[1], patient.low[2] + options.cut_bottom_mm)
    high: Vector = (patient.high[0], patient.high[1], patient.high[2] - options.cut_top_mm)
    if high[2] - low[2] < MIN_HEIGHT_MM:
        raise UsageError(
            f"the field of view is cut to {high[2] - low[2]:.0f} mm, and at least {MIN_HEIGHT_MM:.0f} mm have to "
            f"stay of the patient's {patient.high[2] - patient.low[2]:.0f} mm: cut less off top and bottom"
        )
    view = field_of_view(
        patient.low, patient.high, options.spacing,
        cut_bottom=options.cut_bottom_mm, cut_top=options.cut_top_mm, tilt_degrees=options.tilt_degrees,
    )  # fmt: skip
    shape, spacing = view.shape, view.spacing
    if shape[0] * shape[1] * shape[2] > MAX_VOXELS:
        raise UsageError(
            f"a phantom of {shape[0]}×{shape[1]}×{shape[2]} voxels is larger than the {MAX_VOXELS:,} that are "
            "allowed: choose a coarser spacing"
        )

    hu = np.empty(shape, dtype=np.int16)
    labels, parts = np.empty(shape, dtype=np.uint8), np.empty(shape, dtype=np.uint8)
    level_4 = patient.extents["vertebrae_L4"]
    screw = (14.0, level_4[1][1] - 18.0, (level_4[0][2] + level_4[1][2]) / 2) if options.metal else None
    volume = render(
        patient, lesions, tissue_hu,
        origin=view.origin, spacing=view.steps, shape=shape, metal=screw, slope=view.slope, pivot=view.pivot,
    )  # fmt: skip
    noise = noise_slices(grain, shape, spacing, options.noise)
    for slices, clean, painted, divided in volume:
        for index, k in enumerate(range(slices.start, slices.stop)):
            hu[:, :, k] = np.clip(np.rint(clean[:, :, index] + next(noise)), *HU_RANGE)
        labels[:, :, slices], parts[:, :, slices] = painted, divided
    tidy(labels, parts, lesions, view.affine)
    if options.padding:
        hu[outside_circle(shape, spacing)] = OUTSIDE

    affine = view.affine
    affine[:3, 3] += patient.origin
    truth = describe(options, patient, lesions, hu=hu, labels=labels, parts=parts, affine=affine)
    return Phantom(
        hu=hu,
        labels=labels,
        names={**CLASSES, **OTHER_LESIONS},
        parts=parts,
        part_names=PARTS,
        affine=affine,
        truth=truth,
    )
