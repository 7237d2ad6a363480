"""What is true of a scan and its labels, counted from the voxels: the truth that reports are held against.

Plain numpy over the arrays of the files, and none of the program's tools. A class is what a label map's header names;
what stands for several (a pair, "any lesion of the liver") is the union of their voxels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

from evals.honesty.names import lesions_of, members

PADDING_HU = -1500.0
"""What lies below is outside of the reconstruction."""
REGION_SHARE = 0.10
LEAST_CM3 = 0.05
"""Smaller fragments of a label are no lesions of their own (RadGPT)."""
Indexes = NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """One lesion: cm³, mm, HU."""

    voxels: int
    volume: float
    long_axis: float
    hu_mean: float
    slices: frozenset[int]
    regions: frozenset[str]


@dataclass(frozen=True)
class Measured:
    """One structure.

    Attributes:
        voxels: of its own.
        volume: cm³ with the lesions in it.
        hu_mean, hu_sd, hu_median: without its lesions and without padding; None without voxels.
        cut: it reaches a face of the scan, or padding.
        slices: slices of the scan, in the order of its file, that hold it.
        pieces: its connected parts, largest first; for lesions.
    """

    voxels: int
    volume: float
    hu_mean: float | None
    hu_sd: float | None
    hu_median: float | None
    cut: bool
    slices: frozenset[int]
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Facts:
    """A scan with its label maps.

    Attributes:
        hu: the scan.
        affine: of the scan; the label maps lie on its grid.
        maps: label maps, each with value by class name.
        phase: contrast phase, if it is known.
        truncated: classes that the patient has more of than the scan shows.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64]
    maps: tuple[tuple[NDArray[np.integer], Mapping[str, int]], ...]
    phase: str | None = None
    truncated: frozenset[str] = frozenset()
    _cache: dict[str, Measured | None] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def declared(self) -> frozenset[str]:
        """Every class that a label map names, with voxels or without."""
        return frozenset(name for _, names in self.maps for name in names)

    @cached_property
    def voxel_cm3(self) -> float:
        """Volume of a voxel."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000

    @cached_property
    def axis(self) -> int:
        """The axis of the array along which the slices lie."""
        steps = np.abs(self.affine[2, :3]) / np.linalg.norm(self.affine[:3, :3], axis=0)
        return int(np.argmax(steps))

    def looked(self, name: str) -> bool:
        """Whether a class, or every member of a group, was declared."""
        group = members(name, self.declared)
        return bool(group)

    def get(self, name: str) -> Measured | None:
        """What is true of a structure or group; None where no class shows it."""
        if name not in self._cache:
            group = members(name, self.declared)
            self._cache[name] = self._measure(name, group) if group else None
        return self._cache[name]

    def _mask(self, group: frozenset[str]) -> NDArray[np.bool_]:
        found = np.zeros(self.hu.shape, bool)
        for data, names in self.maps:
            values = [value for name, value in names.items() if name in group]
            if values:
                found |= np.isin(data, values)
        return found

    @cached_property
    def _lesions(self) -> NDArray[np.bool_]:
        return self._mask(members("lesion", self.declared))

    def _measure(self, name: str, group: frozenset[str]) -> Measured:
        own = self._mask(group)
        lesion = group <= members("lesion", self.declared)
        inside = lesions_of(name, self.declared)
        whole = own | self._mask(inside) if inside and not lesion else own
        tissue = self.hu[(own if lesion else own & ~self._lesions) & (self.hu > PADDING_HU)]
        some = tissue.size > 0
        return Measured(
            voxels=int(own.sum()), volume=float(whole.sum()) * self.voxel_cm3,
            hu_mean=float(tissue.mean(dtype=np.float64)) if some else None,
            hu_sd=float(tissue.std(dtype=np.float64)) if some else None,
            hu_median=float(np.median(tissue)) if some else None,
            cut=self._cut(whole) or bool(group & self.truncated), slices=self._slices(whole),
            pieces=self._pieces(own) if lesion else (),
        )  # fmt: skip

    def _slices(self, mask: NDArray[np.bool_]) -> frozenset[int]:
        others = tuple(axis for axis in range(3) if axis != self.axis)
        return frozenset(int(at) for at in np.flatnonzero(mask.any(axis=others)))

    def _cut(self, mask: NDArray[np.bool_]) -> bool:
        """Whether a structure reaches a face of the volume, or lies beside padding."""
        for axis in range(3):
            if mask.take([0, -1], axis=axis).any():
                return True
        pad = self.hu <= PADDING_HU
        return bool(pad.any() and (ndimage.binary_dilation(mask) & pad).any())

    def _pieces(self, mask: NDArray[np.bool_]) -> tuple[Piece, ...]:
        labelled, count = ndimage.label(mask, np.ones((3, 3, 3)))
        pieces = []
        for number, box in enumerate(ndimage.find_objects(labelled, count), start=1):
            one = np.argwhere(labelled[box] == number) + [part.start for part in box]
            if len(one) * self.voxel_cm3 < LEAST_CM3:
                continue
            values = self.hu[tuple(one.T)]
            pieces.append(
                Piece(
                    len(one),
                    len(one) * self.voxel_cm3,
                    self._long_axis(one),
                    float(values.mean(dtype=np.float64)),
                    frozenset(int(at) for at in np.unique(one[:, self.axis])),
                    self._regions(one),
                )
            )
        return tuple(sorted(pieces, key=lambda piece: -piece.voxels))

    def _long_axis(self, voxels: Indexes) -> float:
        """Longest distance within one slice, with half a pixel on either side along both axes."""
        longest = 0.0
        for at in np.unique(voxels[:, self.axis]):
            flat = voxels[voxels[:, self.axis] == at].astype(float)
            steps = self.affine[:3, :3].copy()
            across = [axis for axis in range(3) if axis != self.axis]
            points = []
            for axis in across:
                for half in (-0.5, 0.5):
                    moved = flat.copy()
                    moved[:, axis] += half
                    points.append(moved)
            corners = np.concatenate(points)
            world = _ends(corners, across[0]) @ steps.T
            if len(world) > 1:
                longest = max(longest, float(pdist(world).max()))
        return longest

    def _regions(self, voxels: Indexes) -> frozenset[str]:
        """Classes of regions that hold more than a tenth of a lesion."""
        found = set()
        for data, names in self.maps:
            values, counts = np.unique(data[tuple(voxels.T)], return_counts=True)
            shares = dict(zip(values.tolist(), (counts / len(voxels)).tolist(), strict=True))
            found |= {name for name, value in names.items() if shares.get(value, 0.0) > REGION_SHARE}
        return frozenset(found)


def _ends(corners: NDArray[np.float64], key: int) -> NDArray[np.float64]:
    """First and last corner of every line: only they can be farthest from anything."""
    order = np.lexsort((*(corners[:, axis] for axis in range(3) if axis != key), corners[:, key]))
    lines = corners[order]
    starts = np.flatnonzero(np.r_[True, np.diff(lines[:, key]) != 0])
    return np.concatenate([lines[starts], lines[np.r_[starts[1:] - 1, len(lines) - 1]]])
