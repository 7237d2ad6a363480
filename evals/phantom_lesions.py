"""Lesions: what types exist, as data, and where in a patient they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agent.errors import UsageError
from evals.phantom_options import LesionSpec, LesionType
from evals.phantom_patient import Patient, label_at, plan_lattice
from evals.phantom_shapes import Vector
from evals.phantom_tissue import CLASSES, Phase

STEP = 2.5
"""mm between the points of the lattice on which room for a lesion is sought."""
CLEARANCE = 3.5
"""mm kept between a lesion and the organ's surface: more than the lattice's half diagonal."""


class LesionKind(NamedTuple):
    """A type of lesion.

    Attributes:
        organ: class name of its organ; "{side}" for paired organs.
        label: class name of the lesion itself.
        tissue: tissue of the organ, which `relative` refers to.
        hu: attenuation by phase (native, arterial, portal, delayed).
        relative: whether `hu` is a difference from the organ rather than a value.
        diameters: mm, range of random diameters.
        softness: mm over which its margin fades.
    """

    organ: str
    label: str
    tissue: str
    hu: tuple[float, float, float, float]
    relative: bool
    diameters: tuple[float, float]
    softness: float


KINDS: Mapping[LesionType, LesionKind] = MappingProxyType(
    {
        "liver_cyst": LesionKind("liver", "liver_lesion", "liver", (7, 7, 8, 8), False, (12, 42), 0.0),
        "liver_metastasis": LesionKind("liver", "liver_lesion", "liver", (-20, -18, -46, -26), True, (12, 45), 3.0),
        "kidney_cyst": LesionKind("kidney_{side}", "kidney_cyst_{side}", "kidney", (6, 7, 8, 8), False, (9, 20), 0.0),
        "pancreatic_tumour": LesionKind(
            "pancreas", "pancreas_lesion", "pancreas", (-6, -46, -32, -10), True, (9, 20), 2.0
        ),
    }
)


@dataclass(frozen=True)
class Lesion:
    """A sphere in patient mm with its attenuation."""

    type: LesionType
    organ: str
    label: str
    center: Vector
    diameter: float
    hu: float
    softness: float


def place_lesions(
    rng: np.random.Generator,
    patient: Patient,
    wanted: int | tuple[LesionSpec, ...] | None,
    tissue_hu: Mapping[str, float],
    phase: Phase,
) -> tuple[Lesion, ...]:
    """Find a place for every lesion, wholly inside its organ and apart from the others.

    Args:
        rng: source of types, sizes and places.
        patient: whose organs they go into.
        wanted: their number, or a list; None draws one or two.
        tissue_hu: HU of the patient's tissues in this phase.
        phase: contrast phase.

    Raises:
        UsageError: a lesion that was asked for does not fit into its organ.
    """
    count = int(rng.integers(1, 3)) if wanted is None else wanted
    specs = count if isinstance(count, tuple) else _random_specs(rng, count)
    placed: list[Lesion] = []
    for spec in specs:
        kind = KINDS[spec.type]
        if spec.side is not None and "{side}" not in kind.organ:
            raise UsageError(f"a {spec.type} lies in the {kind.organ}, which has no {spec.side} side: leave it out")
        side = spec.side or ("left", "right")[int(rng.integers(2))]
        organ, label = kind.organ.format(side=side), kind.label.format(side=side)
        room, corner = _room(patient, organ, placed)
        most = 2 * (float(room.max()) - CLEARANCE)
        drawn = spec.diameter_mm is None
        diameter = float(np.round(rng.uniform(*kind.diameters), 1)) if drawn else float(spec.diameter_mm or 0)
        if drawn:
            diameter = min(diameter, float(np.floor(most * 10) / 10))
        if diameter > most or diameter < 4:
            raise UsageError(
                f"a {spec.type} of {spec.diameter_mm or kind.diameters[0]:g} mm does not fit into the {organ} of "
                f"this patient, where at most {max(most, 0):.0f} mm fit: ask for fewer or smaller lesions, or "
                "another seed"
            )
        spots = np.argwhere(room >= diameter / 2 + CLEARANCE)
        spot = spots[int(rng.integers(len(spots)))]
        center = [float(corner[a] + STEP * spot[a]) for a in range(3)]
        hu = kind.hu[list(Phase).index(phase)] + (tissue_hu[kind.tissue] if kind.relative else 0.0)
        placed.append(
            Lesion(spec.type, organ, label, (center[0], center[1], center[2]), diameter, round(hu, 1), kind.softness)
        )
    return tuple(placed)


def _random_specs(rng: np.random.Generator, count: int) -> tuple[LesionSpec, ...]:
    kinds = list(KINDS)
    return tuple(LesionSpec(type=kinds[int(rng.integers(len(kinds)))]) for _ in range(count))


def _room(patient: Patient, organ: str, placed: list[Lesion]) -> tuple[NDArray[np.float64], Vector]:
    """Distance in mm from every lattice point to the organ's surface or another lesion, and the first point."""
    low, high = patient.extents[organ]
    corner = (low[0] - 6, low[1] - 6, low[2] - 6)
    lattice = plan_lattice(patient, corner, (high[0] + 6, high[1] + 6, high[2] + 6), STEP)
    inside = label_at(patient, lattice) == CLASSES[organ]
    x, y, z = np.ix_(*lattice.axes)
    for lesion in placed:
        cx, cy, cz = lesion.center
        inside &= (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 > (lesion.diameter / 2 + 1.0) ** 2
    return np.asarray(ndimage.distance_transform_edt(inside)) * STEP, corner
