"""Scans and label sets on one grid, in world millimetres.

World coordinates are RAS+ (NIfTI convention). Every array is held in the axis order closest to RAS+, so that
axis 2 runs from feet to head and an "axial" slice is the same slice whatever the order on disk was. The affine
keeps obliquity: nothing here assumes that axes are parallel to the world's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from tools.person import Person

FloatArray = NDArray[np.float64]
ADDED = "added by a person"
"""Name of a label that no map gave."""
SYNTHETIC_MARK = "synthetic CT"
"""How the description of a NIfTI header begins where no patient was scanned; DICOM has Synthetic Data (0008,001C)."""
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """A voxel grid in world space.

    Attributes:
        shape: number of voxels along i, j, k.
        affine: (4, 4) matrix from voxel indices to world mm, RAS+.
    """

    shape: tuple[int, int, int]
    affine: FloatArray

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Length in mm of one step along each axis."""
        norms = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(norms[0]), float(norms[1]), float(norms[2]))

    @cached_property
    def voxel_volume(self) -> float:
        """True volume of one voxel in mm³: |det| of the affine, right for sheared grids as well."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def world(self, ijk: NDArray[Any]) -> FloatArray:
        """World mm of voxel indices; `ijk` has shape (..., 3)."""
        # Axis by axis: three columns are too few for a matrix product, which takes four times as long.
        ijk = np.asarray(ijk)
        i, j, k = (ijk[..., axis].astype(np.float64) for axis in range(3))
        return np.stack([i * row[0] + j * row[1] + k * row[2] + row[3] for row in self.affine[:3]], axis=-1)

    def same_as(self, other: Grid, tolerance_voxels: float = 1e-2) -> bool:
        """Whether both grids place every voxel at the same world position, to a fraction of a voxel."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        gap = np.linalg.norm(self.world(corners) - other.world(corners), axis=1)
        return bool(gap.max() <= tolerance_voxels * min(self.spacing))


@dataclass(frozen=True)
class Orientation:
    """How the user's file was ordered, to give slice numbers that the user's viewer shows.

    Attributes:
        transform: nibabel orientation array (3, 2) from file axes to canonical axes.
        shape: shape in the file.
    """

    transform: FloatArray
    shape: tuple[int, int, int]

    def file_slice(self, k: int) -> int:
        """Index along the file's own slice axis (zero-based) of canonical axial slice `k`."""
        axis = int(np.flatnonzero(self.transform[:, 0] == 2)[0])
        return k if self.transform[axis, 1] > 0 else self.shape[axis] - 1 - k


@dataclass(frozen=True)
class ScanHeader:
    """What the file said about itself, free of identifying fields.

    Attributes:
        source: "nifti" or "dicom".
        modality: DICOM modality, None for NIfTI (which does not say).
        contrast_agent: True/False where a DICOM header says so, else None.
        phase_text: contrast phase named by a header text ("arterial", …), else None.
        slice_thickness: mm as declared, None where the header does not say.
        tilt_degrees: gantry tilt as found in the geometry (0 for none).
        uneven_slices: largest deviation in mm of a slice gap from the median gap.
        padding_value: value declared as padding, else None.
        synthetic: whether the file says that the scan was computed and shows no patient.
        notes: what had to be mended or assumed while reading, one clause each.
    """

    source: str
    modality: str | None = None
    contrast_agent: bool | None = None
    phase_text: str | None = None
    slice_thickness: float | None = None
    tilt_degrees: float = 0.0
    uneven_slices: float = 0.0
    padding_value: float | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scan:
    """A CT scan in canonical axis order.

    Attributes:
        hu: (i, j, k) Hounsfield units, int16 where that loses nothing, else float32.
        grid: the canonical grid of `hu`.
        orientation: how the file was ordered.
        header: what the file said.
        padding: value that marks voxels outside the reconstruction, None where there is none.
        person: what tells whether another scan is of the same patient; held in memory only.
    """

    hu: NDArray[Any]
    grid: Grid
    orientation: Orientation
    header: ScanHeader
    padding: float | None = None
    person: Person = field(default_factory=Person, repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over voxels, type, shape and affine: the scan's identity, whatever its file is called."""
        return array_digest(self.hu, self.grid.affine)


@dataclass(frozen=True)
class Region:
    """A structure's mask, cropped to its bounding box.

    Attributes:
        box: slices of the bounding box in the canonical grid.
        mask: boolean array of the box's shape.
    """

    box: Box
    mask: NDArray[np.bool_]

    @cached_property
    def voxels(self) -> int:
        """Number of voxels in the mask."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True)
class LabelSet:
    """Label maps on the scan's canonical grid.

    Overlapping masks live in different layers; within a layer every voxel has one label.

    Attributes:
        grid: the grid, equal to the scan's.
        layers: integer arrays (uint8/uint16/uint32), 0 = background, all of the grid's shape.
        entries: canonical structure id → (layer, label value) pairs; declared structures without voxels are
            listed too, since a tool able to see them has looked.
        raw_names: (layer, value) → the name as the user's map gave it.
        source: one clause on where the labels come from and how they were brought onto the grid.
        notes: limitations to be shown with every result (resampling, voxels outside the scan, …).
        unseen: canonical structure id → why nothing looked for it, as a clause without digits, where that is known.
        estimated: canonical ids of the structures whose masks a segmentation engine drew.
        reviewed: canonical ids of the structures of which a person approved, removed or added a part.
    """

    grid: Grid
    layers: tuple[NDArray[Any], ...]
    entries: dict[str, tuple[tuple[int, int], ...]]
    raw_names: dict[tuple[int, int], str] = field(default_factory=dict)
    source: str = "label map"
    notes: tuple[str, ...] = ()
    unseen: Mapping[str, str] = field(default_factory=dict)
    estimated: frozenset[str] = frozenset()
    reviewed: frozenset[str] = frozenset()

    @cached_property
    def memo(self) -> dict[tuple[str, ...], Any]:
        """What several tools need and one of them has worked out from these labels, by what it is.

        Threads that work out the same thing at once both store the same result.
        """
        return {}

    @cached_property
    def drawn(self) -> frozenset[str]:
        """Canonical ids of the structures that a person added and no map has: nothing looked for more of them."""
        by_name = ((name, [self.raw_names.get(key) for key in keys]) for name, keys in self.entries.items())
        return frozenset(name for name, given in by_name if given and set(given) == {ADDED})

    @cached_property
    def boxes(self) -> dict[tuple[int, int], Box]:
        """Bounding box of every label that has voxels, found in one pass per layer."""
        from scipy import ndimage  # noqa: PLC0415  (heavy import, only where boxes are needed)

        found: dict[tuple[int, int], Box] = {}
        for index, layer in enumerate(self.layers):
            for value, box in enumerate(ndimage.find_objects(layer), start=1):
                if box is not None:
                    found[(index, value)] = box
        return found

    def region(self, keys: tuple[tuple[int, int], ...]) -> Region | None:
        """Union of several labels as one cropped mask, or None where none of them has a voxel."""
        boxes = [self.boxes[key] for key in keys if key in self.boxes]
        if not boxes:
            return None
        box = tuple(slice(min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes)) for axis in range(3))
        mask = np.zeros(tuple(s.stop - s.start for s in box), dtype=np.bool_)
        for layer, value in dict.fromkeys(key for key in keys if key in self.boxes):
            own = self.boxes[layer, value]  # each label within its own box: small ones cost little
            inner = tuple(slice(one.start - low.start, one.stop - low.start) for one, low in zip(own, box, strict=True))
            mask[inner] |= self.layers[layer][own] == value
        return Region(box=(box[0], box[1], box[2]), mask=mask)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all layers, names and the affine."""
        parts = [array_digest(layer, self.grid.affine) for layer in self.layers]
        parts.append(repr(sorted((name, keys) for name, keys in self.entries.items())))
        if self.unseen or self.estimated:
            parts.append(repr([sorted(self.unseen.items()), sorted(self.estimated)]))
        if self.reviewed:
            parts.append(repr(["reviewed", sorted(self.reviewed)]))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def array_digest(array: NDArray[Any], affine: FloatArray) -> str:
    """SHA-256 (hex) of an array's bytes, type and shape together with its affine (rounded to 1e-6 mm)."""
    digest = hashlib.sha256()
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update((np.round(affine, 6) + 0.0).tobytes())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def to_canonical(array: NDArray[Any], affine: FloatArray) -> tuple[NDArray[Any], Grid, Orientation]:
    """Permute and flip an array into the axis order closest to RAS+, without interpolation.

    Args:
        array: (i, j, k) voxels.
        affine: (4, 4) voxel → world mm, RAS+, invertible.

    Returns:
        The reordered array (C-contiguous), its grid, and the orientation of the input.
    """
    grid, orientation = canonical_grid((int(array.shape[0]), int(array.shape[1]), int(array.shape[2])), affine)
    moved = np.ascontiguousarray(nib.orientations.apply_orientation(array, orientation.transform))
    return moved, grid, orientation


def canonical_grid(shape: tuple[int, int, int], affine: FloatArray) -> tuple[Grid, Orientation]:
    """Where voxels lie once they are in the axis order closest to RAS+, and how they were ordered before.

    Args:
        shape: voxels along the axes as they are.
        affine: (4, 4) voxel → world mm, RAS+, invertible.
    """
    transform = nib.orientations.io_orientation(affine)
    moved = affine @ nib.orientations.inv_ornt_aff(transform, shape)
    i, j, k = (shape[int(axis)] for axis in np.argsort(transform[:, 0]))
    return Grid(shape=(i, j, k), affine=np.asarray(moved)), Orientation(np.asarray(transform), shape)
