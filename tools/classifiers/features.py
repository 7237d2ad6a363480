"""A lesion in numbers, from its mask on the scan's own grid: attenuation, core and rim, border, size, shape.

Everything is in world millimetres and HU, so the order of the file's axes does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from tools.attenuation import Attenuation, hu_values
from tools.base import Case
from tools.lesion_facts import LesionFacts
from tools.lesion_list import Lesion
from tools.ontology import load_ontology
from tools.phase import PHASES
from tools.shape import grown
from tools.types import State
from tools.volume import FloatArray, Region

FEATURES = (
    "mean_hu", "median_hu", "p10_hu", "p90_hu", "core_hu", "rim_hu", "organ_hu", "mean_to_organ", "median_to_organ",
    "p10_to_organ", "p90_to_organ", "core_to_organ", "rim_to_organ", "core_to_rim", "heterogeneity", "edge_log_mm",
    "volume_log_mm3", "diameter_log_mm", "sphericity",
)  # fmt: skip
"""Names of the features; `Features.vector` also knows ``phase_NAME`` and ``organ_NAME``, which are one or nought."""
_FEWEST = 8
_RIM_MM = 4.0
# Scans of three millimetres show no edge as sharper than this: finer ones must not look like something else.
_SHARPEST_MM, _SOFTEST_MM = 6.0, 60.0
_LEAST_NOISE = 1.0
_MANY = 150_000


@dataclass(frozen=True)
class Features:
    """A lesion in numbers.

    Attributes:
        organ: organ that holds it, without side.
        phase: contrast phase of the scan.
        values: finite numbers by name: HU, differences in HU, natural logarithms of mm and mm³, ratios.
    """

    organ: str
    phase: str
    values: Mapping[str, float]

    def vector(self, names: tuple[str, ...]) -> FloatArray:
        """Features by name, (n,)."""
        return np.array([self._one(name) for name in names], dtype=np.float64)

    def _one(self, name: str) -> float:
        if name in self.values:
            return self.values[name]
        return float(name in {f"phase_{self.phase}", f"organ_{self.organ}"})


@dataclass(frozen=True)
class Unseen:
    """Why a lesion has no features."""

    state: State
    reason: str


def known_feature(name: str) -> bool:
    """Whether `Features.vector` knows a name."""
    organ = load_ontology().structures.get(name.removeprefix("organ_"))
    is_organ = name.startswith("organ_") and organ is not None and organ.base == organ.id
    return name in FEATURES or name in {f"phase_{phase}" for phase in PHASES} or is_organ


def lesion_features(facts: LesionFacts, one: Lesion, phase: str) -> Features | Unseen:
    """Describe a lesion.

    Args:
        facts: what the lesions of its class share.
        one: the lesion, wholly in the scan.
        phase: contrast phase.
    """
    host = facts.host(facts.place(one))
    if host is None:
        return Unseen(State.NOT_ASSESSED, "it belongs to no organ that it could be compared with")
    organ, hu = host.hu, facts.hu(one)
    if organ is None or organ.voxels < _FEWEST:
        return Unseen(State.NOT_ASSESSED, "nothing of the organ around it is labelled, which it is compared with")
    if one.region.voxels < _FEWEST:
        return Unseen(State.NOT_MEASURABLE, "it has too few voxels")
    edge = facts.margin(one, host)
    if hu is None or edge is None:
        return Unseen(State.NOT_MEASURABLE, "too little of it, or of its border, lies inside of the reconstruction")
    core, rim = _shells(facts.case, one.region, hu)
    contrast = abs(hu.mean - organ.mean)
    width = contrast / max(edge.slope, 1e-6)
    noise = max((organ.p90 - organ.p10), _LEAST_NOISE)
    values = {
        "mean_hu": hu.mean, "median_hu": hu.median, "p10_hu": hu.p10, "p90_hu": hu.p90, "core_hu": core, "rim_hu": rim,
        "organ_hu": organ.median, "mean_to_organ": hu.mean - organ.median, "median_to_organ": hu.median - organ.median,
        "p10_to_organ": hu.p10 - organ.median, "p90_to_organ": hu.p90 - organ.median,
        "core_to_organ": core - organ.median, "rim_to_organ": rim - organ.median, "core_to_rim": core - rim,
        "heterogeneity": (hu.p90 - hu.p10) / noise,
        "edge_log_mm": math.log(min(max(width, _SHARPEST_MM), _SOFTEST_MM)),
        "volume_log_mm3": math.log(one.volume * 1000.0), "diameter_log_mm": math.log(facts.feret(one).length),
        "sphericity": facts.sphericity(one),
    }  # fmt: skip
    return Features(load_ontology().get(host.id).base, phase, values)


def _shells(case: Case, region: Region, hu: Attenuation) -> tuple[float, float]:
    """Mean HU of a lesion's innermost part and of its outer millimetres.

    Of small lesions the rim is the outer half of the depth; the core is always the inner half.
    """
    depth, here = depths(case, region)
    reach = float(depth.max())
    rim = depth <= max(min(_RIM_MM, reach / 2), float(depth.min()))
    core = depth >= reach / 2
    found = []
    for chosen in (core, rim):
        mask = np.zeros_like(region.mask)
        mask[tuple(here[chosen].T)] = True
        values = hu_values(case, Region(region.box, mask))
        found.append(float(values.mean(dtype=np.float64)) if values.size else hu.mean)
    return found[0], found[1]


def depths(case: Case, region: Region) -> tuple[FloatArray, np.ndarray[tuple[int, int], np.dtype[np.intp]]]:
    """How deep below the surface the voxels of a mask lie, in mm (n,), and their indices in its box (n, 3).

    The nearest voxel around the mask decides, less half of the voxel's shortest side: exact for every affine. Of very
    large masks only some of the voxels are taken.
    """
    grid = case.scan.grid
    around = grown(region, grid)
    shell = ndimage.binary_dilation(around.mask, np.ones((3, 3, 3))) & ~around.mask
    here = np.argwhere(region.mask)[:: max(1, region.voxels // _MANY)]
    at = grid.world(here + [s.start for s in region.box])
    tree = cKDTree(grid.world(np.argwhere(shell) + [s.start for s in around.box]))
    away, _ = tree.query(at)
    return np.maximum(np.asarray(away, dtype=np.float64) - min(grid.spacing) / 2, 0.0), here
