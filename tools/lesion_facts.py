"""What is measured of every single lesion, and of the organ that it is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tools.attached import apart
from tools.attenuation import Attenuation, attenuation_of
from tools.attenuation_class import band_of, classify
from tools.base import Case
from tools.geometry3d import Feret, SurfaceMeter, feret
from tools.lesion_list import Lesion
from tools.lesion_place import Place, place
from tools.look import tissue
from tools.margin import Margin, margin
from tools.ontology import load_ontology
from tools.shape import BoolArray, centroid, eroded, voxel_pitch
from tools.structure_parts import region_host
from tools.subregions import Subregions, Untold, divide, finest
from tools.volume import Region

# The surface of smooth bodies of known shape is found to within this share of the ratio of the longest side of a voxel
# to the radius of the ball of the same volume (tests/tools/test_sphericity.py).
_COARSE = 0.15


@dataclass(frozen=True)
class Host:
    """An organ without its lesions.

    Attributes:
        id: canonical id.
        tissue: its mask without lesions, None where it isn't labelled.
        case: the case.
    """

    id: str
    tissue: Region | None
    case: Case

    @cached_property
    def hu(self) -> Attenuation | None:
        """Its attenuation, None where it isn't labelled."""
        return attenuation_of(self.case, self.tissue)


class LesionFacts:
    """Measures the lesions of one class; what they share (regions, organ, surface weights) is made once.

    Args:
        case: a case with labels.
        structure: canonical identifier of the lesion class.
    """

    def __init__(self, case: Case, structure: str) -> None:
        self.case = case
        self.organ = home(structure)
        self.regions: Subregions | Untold | None = None
        if self.organ is not None and case.labels is not None:
            self.regions = finest(case.labels, self.organ)
        self._meter: SurfaceMeter | None = None
        self._hosts: dict[str, Host] = {}

    def place(self, one: Lesion) -> Place | None:
        """Where a lesion lies; None where the regions of its organ aren't told apart."""
        return place(one.region, self.regions) if isinstance(self.regions, Subregions) else None

    def apart(self, one: Lesion) -> bool:
        """Whether a lesion lies apart from the organ that its label names."""
        where = self.place(one)
        if where is not None:
            return where.apart
        return (
            self.organ is not None and self.case.labels is not None and apart(self.case.labels, self.organ, one.region)
        )

    def host(self, where: Place | None) -> Host | None:
        """The organ (or its side) that holds a lesion; None for a lesion of no organ."""
        ident = organ_of(where.main) if where is not None and where.main is not None else self.organ
        if ident is None:
            return None
        if ident not in self._hosts:
            self._hosts[ident] = Host(ident, tissue(self.case, ident), self.case)
        return self._hosts[ident]

    def hu(self, one: Lesion) -> Attenuation | None:
        """Attenuation of a lesion."""
        return attenuation_of(self.case, one.region)

    def feret(self, one: Lesion) -> Feret:
        """Longest extent of a lesion in space."""
        return feret(one.region, self.case.scan.grid)

    def sphericity(self, one: Lesion) -> float:
        """Sphericity of a lesion."""
        return self._sphericity(one.region.mask)

    def sphericity_pm(self, one: Lesion) -> float:
        """What the resolution leaves open of a lesion's sphericity.

        Half of its change on removing the outermost voxels, and at least what the estimate of the surface may be off
        by: on small or coarse masks both may come out as one.
        """
        grid = self.case.scan.grid
        radius = (one.region.voxels * grid.voxel_volume * 0.75 / math.pi) ** (1 / 3)
        least = _COARSE * max(grid.spacing) / radius
        core = eroded(one.region, grid)
        return float(max(abs(self._sphericity(core) - self.sphericity(one)) / 2 if core.any() else 0.0, least))

    def _sphericity(self, mask: BoolArray) -> float:
        if self._meter is None:
            self._meter = SurfaceMeter.of(self.case.scan.grid)
        return self._meter.sphericity(mask, int(np.count_nonzero(mask)) * self.case.scan.grid.voxel_volume)

    def margin(self, one: Lesion, host: Host | None) -> Margin | None:
        """Sharpness of a lesion's border."""
        scan = self.case.scan
        return margin(one.region, scan.hu, scan.grid, host.tissue if host is not None else None, scan.padding)

    def height(self, one: Lesion) -> float:
        """World z in mm of the slice with the longest axial diameter, at the lesion's centre."""
        start = np.array([s.start for s in one.region.box])
        middle = np.argwhere(one.region.mask).mean(axis=0) + start
        middle[2] = one.axes.k
        return float(self.case.scan.grid.world(middle)[2])

    def row(self, one: Lesion) -> dict[str, Any]:
        """Everything of one lesion, as flat details of a piece of evidence."""
        where = self.place(one)
        host = self.host(where)
        hu = self.hu(one)
        edge = self.margin(one, host)
        return {
            "long_axis_mm": round(one.axes.long_axis, 4),
            "short_axis_mm": round(one.axes.short_axis, 4),
            "long_axis_pm_mm": round(voxel_pitch(self.case.scan.grid), 4),
            "feret_mm": round(self.feret(one).length, 4),
            "z_mm": round(self.height(one), 4),
            "depth_percent": depth(self.case, one.axes.k),
            "hu_mean": round(hu.mean, 4) if hu else None,
            "hu_sd": round(hu.sd, 4) if hu else None,
            "hu_p10_hu": round(hu.p10, 4) if hu else None,
            "hu_p50_hu": round(hu.median, 4) if hu else None,
            "hu_p90_hu": round(hu.p90, 4) if hu else None,
            "sphericity": round(self.sphericity(one), 4),
            "margin_hu_per_mm": round(edge.slope, 4) if edge else None,
            "margin_against": ("organ" if edge.against_organ else "surroundings") if edge else None,
            **_against(hu, host),
            "organ": host.id if host else None,
            "region": where.main if where else None,
            "regions": dict(where.shares) if where else {},
            "region_method": self.regions.method if isinstance(self.regions, Subregions) else None,
            "centroid_ras_mm": [round(float(x), 2) for x in centroid(one.region, self.case.scan.grid)],
            "box_ras_mm": _box(self.case, one.region),
            "cut_off_at": list(one.cut),
        }


def home(structure: str) -> str | None:
    """The organ of a lesion class; of a class in a region, the organ of the region."""
    ontology = load_ontology()
    place = ontology.get(structure).organ
    return organ_of(place) if place is not None else None


def organ_of(place: str) -> str:
    """The organ (or side of a pair) that a region belongs to; itself for an organ."""
    ontology = load_ontology()
    while (above := region_host(place, ontology)) is not None:
        place = above
    return place


def told(case: Case, structure: str) -> Subregions | Untold | None:
    """The regions by which a place in the organ of a lesion class is named; None for a lesion of no organ."""
    organ = home(structure)
    return divide(case.labels, organ) if organ is not None and case.labels is not None else None


def depth(case: Case, k: int) -> float:
    """Place of a slice as a percentage of the scan's depth, counted in the order of the file."""
    slices = case.scan.grid.shape[2]
    return round(100 * (case.scan.orientation.file_slice(k) + 0.5) / slices, 4)


def _against(hu: Attenuation | None, host: Host | None) -> dict[str, Any]:
    """Attenuation against the organ without any lesions."""
    if hu is None or host is None or host.hu is None:
        return {"attenuation": None, "organ_hu_mean": None, "organ_hu_sd": None}
    gap = hu.mean - host.hu.mean
    name = classify(gap, band_of(host.hu.sd))
    return {"attenuation": name, "organ_hu_mean": round(host.hu.mean, 4), "organ_hu_sd": round(host.hu.sd, 4)}


def _box(case: Case, region: Region) -> list[list[float]]:
    """Lowest and highest world mm along each axis of a mask's voxels, with their extent."""
    points = case.scan.grid.world(np.argwhere(region.mask) + np.array([s.start for s in region.box]))
    half = np.abs(case.scan.grid.affine[:3, :3]).sum(axis=1) / 2
    low, high = points.min(axis=0) - half, points.max(axis=0) + half
    return [[round(float(x), 2) for x in low], [round(float(x), 2) for x in high]]
