"""Pictures of a scan with structures drawn on it, as evidence that a person can check.

Every picture follows the radiological convention: axial and coronal slices show the patient's right on the
left of the picture; the front of the body is at the top of axial slices and on the left of sagittal ones; the
head is at the top of coronal and sagittal ones. One millimetre is equally long in all directions. A canonical
array runs right, forward and up: each plane is its slice with both axes reversed, whatever the order on disk.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tools.overlay_colours import Colour
from tools.overlay_style import (
    BACKGROUND,
    DIM,
    INK,
    clip_text,
    draw_legend,
    draw_letters,
    draw_scale_bar,
    font,
    legend_height,
    legend_rows,
    palette,
)
from tools.volume import Region, Scan

WINDOW = (-160.0, 240.0)
"""Soft-tissue window in HU: level 40, width 400."""

_WIDTH = 780
_MARGIN = 14
_HEADER = 56
_MAX_PICTURE = (752, 620)
_FILL = 0.22
_GAP = 10


@dataclass(frozen=True)
class Plane:
    """One kind of slice: which axis it lies across, which run along it, and what its four edges show."""

    name: str
    across: int
    horizontal: int
    vertical: int
    letters: tuple[str, str, str, str]


@dataclass(frozen=True)
class _View:
    """A drawn slice and its scale in pixels per mm."""

    image: Image.Image
    scale: float
    letters: tuple[str, str, str, str]


AXIAL = Plane("Axial", 2, 0, 1, ("R", "L", "A", "P"))
CORONAL = Plane("Coronal", 1, 0, 2, ("R", "L", "S", "I"))
SAGITTAL = Plane("Sagittal", 0, 1, 2, ("A", "P", "S", "I"))


def axial_overlay(
    scan: Scan,
    region_masks: Mapping[str, Region],
    k: int,
    *,
    title: str,
    window: tuple[float, float] = WINDOW,
    crop_mm: float | None = None,
) -> bytes:
    """Draw one axial slice with the outlines of structures.

    Args:
        scan: the scan.
        region_masks: display name → mask on the scan's canonical grid, in the order of the legend; those that
            do not reach the slice are left out.
        k: canonical axial index (feet → head).
        title: one line above the picture.
        window: HU shown as black and as white.
        crop_mm: show only the structures' surroundings, with this margin in mm; None for the whole slice.

    Returns:
        A PNG, 780 pixels wide and at most about 900 high.

    Raises:
        ValueError: `k` lies outside the scan, or the window is empty.
    """
    depth = scan.grid.shape[2]
    if not 0 <= k < depth:
        raise ValueError(f"slice {k} is outside 0 to {depth - 1}")
    here = {name: region for name, region in region_masks.items() if _reaches(region, AXIAL, k)}
    colours = palette(region_masks)
    panel = _panel(scan, here, AXIAL, k, window=window, room=_MAX_PICTURE, colours=colours, crop_mm=crop_mm)
    middle = scan.grid.world(np.array([(scan.grid.shape[0] - 1) / 2, (scan.grid.shape[1] - 1) / 2, k]))
    place = f"Axial slice {scan.orientation.file_slice(k)} (of 0 to {depth - 1}), z = {middle[2]:.1f} mm"
    return _page([panel], title, place, window, {name: colours[name] for name in here})


def overview(
    scan: Scan,
    region_masks: Mapping[str, Region],
    *,
    title: str,
    at: tuple[int, int, int] | None = None,
    window: tuple[float, float] = WINDOW,
) -> bytes:
    """Draw an axial, a coronal and a sagittal slice through one point, side by side.

    Args:
        scan: the scan.
        region_masks: display name → mask on the scan's canonical grid.
        title: one line above the picture.
        at: canonical voxel that the slices go through; None for the middle of the structures.
        window: HU shown as black and as white.

    Returns:
        A PNG, 780 pixels wide.

    Raises:
        ValueError: `at` lies outside the scan, or the window is empty.
    """
    point = at if at is not None else _middle(scan, region_masks.values())
    if not all(0 <= value < count for value, count in zip(point, scan.grid.shape, strict=True)):
        raise ValueError(f"voxel {point} is outside a scan of {scan.grid.shape}")
    colours = palette(region_masks)
    room = ((_MAX_PICTURE[0] - 2 * _GAP) // 3, 420)
    planes = (AXIAL, CORONAL, SAGITTAL)
    panels = [
        _panel(scan, region_masks, plane, point[plane.across], window=window, room=room, colours=colours)
        for plane in planes
    ]
    place = f"Axial (slice {scan.orientation.file_slice(point[2])}), coronal and sagittal through one point"
    shown = {
        name: colours[name]
        for name, region in region_masks.items()
        if any(_reaches(region, plane, point[plane.across]) for plane in planes)
    }
    return _page(panels, title, place, window, shown)


def _reaches(region: Region, plane: Plane, index: int) -> bool:
    part = region.box[plane.across]
    if not part.start <= index < part.stop:
        return False
    return bool(region.mask.take(index - part.start, axis=plane.across).any())


def _middle(scan: Scan, regions: Iterable[Region]) -> tuple[int, int, int]:
    boxes = [region.box for region in regions]
    if not boxes:
        i, j, k = (count // 2 for count in scan.grid.shape)
        return i, j, k
    i, j, k = (
        (min(box[axis].start for box in boxes) + max(box[axis].stop for box in boxes) - 1) // 2 for axis in range(3)
    )
    return i, j, k


def _panel(
    scan: Scan,
    regions: Mapping[str, Region],
    plane: Plane,
    index: int,
    *,
    window: tuple[float, float],
    room: tuple[int, int],
    colours: Mapping[str, Colour],
    crop_mm: float | None = None,
) -> _View:
    low, high = window
    if not low < high:
        raise ValueError(f"the window {window} is empty")
    steps = (scan.grid.spacing[plane.horizontal], scan.grid.spacing[plane.vertical])
    area = _area(scan, regions.values(), plane, steps=steps, crop_mm=crop_mm)
    size_mm = tuple((part.stop - part.start) * step for part, step in zip(area, steps, strict=True))
    scale = min(room[0] / size_mm[0], room[1] / size_mm[1])
    size = (max(1, round(size_mm[0] * scale)), max(1, round(size_mm[1] * scale)))
    raw = scan.hu.take(index, axis=plane.across)[area]
    hu = np.nan_to_num(raw.astype(np.float32), nan=low)
    if scan.padding is not None:
        hu[raw == scan.padding] = low
    grey = np.rint(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    image = _upright(grey).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    # A voxel that is smaller than a pixel must not vanish from the picture.
    threshold = 128 if min(size[0] / grey.shape[0], size[1] / grey.shape[1]) >= 1 else 1
    for name, region in regions.items():
        inside = _plane_mask(region, plane, index, (raw.shape[0], raw.shape[1]), area)
        if inside is None:
            continue
        mask = _upright(inside).resize(size, Image.Resampling.BILINEAR)
        mask = mask.point([255 if value >= threshold else 0 for value in range(256)])
        _draw_mask(image, mask, colours[name])
    return _View(image, scale, plane.letters)


def _area(
    scan: Scan,
    regions: Iterable[Region],
    plane: Plane,
    *,
    steps: tuple[float, float],
    crop_mm: float | None,
) -> tuple[slice, slice]:
    boxes = [region.box for region in regions]
    parts = []
    for axis, step in zip((plane.horizontal, plane.vertical), steps, strict=True):
        count = scan.grid.shape[axis]
        start, stop = 0, count
        if crop_mm is not None and boxes:
            margin = round(crop_mm / step)
            start = max(0, min(box[axis].start for box in boxes) - margin)
            stop = min(count, max(box[axis].stop for box in boxes) + margin)
        parts.append(slice(start, stop))
    return parts[0], parts[1]


def _plane_mask(
    region: Region, plane: Plane, index: int, shape: tuple[int, int], area: tuple[slice, slice]
) -> NDArray[np.uint8] | None:
    if not _reaches(region, plane, index):
        return None
    horizontal, vertical = region.box[plane.horizontal], region.box[plane.vertical]
    # The slice of the scan may have been cropped: what lies outside of the crop is cut off here too.
    whole = np.zeros((max(horizontal.stop, area[0].stop), max(vertical.stop, area[1].stop)), dtype=np.uint8)
    part = region.mask.take(index - region.box[plane.across].start, axis=plane.across)
    whole[horizontal, vertical] = part * np.uint8(255)
    cut = whole[area]
    return cut if cut.shape == shape and cut.any() else None


def _upright(plane: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(plane[::-1, ::-1].T))


def _draw_mask(image: Image.Image, mask: Image.Image, colour: Colour) -> None:
    found = mask.getbbox()
    if found is None:
        return
    left, top = max(0, found[0] - 3), max(0, found[1] - 3)
    part = mask.crop((left, top, min(image.width, found[2] + 3), min(image.height, found[3] + 3)))
    image.paste(colour, (left, top), part.point([round(value * _FILL) for value in range(256)]))
    # Eroding repeats the border's pixels, so a mask that the picture cuts off stays open there.
    image.paste(colour, (left, top), ImageChops.subtract(part, part.filter(ImageFilter.MinFilter(5))))


def _page(
    views: list[_View], title: str, place: str, window: tuple[float, float], colours: Mapping[str, Colour]
) -> bytes:
    inner = _WIDTH - 2 * _MARGIN
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    rows = legend_rows(ruler, colours, inner)
    tall = max(view.image.height for view in views)
    foot = legend_height(rows) + (_MARGIN if rows else 0)
    page = Image.new("RGB", (_WIDTH, _HEADER + tall + _MARGIN + foot), BACKGROUND)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, 9), clip_text(draw, title, 19, inner), font=font(19), fill=INK)
    shades = f"W {window[1] - window[0]:g} L {(window[0] + window[1]) / 2:g} HU"
    draw.text((_WIDTH - _MARGIN, 34), shades, font=font(13), fill=DIM, anchor="ra")
    draw.text((_MARGIN, 34), clip_text(draw, place, 13, inner - 150), font=font(13), fill=DIM)
    x = _MARGIN + (inner - sum(view.image.width for view in views) - _GAP * (len(views) - 1)) // 2
    for view in views:
        y = _HEADER + (tall - view.image.height) // 2
        page.paste(view.image, (x, y))
        box = (x, y, x + view.image.width, y + view.image.height)
        draw_letters(draw, box, view.letters)
        draw_scale_bar(draw, box, view.scale)
        x += view.image.width + _GAP
    draw_legend(draw, rows, _MARGIN, _HEADER + tall + _MARGIN)
    buffer = io.BytesIO()
    page.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()
