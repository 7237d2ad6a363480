"""Lesions: what types exist, as data, and how one looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.phantom_options import LesionType
from evals.phantom_shapes import Blob, Lattice, Vector, Wave, rotation
from evals.phantom_tissue import Phase

Phases = tuple[float, float, float, float]
SOLID_STEPS = 26
"""Points across a lesion from which its size is measured."""


class LesionKind(NamedTuple):
    """A type of lesion.

    Attributes:
        organ: class name of its organ; "{side}" for paired organs.
        tissue: tissue of the organ, which `relative` refers to.
        hu: attenuation by phase (native, arterial, portal, delayed), of the outer zone where there is a core.
        diameters: mm, range of random diameters.
        relative: whether `hu` and `core` are differences from the organ rather than values.
        spread: HU by which single lesions differ from it at most.
        core: attenuation of its core by phase; None without one.
        core_size: size of the core relative to the lesion.
        softness: mm over which its margin fades.
        bulges: whether it may grow out of its organ into fat and bowel.
        length: largest ratio of its axes.
        relief: relative undulation of its surface.
    """

    organ: str
    tissue: str
    hu: Phases
    diameters: tuple[float, float]
    relative: bool = True
    spread: float = 4.0
    core: Phases | None = None
    core_size: float = 0.6
    softness: float = 0.0
    bulges: bool = False
    length: float = 1.25
    relief: float = 0.05


KINDS: Mapping[LesionType, LesionKind] = MappingProxyType(
    {
        "liver_cyst": LesionKind("liver", "liver", (7, 7, 8, 8), (12, 45), relative=False, length=1.15, relief=0.03),
        "liver_hemangioma": LesionKind(
            "liver", "liver", (-18, 105, 48, 30), (14, 50), core=(-18, -12, -22, 14), core_size=0.72, relief=0.06
        ),
        "liver_hcc": LesionKind("liver", "liver", (-9, 48, -11, -24), (14, 80), spread=6, softness=1.5, relief=0.07),
        "liver_metastasis": LesionKind(
            "liver", "liver", (-18, -8, -26, -20), (12, 50), core=(-22, -20, -48, -30), softness=3.0, relief=0.07
        ),
        "pancreas_pdac": LesionKind(
            "pancreas", "pancreas", (-5, -44, -32, -9), (16, 52), softness=3.0, bulges=True, relief=0.09
        ),
        "pancreas_pnet": LesionKind("pancreas", "pancreas", (-2, 60, 26, 9), (12, 40), bulges=True, relief=0.03),
        "pancreas_cyst": LesionKind(
            "pancreas", "pancreas", (14.5, 14.5, 15.5, 15.5), (12, 45), relative=False, spread=10, bulges=True,
            length=1.15, relief=0.03
        ),
        "kidney_cyst": LesionKind(
            "kidney_{side}", "kidney", (7, 7, 8, 8), (12, 42), relative=False, bulges=True, length=1.12, relief=0.02
        ),
        "kidney_rcc": LesionKind(
            "kidney_{side}", "kidney", (9, -30, -72, -70), (16, 75), core=(3, -80, -115, -100), core_size=0.5,
            softness=1.0, bulges=True
        ),
        "colon_cancer": LesionKind(
            "colon", "bowel_wall", (4, 6, 8, 5), (20, 48), softness=1.0, bulges=True, length=1.3, relief=0.08
        ),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Lesion:
    """A smooth solid in patient mm, as the scan shows them (no warp moves it), with its attenuation.

    Attributes:
        type, organ, label: what it is, class of its organ, its own class.
        solid: its shape, centre included.
        diameter: mm, its longest axial diameter.
        hu: of its outer zone.
        core, core_hu: an inner zone, None without one.
        softness: mm over which the margin fades.
    """

    type: LesionType
    organ: str
    label: str
    solid: Blob
    diameter: float
    hu: float
    softness: float
    core: Blob | None = None
    core_hu: float = 0.0

    @property
    def center(self) -> Vector:
        """Patient mm."""
        return self.solid.center

    @property
    def reach(self) -> float:
        """Mm from the centre beyond which there is nothing of it."""
        return max(self.solid.radii) * (1.0 + sum(abs(wave.amplitude) for wave in self.solid.waves))


def draw_solid(rng: np.random.Generator, kind: LesionKind, diameter: float) -> Blob:
    """A smooth deformed ellipsoid about the origin whose longest axial diameter is `diameter` mm."""
    longer = np.exp(rng.uniform(0, np.log(kind.length), 2))
    radii = np.asarray([longer[0], 1.0, longer[1]])
    degrees = rng.uniform((-35, -35, 0), (35, 35, 180))
    waves = []
    for _ in range(3):
        direction = rng.standard_normal(3)
        k = direction / np.linalg.norm(direction) * rng.uniform(2.0, 3.6)
        waves.append(Wave(float(kind.relief * rng.uniform(0.4, 1.0)), (float(k[0]), float(k[1]), float(k[2])),
                          float(rng.uniform(0, 2 * np.pi))))  # fmt: skip
    turn: Vector = (float(degrees[0]), float(degrees[1]), float(degrees[2]))
    solid = Blob((0.0, 0.0, 0.0), (float(radii[0]), float(radii[1]), float(radii[2])), turn, waves=tuple(waves))
    size = diameter / axial_diameter(solid)
    return Blob((0.0, 0.0, 0.0), (float(radii[0] * size), float(radii[1] * size), float(radii[2] * size)), turn,
                waves=tuple(waves))  # fmt: skip


def draw_core(rng: np.random.Generator, kind: LesionKind, solid: Blob) -> Blob:
    """The inner zone of a lesion: smaller, with an uneven border."""
    radii = [radius * kind.core_size for radius in solid.radii]
    waves = tuple(
        Wave(float(rng.uniform(0.05, 0.11)), (float(k[0]), float(k[1]), float(k[2])), float(rng.uniform(0, 6.28)))
        for k in rng.uniform(-7, 7, (3, 3))
    )
    return Blob(solid.center, (radii[0], radii[1], radii[2]), solid.degrees, waves=waves)


def holds(solid: Blob, points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether points (…, 3) in mm lie inside a solid."""
    q = (points - np.asarray(solid.center)) @ rotation(solid.degrees) / np.asarray(solid.radii)
    surface = 1.0 + sum(wave.amplitude * np.sin(q @ np.asarray(wave.k) + wave.phase) for wave in solid.waves)
    return np.asarray(np.linalg.norm(q, axis=-1) <= surface)


def inner_points(solid: Blob, count: int = SOLID_STEPS) -> NDArray[np.float64]:
    """Points (n, 3) in mm on a lattice of `count` steps across a solid that lie inside it."""
    reach = max(solid.radii) * (1.0 + sum(abs(wave.amplitude) for wave in solid.waves))
    axis = np.linspace(-reach, reach, count)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3) + solid.center
    return np.asarray(points[holds(solid, points)])


def axial_diameter(solid: Blob) -> float:
    """Longest distance in mm between two points of a solid on one axial level, to about one percent."""
    points = inner_points(solid, SOLID_STEPS + 10)
    step = float(np.diff(np.unique(np.round(points[:, 0], 9))).min())
    angles = np.radians(np.arange(0, 180, 5))
    across = points[:, :2] @ np.stack([np.cos(angles), np.sin(angles)])
    longest = 0.0
    for level in np.unique(np.round(points[:, 2], 6)):
        rows = across[np.abs(points[:, 2] - level) < 1e-5]
        longest = max(longest, float(np.ptp(rows, axis=0).max()))
    return longest + step


def lesion_hu(kind: LesionKind, tissue_hu: Mapping[str, float], phase: Phase, shift: float) -> tuple[float, float]:
    """HU of a lesion's outer zone and core in a phase, `shift` being its own difference from its type."""
    at = list(Phase).index(phase)
    base = (tissue_hu[kind.tissue] if kind.relative else 0.0) + shift
    return round(kind.hu[at] + base, 1), round((kind.core or kind.hu)[at] + base, 1)


def distance_on(solid: Blob, lattice: Lattice, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
    """Signed distance in mm from a solid's surface at the points of a box of a lattice, warps left out."""
    start = [float(lattice.axes[a][box[a].start]) for a in range(3)]
    size = (box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start)
    plain = Lattice((start[0], start[1], start[2]), lattice.spacing, size, slope=lattice.slope, pivot=lattice.pivot)
    found = solid.field(plain)
    distance = np.full(size, np.float32(1e3))
    if found is not None:
        distance[found.box] = found.distance
    return distance
