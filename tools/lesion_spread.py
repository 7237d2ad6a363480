"""How the lesions of a class are spread over the regions of their organ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tools.base import Case
from tools.lesion_list import LesionList
from tools.lesion_place import COUNTS_ABOVE, Place, place
from tools.look import host_of
from tools.shape import FACES
from tools.subregions import Subregions


@dataclass(frozen=True)
class Tally:
    """A number with the least and the most that the resolution allows."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """Lesions by region.

    Attributes:
        counts: number of lesions of which a region holds more than a tenth, by region id.
        volumes: cm³ of lesion voxels (of every size) in a region.
        members: numbers (1 = the largest) of the lesions that count in a region.
        mains: how many lesions have a region as their main one; only regions with any.
        doubts: for each lesion, the regions that may be its main one instead.
        open: why a region's numbers are only bounds, by region id; only such regions.
        cut: why there may be more lesions than are seen, anywhere in the organ.
        unclear: why the main region of some lesion is not known.
        method: what the regions rest on.
        note: what is to be said beside the numbers.
    """

    counts: dict[str, Tally]
    volumes: dict[str, Tally]
    members: dict[str, list[int]]
    mains: dict[str, int]
    doubts: list[tuple[str, list[str]]]
    open: dict[str, str]
    cut: str | None
    unclear: str | None
    method: str
    note: str | None

    def top(self, regions: int) -> Tally:
        """Percent of the lesions whose main region is one of the so many regions with most of them."""
        if not self.doubts:
            return Tally(0.0, 0.0, 0.0)
        scale = 100.0 / len(self.doubts)
        first = Counter(self.mains).most_common(regions)
        value = sum(count for _, count in first)
        inside = {ident for ident, _ in first}
        leaving = sum(1 for main, others in self.doubts if main in inside and set(others) - inside)
        # any doubtful lesion might join the regions that then have the most
        joining = sum(1 for main, others in self.doubts if others and main not in inside)
        return Tally(value * scale, (value - leaving) * scale, min(100.0, (value + joining) * scale))


def spread_of(case: Case, structure: str, found: LesionList, regions: Subregions) -> Spread:
    """Count the lesions of a class by region.

    Args:
        case: the case.
        structure: the lesion class.
        found: its lesions; at least one component.
        regions: the regions of the organ.
    """
    places = {id(one): place(one.region, regions) for one in found.every}
    counts, volumes, members = {}, {}, {}
    for ident in regions.ids:
        listed = [places[id(one)] for one in found.lesions]
        sure = [_share(one, ident) > COUNTS_ABOVE for one in listed]
        doubt = [ident in one.doubtful for one in listed]
        least = sum(1 for here, open_ in zip(sure, doubt, strict=True) if here and not open_)
        most = sum(1 for here, open_ in zip(sure, doubt, strict=True) if here or open_)
        counts[ident] = Tally(sum(sure), least, most)
        members[ident] = [number for number, here in enumerate(sure, start=1) if here]
        volume = sum(one.volume * _share(places[id(one)], ident) / 100 for one in found.every)
        pm = sum(
            (one.volume * places[id(one)].pm.get(ident, 0.0) + one.volume_pm * _share(places[id(one)], ident)) / 100
            for one in found.every
        )
        volumes[ident] = Tally(volume, max(0.0, volume - pm), volume + pm)
    doubts = [(where.main or "", where.rivals) for where in (places[id(one)] for one in found.lesions)]
    nowhere = any(not main for main, _ in doubts)
    return Spread(
        counts=counts,
        volumes=volumes,
        members=members,
        mains=dict(Counter(main for main, _ in doubts if main)),
        doubts=doubts,
        open=_open(case, structure, found, regions, places),
        cut=found.cut,
        unclear="the main region of some lesions is not known" if nowhere else None,
        method=regions.method,
        note=found.note,
    )


def _share(where: Place, ident: str) -> float:
    return where.shares.get(ident, 0.0)


def _open(
    case: Case, structure: str, found: LesionList, regions: Subregions, places: dict[int, Place]
) -> dict[str, str]:
    """Regions in which more may lie than is seen: they go on beyond the scan, or a cut lesion lies in them."""
    if found.cut is None:
        return {}
    inside = set(regions.cut)
    for one in found.every:
        inside |= set(places[id(one)].shares) if one.cut else set()
    host = host_of(case, structure)
    faces = {name for pair in FACES for name in pair}
    if not inside or (host is not None and set(host[1].cut) - faces):  # what is cut off is not known by region
        inside = set(regions.ids)
    return {ident: found.cut for ident in regions.ids if ident in inside}
