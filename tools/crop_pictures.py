"""Pictures of a region's crop in three planes, for people and for models that can see.

The crop's axes are the world's, so that the picture is the same however the scan was ordered or tilted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.crop import Crop, crop_roi, tightened, world_bounds
from tools.crop_window import Window, window_named
from tools.overlay import overview
from tools.volume import Orientation, Region, Scan, ScanHeader

_PIXELS = 256
"""More voxels than this across a plane would not be seen in the picture."""


@dataclass(frozen=True)
class _Placed(Orientation):
    """Counts the crop's slices as the scan's file does: the number of the slice at the point that is shown."""

    number: int

    def file_slice(self, k: int) -> int:
        return self.number


def crop_pictures(
    scan: Scan,
    region: Region,
    *,
    name: str = "lesion",
    title: str | None = None,
    window: str | Window = "soft_tissue",
    margin_mm: float = 20.0,
    context: Region | None = None,
    context_name: str = "organ",
) -> bytes:
    """Draw an axial, a coronal and a sagittal plane through a region, each where its section is largest.

    Args:
        scan: the scan.
        region: what to show, on the scan's grid.
        name: what the legend calls it.
        title: one line above the picture; None for the name.
        window: a preset of `tools.crop_window`, or a window.
        margin_mm: how much of the surroundings is shown.
        context: an organ to outline as well.
        context_name: what the legend calls the organ.

    Returns:
        A PNG of one sheet with outlines, scale bars, orientation letters and a legend, 780 pixels wide.

    Raises:
        ToolError: the region is empty or too large.
        UsageError: there is no such window.
    """
    shades = window if isinstance(window, Window) else window_named(window)
    crop = crop_roi(scan, region, margin_mm=margin_mm, spacing_mm=_spacing(scan, region, margin_mm), context=context)
    point = largest_sections(crop.mask)
    shown = Scan(crop.hu, crop.grid, _placed(scan, crop, point), ScanHeader(scan.header.source))
    regions = {name: _region(crop.mask)}
    if crop.context is not None and crop.context.any():
        regions[context_name] = _region(crop.context)
    return overview(shown, regions, title=title or name, at=point, window=shades.bounds)


def largest_sections(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """For each axis the index of the mask's largest section across it, the middle one of several."""
    found = []
    for axis in range(3):
        areas = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis))
        largest = np.flatnonzero(areas == areas.max())
        found.append(int(largest[len(largest) // 2]))
    return found[0], found[1], found[2]


def _spacing(scan: Scan, region: Region, margin_mm: float) -> float | None:
    tight = tightened(region)
    if tight is None:
        return None
    low, high = world_bounds(tight, scan.grid)
    return round(max(min(scan.grid.spacing), float((high - low).max() + 2 * margin_mm) / _PIXELS), 6)


def _placed(scan: Scan, crop: Crop, point: tuple[int, int, int]) -> _Placed:
    place = np.append(crop.grid.world(np.array(point)), 1.0)
    k = int(np.clip(np.rint((np.linalg.inv(scan.grid.affine) @ place)[2]), 0, scan.grid.shape[2] - 1))
    return _Placed(scan.orientation.transform, scan.orientation.shape, scan.orientation.file_slice(k))


def _region(mask: NDArray[np.bool_]) -> Region:
    first, second, third = (slice(0, n) for n in mask.shape)
    tight = tightened(Region((first, second, third), mask))
    assert tight is not None
    return tight
