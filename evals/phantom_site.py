"""Room for lesions in an organ: its surroundings on a lattice, and the search for a place on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evals.phantom_course import Course, contact
from evals.phantom_lesions import holds, inner_points
from evals.phantom_patient import Patient, label_at, plan_lattice
from evals.phantom_regions import POLES, nominal, parts_of, thirds
from evals.phantom_shapes import Blob, Vector
from evals.phantom_tissue import CLASSES, PART_ORGANS, PARTS, VESSELS

STEP = 3.0
"""Mm between the points of the lattice on which room for a lesion is sought."""
CLEARANCE = 3.0
"""Mm kept between a lesion and the surface of an organ that it does not leave: more than half a lattice diagonal."""
MARGIN, LITTLE = 33.0, 6.0
"""Mm around an organ that its lesions may bulge into, and that are looked at where they don't."""
YIELDS: Mapping[str, tuple[str, ...]] = {
    "pancreas": ("pancreatic_duct", "common_bile_duct", "duodenum", "small_bowel"),
    "colon": ("small_bowel",),
}
"""Structures that a lesion of an organ takes the place of where it bulges."""
THROUGH: Mapping[str, tuple[str, ...]] = {"liver": ("hepatic_vein", "portal_vein")}
"""Vessels that run through an organ: large lesions lie around them."""
GREAT = ("aorta", "inferior_vena_cava")
"""Vessels that lesions lie beside rather than around."""
STARTS, STEPS, TRIES = 80, 140, 3
"""Random places looked at first, steps by which the best of them is bettered, and how often that is tried."""
LARGEST_STRAY, STRAY_AT_VESSELS = 0.05, 0.15
"""Share of a lesion that may be lost to neighbours that do not yield, and of one that has to reach vessels."""
CONTACT_OFF = 30.0
"""Degrees by which the contact asked for may be missed."""


@dataclass(frozen=True)
class Site:
    """An organ with its surroundings.

    Attributes:
        organ: class name.
        corner: patient mm of the first lattice point.
        inside: (i, j, k) whether a point is the organ's, with vessels that run through it.
        bare: the same without vessels.
        free: whether a lesion of it may be there: in the organ, in fat, in bowel that yields, around vessels.
        region: number of the region of the organ, everywhere.
        names: number → region (without side).
        courses: vessels near it.
    """

    organ: str
    corner: NDArray[np.float64]
    inside: NDArray[np.bool_]
    bare: NDArray[np.bool_]
    free: NDArray[np.bool_]
    region: NDArray[np.uint8]
    names: Mapping[int, str]
    courses: Mapping[str, tuple[Course, ...]]

    @cached_property
    def room(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mm from every point to the organ's surface: vessels in it belonging to the surface, and not."""
        bare, inside = (np.asarray(ndimage.distance_transform_edt(one)) * STEP for one in (self.bare, self.inside))
        return bare, inside

    def region_named(self, name: str) -> int:
        """Number of a region."""
        return next(number for number, one in self.names.items() if one == name)

    def at(self, points: NDArray[np.float64]) -> tuple[NDArray[np.intp], ...]:
        """Lattice indices nearest to patient points (n, 3)."""
        index = np.rint((points - self.corner) / STEP).astype(np.intp)
        return tuple(np.clip(index, 0, np.asarray(self.inside.shape) - 1).T)


def paintable(organ: str) -> tuple[int, ...]:
    """Label values that a lesion of an organ takes the place of: the organ, fat (0), and what yields to it."""
    return (0, CLASSES[organ], *(CLASSES[name] for name in YIELDS.get(organ, ())))


def make_site(patient: Patient, organ: str, courses: Mapping[str, tuple[Course, ...]], *, bulging: bool) -> Site:
    """Look at an organ of a patient and, where its lesions may bulge, at what is around it.

    Args:
        patient: the patient.
        organ: class name.
        courses: all vessels of the patient.
        bulging: whether lesions may leave the organ.
    """
    low, high = (np.asarray(end) for end in patient.extents[organ])
    margin = MARGIN if bulging else LITTLE
    corner = low - margin
    first, last = (tuple(float(v) for v in end) for end in (corner, high + margin))
    lattice = plan_lattice(patient, (first[0], first[1], first[2]), (last[0], last[1], last[2]), STEP)
    labels = label_at(patient, lattice, wall=True)
    through = np.isin(labels, [CLASSES[name] for name in THROUGH.get(organ, ())])
    bare = labels == CLASSES[organ]
    free = np.isin(labels, paintable(organ) + tuple(CLASSES[name] for name in VESSELS if name not in GREAT))
    at = np.arange(labels.size)
    names: dict[int, str]
    if organ in PART_ORGANS.values():
        region = parts_of(organ, *nominal(patient, lattice, slice(None)))
        names = {PARTS[name]: name for name, own in PART_ORGANS.items() if own == organ}
    elif organ.startswith("kidney"):
        points = corner + np.argwhere(np.ones_like(bare)) * STEP
        region = thirds(points, points[bare.ravel()]).astype(np.uint8)
        names = {number: f"kidney_{pole}" for number, pole in enumerate(POLES)}
    else:
        region, names = np.zeros(at.size, dtype=np.uint8), {}
    around = {name: found for name, found in courses.items() if any(_near(c, corner, high + margin) for c in found)}
    return Site(organ, corner, bare | through, bare, free, region.reshape(labels.shape), names, around)


def _near(course: Course, low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    return bool(np.any(np.all((course.points >= low) & (course.points <= high), axis=1)))


def settle_inside(
    rng: np.random.Generator,
    site: Site,
    solid: Blob,
    region: int | None,
    others: Sequence[tuple[Vector, float]],
    contacts: Mapping[str, float],
) -> Vector | None:
    """A centre for a lesion wholly inside its organ, None where it does not fit.

    Args:
        rng: source of the choice.
        site: the organ.
        solid: the lesion about the origin.
        region: number of the region that the centre must lie in.
        others: centre and distance to keep from it to the lesion's surface.
        contacts: not looked at.
    """
    del contacts
    reach = max(solid.radii) * (1.0 + sum(abs(wave.amplitude) for wave in solid.waves))
    apart = np.ones(site.bare.shape, dtype=bool)
    axes = [site.corner[a] + STEP * np.arange(site.bare.shape[a]) for a in range(3)]
    x, y, z = np.ix_(*axes)
    for (cx, cy, cz), keep in others:
        apart &= (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 > (keep + reach) ** 2
    for room in site.room:
        fits = (room >= reach + CLEARANCE) & apart
        if region is not None:
            own = site.region == region
            fits &= own
            if fits.any():
                # Wholly in the region where that is possible, else where most of it is.
                depth = ndimage.distance_transform_edt(own & site.inside) * STEP
                fits &= depth >= min(reach + 1.0, float(depth[fits].max()) - 1e-6)
        spots = np.argwhere(fits)
        if len(spots):
            spot = site.corner + STEP * spots[int(rng.integers(len(spots)))]
            return (float(spot[0]), float(spot[1]), float(spot[2]))
    return None


def settle_against(
    rng: np.random.Generator,
    site: Site,
    solid: Blob,
    region: int | None,
    others: Sequence[tuple[Vector, float]],
    contacts: Mapping[str, float],
) -> Vector | None:
    """A centre for a lesion that may bulge out of its organ, touching vessels as asked; None where there is none.

    Random places are bettered step by step until the lesion lies in its region, off what does not yield and the
    other lesions, and against the vessels by the degrees asked for.

    Args:
        rng: source of the search.
        site: the organ.
        solid: the lesion about the origin.
        region: number of the region that its centre must lie in.
        others: centre and distance to keep from it to the lesion's surface.
        contacts: vessel → degrees.
    """
    if any(name not in site.courses for name in contacts):
        return None
    cloud = inner_points(solid, 14)
    reach = float(np.linalg.norm(cloud, axis=1).max())
    home = site.bare if region is None else site.bare & (site.region == region)
    spots = np.argwhere(home)
    if not len(spots):
        return None

    most_stray = STRAY_AT_VESSELS if any(contacts.values()) else LARGEST_STRAY

    def faults(center: NDArray[np.float64]) -> tuple[float, float]:
        """How far a place is from good, and from being allowed at all (0)."""
        at = site.at(cloud + center)
        stray = 1.0 - float(site.free[at].mean())
        inside = float(site.bare[at].mean())
        own = 1.0 if region is None else float((site.region[at] == region).mean())
        close = max([0.0, *(keep + reach - float(np.linalg.norm(center - other)) for other, keep in others)])
        forbidden = close + 20 * max(0.0, stray - most_stray) + 20 * max(0.0, 0.25 - inside) + 10 * max(0.0, 0.5 - own)
        cost = 10 * forbidden + 8 * stray + 1.5 * (1 - inside) + 2.5 * (1 - own)
        if contacts and forbidden < 6:
            here = replace(solid, center=(float(center[0]), float(center[1]), float(center[2])))
            for name, angle in contacts.items():
                got = contact(site.courses[name], lambda points: holds(here, points), center, reach + 2)
                off = abs(got - angle)
                if got == 0 and angle > 0:
                    # Without any contact the distance tells which way is nearer.
                    gaps = [np.linalg.norm(c.points - center, axis=1) - c.radii for c in site.courses[name]]
                    off += 10 * max(0.0, min(float(gap.min()) for gap in gaps) - 0.6 * reach)
                cost += off / 12
                forbidden += max(0.0, off - CONTACT_OFF)
        elif contacts:
            cost += 360
            forbidden += 360
        return cost, forbidden

    for _ in range(TRIES):
        starts = site.corner + STEP * spots[rng.integers(len(spots), size=STARTS)]
        best = min(((*faults(start), start) for start in starts), key=lambda one: one[0])
        for step in range(STEPS):
            center = best[2] + rng.normal(0, 6.0 * 0.975**step + 0.3, 3)
            new = (*faults(center), center)
            if new[0] < best[0]:
                best = new
        if best[1] <= 0:
            return (float(best[2][0]), float(best[2][1]), float(best[2][2]))
    return None
