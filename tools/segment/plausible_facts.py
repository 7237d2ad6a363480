"""What is measured of every mask, once, within its bounding box, before anything is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.masks import components
from tools.ontology import Structure, load_ontology
from tools.segment.plausible_norms import Norms, load_norms
from tools.shape import touched_faces
from tools.volume import FloatArray, LabelSet, Region, Scan

SAMPLED = 5_000
"""Voxels of a mask that its HU, its centre and its distances are taken from."""
BODY_VOXELS = 400_000
"""Voxels of the coarse grid on which the outside of the body is found."""
OUTSIDE_AIR_HU = -800.0
"""Air around the patient has -1000 HU, lungs -700 to -900 HU; only what is joined to the border of its slice counts."""


@dataclass(frozen=True)
class Piece:
    """A connected component (26 neighbours): voxels, and its centre in world mm."""

    voxels: int
    centre: FloatArray


@dataclass(frozen=True)
class Mask:
    """What is known of one structure's mask.

    Attributes:
        structure: its row in the ontology.
        region: the mask in its box.
        ml: volume in ml.
        faces: the scan's faces that it touches.
        points: (n, 3) world mm of sampled voxels.
        hu: (m,) HU of the sampled voxels that are not padding.
        outside: share of the sampled voxels that lies outside of the body or in padding.
        pieces: components, the largest first; none where nothing asks for them.
    """

    structure: Structure
    region: Region
    ml: float
    faces: tuple[str, ...]
    points: FloatArray
    hu: NDArray[Any]
    outside: float
    pieces: tuple[Piece, ...] = ()

    @cached_property
    def centre(self) -> FloatArray:
        """World mm, shape (3,)."""
        return np.asarray(self.points.mean(axis=0))

    @cached_property
    def median(self) -> float:
        """Median HU; NaN where all is padding."""
        return float(np.median(self.hu)) if self.hu.size else float("nan")

    @property
    def whole(self) -> bool:
        """Whether the scan cuts none of it off."""
        return not self.faces


@dataclass(frozen=True)
class Facts:
    """All that is judged: the scan, the labels, and what was measured of every structure that has voxels."""

    scan: Scan
    labels: LabelSet
    phase: str | None
    norms: Norms
    masks: Mapping[str, Mask]
    empty: tuple[str, ...]
    body_x: float

    def name(self, ident: str) -> str:
        """Display name."""
        return load_ontology().get(ident).name

    def organs(self) -> Iterator[tuple[str, Mask]]:
        """Masks of everything but lesions and findings."""
        return ((ident, mask) for ident, mask in self.masks.items() if mask.structure.kind not in _NO_ORGANS)

    def lesions(self) -> Iterator[tuple[str, Mask]]:
        """Masks of lesions."""
        return ((ident, mask) for ident, mask in self.masks.items() if mask.structure.kind == "lesion")


_NO_ORGANS = {"lesion", "finding", "user", "cavity"}
_FACE_OF_PADDING = "edge of the reconstruction"


def gather(scan: Scan, labels: LabelSet, phase: str | None) -> Facts:
    """Measure every structure of the labels that has voxels."""
    ontology = load_ontology()
    outside, step, body_x = _outside(scan)
    masks: dict[str, Mask] = {}
    empty = []
    for ident, keys in labels.entries.items():
        region = labels.region(keys)
        if region is None:
            empty.append(ident)
            continue
        structure = ontology.get(ident)
        masks[ident] = _measure(scan, structure, region, outside, step)
    return Facts(scan, labels, phase, load_norms(), masks, tuple(empty), body_x)


def side_of(structure: Structure) -> str | None:
    """Side of a structure, for numbered series (ribs) as well."""
    if structure.side:
        return structure.side
    if structure.kind == "bone":
        return next((one for one in ("left", "right") if f"_{one}_" in structure.id), None)
    return None


def _measure(scan: Scan, structure: Structure, region: Region, outside: NDArray[np.bool_], step: int) -> Mask:
    flat = np.flatnonzero(region.mask)
    voxels = int(flat.size)
    at = np.stack(np.unravel_index(flat[:: max(1, voxels // SAMPLED)], region.mask.shape), axis=1)
    at += np.array([axis.start for axis in region.box])
    i, j, k = at.T
    hu = scan.hu[i, j, k]
    out = outside[i // step, j // step, k // step]
    faces = touched_faces(region, scan.grid)
    if scan.padding is not None:
        padded = hu == scan.padding
        # A value that air can have is no sign of the field of view.
        if scan.padding < -1024 and _beside_padding(scan, region):
            faces += (_FACE_OF_PADDING,)
        out, hu = out | padded, hu[~padded]
    pieces: tuple[Piece, ...] = ()
    if structure.kind == "lesion" or structure.side or load_norms().of(structure.id).pieces == "one":
        pieces = _pieces(region, scan)
    return Mask(
        structure=structure, region=region, ml=voxels * scan.grid.voxel_volume / 1000, faces=faces,
        points=scan.grid.world(at), hu=hu, outside=float(out.mean()), pieces=pieces,
    )  # fmt: skip


def _pieces(region: Region, scan: Scan) -> tuple[Piece, ...]:
    labelled = components(region.mask)
    found = cc3d.statistics(labelled)
    start = np.array([axis.start for axis in region.box])
    centres = scan.grid.world(found["centroids"][1:] + start)
    rows = [Piece(int(n), centre) for n, centre in zip(found["voxel_counts"][1:], centres, strict=True)]
    return tuple(sorted(rows, key=lambda one: -one.voxels))


def _beside_padding(scan: Scan, region: Region) -> bool:
    box = tuple(slice(max(axis.start - 1, 0), axis.stop + 1) for axis in region.box)
    padded = scan.hu[box] == scan.padding
    if not padded.any():
        return False
    margins = [
        (axis.start - grown.start, size - (axis.stop - axis.start) - (axis.start - grown.start))
        for axis, grown, size in zip(region.box, box, padded.shape, strict=True)
    ]
    mask = np.pad(region.mask, margins)
    return bool((ndimage.binary_dilation(mask) & padded).any())


def _outside(scan: Scan) -> tuple[NDArray[np.bool_], int, float]:
    """Where the outside of the body is on a coarse grid, its step in voxels, world x of the body's centre or NaN."""
    step = max(1, int(np.ceil((float(np.prod(scan.grid.shape)) / BODY_VOXELS) ** (1 / 3))))
    hu = scan.hu[::step, ::step, ::step]
    air = hu < OUTSIDE_AIR_HU
    if scan.padding is not None:
        air |= hu == scan.padding
    within_slices = np.zeros((3, 3, 3), dtype=np.bool_)
    within_slices[:, :, 1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    labelled, count = ndimage.label(air, within_slices)
    border = np.zeros(count + 1, dtype=np.bool_)
    for edge in (labelled[0], labelled[-1], labelled[:, 0], labelled[:, -1]):
        border[np.unique(edge)] = True
    border[0] = False
    outside = border[labelled]
    body = ~outside & (hu > -300)
    # Of a body that is cut off at a side the middle isn't known.
    if not body.any() or body[0].any() or body[-1].any():
        return outside, step, float("nan")
    return outside, step, float(scan.grid.world(np.argwhere(body).mean(axis=0) * step)[0])
