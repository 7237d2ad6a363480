"""The lesions of a class one by one: connected components, which of them count, and what may lie unseen.

Every tool that speaks of single lesions begins here, so that "lesion 2" is the same one everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tools.attached import apart
from tools.base import Case
from tools.lesion_place import COUNTS_ABOVE, place
from tools.look import Look, cut_by, host_of, look
from tools.masks import connected
from tools.ontology import load_ontology
from tools.shape import Diameters, eroded, in_plane_diameters
from tools.structure_parts import region_host
from tools.structures import resolve
from tools.subregions import Subregions, finest
from tools.types import State
from tools.volume import Grid, Region

METHOD = "connected components (26-neighbourhood) of the lesion labels above the size limit"


@dataclass(frozen=True)
class Lesion:
    """One connected component of a lesion label.

    Attributes:
        region: its mask.
        volume: cm³.
        cut: what cuts it off; empty where it is whole.
        grid: the grid it lies in.
    """

    region: Region
    volume: float
    cut: tuple[str, ...]
    grid: Grid

    @cached_property
    def axes(self) -> Diameters:
        """In-plane diameters in mm."""
        found = in_plane_diameters(self.region, self.grid)
        assert found is not None
        return found

    @cached_property
    def _shell(self) -> int:
        return self.region.voxels - int(np.count_nonzero(eroded(self.region, self.grid)))

    @property
    def volume_pm(self) -> float:
        """Half of the outermost voxel shell in cm³: what the resolution leaves open of the volume."""
        return self._shell / 2 * self.grid.voxel_volume / 1000.0

    @property
    def rounding(self) -> float:
        """What rounding the border to whole voxels, each for itself, leaves open of the volume in cm³."""
        return math.sqrt(self._shell) * self.grid.voxel_volume / 1000.0


@dataclass(frozen=True)
class LesionList:
    """The lesions of a class.

    Attributes:
        found: what is seen of the class as a whole; its region is None where there is none.
        every: all components, largest volume first.
        lesions: those above the size limit.
        below: how many are below it.
        cut: why there may be more, or larger ones, than are seen; None where all are seen.
        apart: name of the organ if some of those listed lie apart from it.
    """

    found: Look
    every: tuple[Lesion, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    below: int = 0
    cut: str | None = None
    apart: str | None = None

    @property
    def note(self) -> str | None:
        """What is to be said beside the count."""
        more = "there are more components below the size limit, which are not counted" if self.below else None
        astray = f"some lie apart from the {self.apart} as labelled, so one of the two labels is in doubt"
        return "; ".join(part for part in (more, astray if self.apart else None, self.found.narrow) if part) or None


def components(case: Case, region: Region) -> list[Lesion]:
    """Connected components of a mask, largest volume first (ties: by position, so the order is stable)."""
    grid = case.scan.grid
    per_voxel = grid.voxel_volume / 1000.0
    found = [Lesion(one, one.voxels * per_voxel, cut_by(case, one), grid) for one in connected(region)]
    return sorted(found, key=lambda one: (-one.volume, tuple(axis.start for axis in one.region.box)))


def lesion_list(case: Case, structure: str) -> LesionList:
    """The lesions of a class (or of a class in a region: whole lesions that lie in it to more than a tenth).

    Args:
        case: the case.
        structure: canonical identifier of a lesion class.
    """
    found = look(case, structure)
    if found.region is None:
        return LesionList(found)
    every = _components(case, structure, found.region)
    of_region = _in_region(case, structure)
    if of_region is not None:
        every = of_region
        if not every:
            return LesionList(Look(State.ABSENT, "only small fringes of lesions beside it reach into it"))
    limit = case.settings.min_lesion_mm3 / 1000.0
    lesions = tuple(one for one in every if one.volume >= limit)
    cut = _cut(case, structure, every, found.missing)
    return LesionList(found, every, lesions, len(every) - len(lesions), cut, _apart(case, structure, lesions))


def only_grazed(case: Case, structure: str) -> bool:
    """Whether all that lies in the region asked for are fringes of lesions that count for the regions beside it."""
    return _in_region(case, structure) == ()


def nothing(case: Case, structure: str, found: Look) -> tuple[State, str | None]:
    """State and reason where no lesion of a class has voxels: absent only if the whole organ was seen."""
    asked = load_ontology().get(structure)
    if found.state is not State.ABSENT or asked.kind != "lesion":
        return found.state, found.reason
    host = host_of(case, structure)
    if host is None:
        return (
            State.NOT_ASSESSED,
            "none was found where the labels could show one, but they do not cover the whole body",
        )
    if host[1].region is None:
        return State.NOT_ASSESSED, "its class is empty, but the organ itself was not found in the labels"
    if not host[1].whole:
        return (
            State.NOT_MEASURABLE,
            f"none was found, but of the organ only a part is seen: {host[1].incomplete_reason}",
        )
    return State.ABSENT, found.reason


def none_counts(case: Case, structure: str, found: LesionList) -> tuple[State, str | None] | None:
    """State and reason where a class has no lesion that counts; None where it has."""
    if found.lesions:
        return None
    if found.found.region is not None:
        return State.NOT_MEASURABLE, "all of its components are below the size limit"
    return nothing(case, structure, found.found)


def _components(case: Case, structure: str, region: Region) -> tuple[Lesion, ...]:
    """Components of a class, worked out once for a scan with its labels."""
    assert case.labels is not None
    key = ("lesions", structure)
    known = case.labels.memo.get(key)
    # what cuts a lesion off depends on the scan beside the labels
    if known is None or known[0] is not case.scan:
        known = case.labels.memo[key] = (case.scan, tuple(components(case, region)))
    every: tuple[Lesion, ...] = known[1]
    return every


def _in_region(case: Case, structure: str) -> tuple[Lesion, ...] | None:
    """Whole lesions of the organ that lie in the region asked for to more than a tenth; None if no region is asked."""
    ontology = load_ontology()
    asked = ontology.get(structure)
    host = region_host(asked.organ, ontology) if asked.organ else None
    if host is None or asked.lesion_type is None or case.labels is None:
        return None
    if not resolve(case.labels, structure).shared:
        return None
    above = ontology.lesion_id(asked.lesion_type, host)
    whole = look(case, above)
    told = finest(case.labels, host)
    if whole.region is None or not isinstance(told, Subregions):
        return None
    wanted = {told.ids[number - 1] for number in told.holding(str(asked.organ))}
    return tuple(
        one
        for one in _components(case, above, whole.region)
        if sum(share for ident, share in place(one.region, told).shares.items() if ident in wanted) > COUNTS_ABOVE
    )


def _apart(case: Case, structure: str, lesions: tuple[Lesion, ...]) -> str | None:
    """Name of the organ of a class if a lesion of it lies elsewhere."""
    ontology = load_ontology()
    organ = ontology.get(structure).organ
    while organ is not None and (above := region_host(organ, ontology)) is not None:
        organ = above
    if organ is None or case.labels is None:
        return None
    astray = any(apart(case.labels, organ, one.region) for one in lesions)
    return ontology.get(organ).name if astray else None


def _cut(case: Case, structure: str, every: tuple[Lesion, ...], missing: tuple[str, ...]) -> str | None:
    if any(one.cut for one in every):
        return "a lesion is cut off by the field of view, and there may be more beyond it"
    host = host_of(case, structure)
    if host is not None and host[1].cut:
        return "the organ is cut off by the field of view, and there may be more beyond it"
    if missing:
        return f"this was not looked at, where there may be more: {', '.join(missing)}"
    return None
