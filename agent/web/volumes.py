"""Volumes for a viewer as NIfTI bytes: the scan and its masks, whole at a coarse level or a crop at any.

What was reduced once is kept on the disk by content, since a big scan takes seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from agent.web.bounded_folder import BoundedFolder
from agent.web.config import VOLUMES_BYTES
from agent.web.faults import Refused, missing
from agent.web.latest import Latest
from agent.web.mask_view import MasksOut, lesions_of, masks_of, values_of
from tools.base import Case
from tools.preview import (
    Level,
    check_size,
    levels,
    nifti_bytes,
    parsed_box,
    reduced_grid,
    reduced_scan,
)
from tools.preview_labels import reduced_labels
from tools.types import content_hash
from tools.volume import Box, LabelSet

_VERSION = 2
"""Raised whenever the bytes for the same input may change."""
_DIFFERS = (2, 3)
"""What a correction takes away and what it adds, in a volume of changes."""
_SMALL = 4
"""Voxels of a coarse picture along each side of what may be lost in it."""
_AT_ONCE = 2
_MASKS_KEPT = 32


class VoxelOut(BaseModel):
    """What lies at a point: exact, at full resolution.

    Attributes:
        inside: whether the point lies within the scan.
        hu: value there; null outside and in padding.
        padding: whether it lies outside of the reconstruction.
        ijk: voxel in the canonical grid.
        file_slice: axial slice as the file counts.
        structures: ids of the structures there.
    """

    inside: bool
    hu: float | None = None
    padding: bool = False
    ijk: tuple[int, int, int] | None = None
    file_slice: int | None = None
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    level: Level
    box: Box | None


class Volumes:
    """Makes the bytes, a few at once, and keeps those of whole levels.

    Args:
        cache: folder of results that can be computed again.
        room: bytes that they may take there.
    """

    def __init__(self, cache: Path, room: int = VOLUMES_BYTES) -> None:
        self._files = BoundedFolder(cache / "volumes", room)
        self._turn = threading.Semaphore(_AT_ONCE)
        self._masks: Latest[MasksOut] = Latest(_MASKS_KEPT)

    def masks(self, case: Case) -> MasksOut:
        """What masks a case has."""
        digest = case.labels.digest if case.labels is not None else ""
        notes = content_hash([case.labels.source, list(case.labels.notes)]) if case.labels is not None else ""

        def make() -> MasksOut:
            with self._turn:
                return masks_of(case)

        return self._masks.get((case.scan.digest, digest, notes, case.settings.digest), make)

    def scan(self, case: Case, level: int, box: str | None) -> bytes:
        """The scan at a level: (i, j, k) HU as 16-bit integers.

        Raises:
            Refused: there is no such level.
            UsageError: the box is none, or there are too many voxels in it.
        """
        part = _part(case, level, box)

        def make() -> bytes:
            array, grid = reduced_scan(case.scan, part.level, part.box)
            return nifti_bytes(array, grid, name="scan")

        return self._kept(["scan", case.scan.digest, case.scan.padding, level], box, make)

    def labels(self, case: Case, layer: int, level: int, box: str | None) -> bytes:
        """A layer of the masks at a level, on the same grid as the scan's.

        Raises:
            Refused: there is no such layer or level.
            UsageError: the box is none, or there are too many voxels in it.
        """
        labels = case.labels
        if labels is None or not 0 <= layer < len(labels.layers):
            raise missing("layer of masks")
        part = _part(case, level, box)

        def make() -> bytes:
            kept = _never_missed(labels, layer, part.level)
            array = reduced_labels(labels.layers[layer], part.level, part.box, values_of(labels, layer), kept)
            return nifti_bytes(array, reduced_grid(part.level, part.box), name="labels")

        return self._kept(["labels", labels.digest, layer, level], box, make)

    def changes(self, case: Case, after: LabelSet, structures: tuple[str, ...], level: int, box: str | None) -> bytes:
        """What a correction changes, on the same grid as the scan's: 1 stays, 2 goes, 3 comes.

        Args:
            case: with the labels as they were.
            after: the corrected labels.
            structures: ids of those that were corrected.
            level: number of the level.
            box: part of the scan.

        Raises:
            Refused: there is no such level.
            UsageError: the box is none, or there are too many voxels in it.
        """
        part = _part(case, level, box)
        with self._turn:
            array = reduced_labels(_changed(case, after, structures), part.level, part.box, kept=_DIFFERS)
            return nifti_bytes(array, reduced_grid(part.level, part.box), name="changes")

    def _kept(self, about: list[object], box: str | None, make: Callable[[], bytes]) -> bytes:
        if box is not None:
            with self._turn:
                return make()
        name = f"{content_hash([_VERSION, *about])}.nii.gz"
        if (kept := self._files.read(name)) is not None:
            return kept
        with self._turn:
            # Who asked for the same before may have made it meanwhile.
            if (kept := self._files.read(name)) is not None:
                return kept
            made = make()
            self._files.write(name, made)
        return made


def voxel_at(case: Case, point: tuple[float, float, float]) -> VoxelOut:
    """What lies at a point given in RAS+ mm."""
    inverse = np.linalg.inv(case.scan.grid.affine)
    i, j, k = (round(float(one)) for one in inverse[:3, :3] @ np.array(point) + inverse[:3, 3])
    if not all(0 <= one < count for one, count in zip((i, j, k), case.scan.grid.shape, strict=True)):
        return VoxelOut(inside=False)
    value = float(case.scan.hu[i, j, k])
    padding = case.scan.padding is not None and value == case.scan.padding
    here: set[tuple[int, int]] = set()
    labels = case.labels
    if labels is not None:
        here = {(number, int(layer[i, j, k])) for number, layer in enumerate(labels.layers)}
    names = tuple(name for name, keys in labels.entries.items() if here & set(keys)) if labels is not None else ()
    return VoxelOut(
        inside=True, hu=None if padding else round(value, 3), padding=padding, ijk=(i, j, k),
        file_slice=case.scan.orientation.file_slice(k), structures=names,
    )  # fmt: skip


def _never_missed(labels: LabelSet, layer: int, level: Level) -> set[int]:
    """Labels that a coarse picture must show wherever they are: lesions, and structures of a few of its voxels."""
    small = {
        value
        for (one, value), box in labels.boxes.items()
        if one == layer
        and all(side.stop - side.start <= _SMALL * factor for side, factor in zip(box, level.factor, strict=True))
    }
    return small | set(lesions_of(labels, layer))


def _changed(case: Case, after: LabelSet, structures: tuple[str, ...]) -> NDArray[np.uint8]:
    """On the scan's grid: 1 stays, 2 goes, 3 comes."""
    shown = np.zeros(case.scan.grid.shape, np.uint8)
    for labels, weight in ((case.labels, 2), (after, 3)):
        for name in structures:
            region = labels.region(labels.entries.get(name, ())) if labels is not None else None
            if region is not None:
                view = shown[region.box]
                both = region.mask & (view == 2)
                view[region.mask & (view == 0)] = weight
                if weight == 3:
                    view[both] = 1
    return shown


def _part(case: Case, level: int, box: str | None) -> _Part:
    every = levels(case.scan.grid)
    if not 0 <= level < len(every):
        raise Refused(404, "not_found", f"The scan has no level {level}: its levels are 0 to {len(every) - 1}.")
    bounds = parsed_box(box, case.scan.grid.shape) if box is not None else None
    check_size(every[level], bounds)
    return _Part(every[level], bounds)
