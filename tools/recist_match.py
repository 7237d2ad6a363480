"""Finds the lesions of an earlier scan again: same organ, comparable type, same place in the organ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.base import Case
from tools.look import look
from tools.ontology import load_ontology
from tools.recist_lesions import NODE, Candidate
from tools.shape import FACES
from tools.surface import corners
from tools.volume import FloatArray

METHOD = "lesions are matched by class and by position relative to the box of their organ"
# Organs move with breathing and posture, relative to themselves by less than this.
_SLACK_MM = 10.0
_FAR = 1e6


@dataclass
class Matches:
    """Which lesions of two scans are the same.

    Attributes:
        pairs: earlier lesion → lesion now (positions in the lists given).
        fragments: lesion now → the earlier lesion that it has broken off.
        merged: earlier lesion → lesion now that has grown over it.
        new: lesions now that were not there.
        gaps: mm between the expected and the found place of each pair.
    """

    pairs: dict[int, int] = field(default_factory=dict)
    fragments: dict[int, int] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    new: list[int] = field(default_factory=list)
    gaps: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """Box of an organ in world mm.

    Attributes:
        low: (3,) least coordinates.
        high: (3,) greatest coordinates.
        open_low: (3,) whether the organ is cut off at that end.
        open_high: (3,) likewise.
    """

    low: FloatArray
    high: FloatArray
    open_low: tuple[bool, ...]
    open_high: tuple[bool, ...]


def frame(case: Case, organ: str) -> Frame | None:
    """Box of an organ with its lesions; None where nothing shows it."""
    if case.labels is None or organ == NODE or load_ontology().get(organ).kind == "lesion":
        return None
    seen = look(case, organ, with_lesions=True)
    if seen.region is None:
        return None
    points = case.scan.grid.world(corners(seen.region))
    faces = {name for ends in FACES for name in ends}
    # The edge of the reconstruction may cut at any end.
    anywhere = not faces.issuperset(seen.cut)
    return Frame(
        points.min(axis=0), points.max(axis=0),
        tuple(anywhere or ends[0] in seen.cut for ends in FACES),
        tuple(anywhere or ends[1] in seen.cut for ends in FACES),
    )  # fmt: skip


def expected(point: FloatArray, before: Frame | None, now: Frame | None) -> FloatArray:
    """Where a point of the earlier scan is to be expected; NaN along axes where nothing tells.

    Along each world axis the organ's box is stretched to its new size; where one end is cut off in either scan, the
    distance to the other end is kept.
    """
    found = np.full(3, np.nan)
    if before is None or now is None:
        return found
    for axis in range(3):
        low = not (before.open_low[axis] or now.open_low[axis])
        high = not (before.open_high[axis] or now.open_high[axis])
        if low and high:
            share = (point[axis] - before.low[axis]) / max(before.high[axis] - before.low[axis], 1e-6)
            found[axis] = now.low[axis] + share * (now.high[axis] - now.low[axis])
        elif low:
            found[axis] = now.low[axis] + (point[axis] - before.low[axis])
        elif high:
            found[axis] = now.high[axis] - (before.high[axis] - point[axis])
    return found


def shift(case: Case, before: Case) -> FloatArray | None:
    """How far, in mm, what is labelled and whole in both scans has moved: the median over its boxes; (3,) or None."""
    if case.labels is None or before.labels is None:
        return None
    moved = []
    for ident in case.labels.entries:
        if load_ontology().get(ident).kind == "lesion" or ident not in before.labels.entries:
            continue
        ends = [_box_centre(one, ident) for one in (before, case)]
        if ends[0] is not None and ends[1] is not None:
            moved.append(ends[1] - ends[0])
    return np.median(moved, axis=0) if moved else None


def _box_centre(case: Case, ident: str) -> FloatArray | None:
    """World mm of the middle of a structure's box; None where it has no voxel or reaches the scan's border."""
    assert case.labels is not None
    boxes = [case.labels.boxes[key] for key in case.labels.entries[ident] if key in case.labels.boxes]
    if not boxes:
        return None
    low = np.array([min(box[axis].start for box in boxes) for axis in range(3)])
    high = np.array([max(box[axis].stop for box in boxes) for axis in range(3)])
    if (low == 0).any() or (high == case.scan.grid.shape).any():
        return None
    return case.scan.grid.world((low + high - 1) / 2)


def match(case: Case, before: Sequence[Candidate], now: Sequence[Candidate]) -> Matches:
    """Match the lesions of the earlier scan with those of this one.

    Args:
        case: this scan, with its prior.
        before: lesions of the earlier scan.
        now: lesions of this scan.
    """
    assert case.prior is not None
    organs = sorted({one.organ for one in (*before, *now)})
    frames = {organ: (frame(case.prior, organ), frame(case, organ)) for organ in organs}
    moved = shift(case, case.prior)
    places = [_place(one, *frames[one.organ], moved) for one in before]
    gaps = np.full((len(before), len(now)), _FAR)
    for i, old in enumerate(before):
        for j, new in enumerate(now):
            if _comparable(old, new):
                gaps[i, j] = _gap(places[i], new, old, alone=_alone(old, before) and _alone(new, now))
    made = Matches()
    allowed = np.array([[_reach(old, new) for new in now] for old in before]).reshape(gaps.shape)
    cost = np.where(gaps <= allowed, gaps, _FAR)
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, j] < _FAR:
            made.pairs[int(i)] = int(j)
            made.gaps[int(i)] = round(float(gaps[i, j]), 2)
    _rest(made, before, now, gaps)
    return made


def _rest(made: Matches, before: Sequence[Candidate], now: Sequence[Candidate], gaps: FloatArray) -> None:
    """Fragments, lesions that have grown together, and new lesions among what found no partner."""
    for i in range(len(before)):
        over = [j for j, new in enumerate(now) if gaps[i, j] <= new.lesion.axes.long_axis / 2]
        if i not in made.pairs and over:
            made.merged[i] = over[int(np.argmin(gaps[i, over]))]
    taken = set(made.pairs.values())
    for j in range(len(now)):
        within = [i for i, old in enumerate(before) if gaps[i, j] <= old.lesion.axes.long_axis / 2]
        if j in taken:
            continue
        if within:
            made.fragments[j] = within[int(np.argmin(gaps[within, j]))]
        else:
            made.new.append(j)


def _place(one: Candidate, before: Frame | None, now: Frame | None, moved: FloatArray | None) -> FloatArray:
    """Where a lesion is to be expected: by its organ's box, else by what all labelled structures moved."""
    place = expected(one.centre, before, now)
    return one.centre + moved if np.isnan(place).all() and moved is not None else place


def _comparable(old: Candidate, new: Candidate) -> bool:
    """Whether both are of one organ, and the type of one is the other's or a more general one."""
    if old.organ != new.organ or old.node != new.node:
        return False
    if old.ident == new.ident or old.node:
        return True
    ontology = load_ontology()
    first, second = (ontology.get(one.ident) for one in (old, new))
    if first.side and second.side and first.side != second.side:
        return False
    a, b = str(first.lesion_type), str(second.lesion_type)
    return a in ontology.ancestors(b) or b in ontology.ancestors(a)


def _alone(one: Candidate, others: Sequence[Candidate]) -> bool:
    return sum(_comparable(one, other) for other in others) == 1


def _gap(place: FloatArray, new: Candidate, old: Candidate, *, alone: bool) -> float:
    """mm between the expected place and a lesion, along the axes that are known.

    Where nothing tells a place, only a lesion that is the one of its kind in both scans is the same.
    """
    known = ~np.isnan(place)
    if known.any():
        return float(np.linalg.norm((place - new.centre)[known]))
    return 0.0 if alone else _FAR


def _reach(old: Candidate, new: Candidate) -> float:
    """How far apart, in mm, expected and found place may be: a lesion grows or shrinks about its centre."""
    return _SLACK_MM + max(old.lesion.axes.long_axis, new.lesion.axes.long_axis) / 2
