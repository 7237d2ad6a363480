"""What a scan is like, as evidence: modality, HU scale, padding, spacing, tilt, gaps, contrast, metal.

Every function here is pure. A property that the file does not tell is "not assessed", never a default.
"""

from __future__ import annotations

from collections.abc import Callable

import nibabel as nib
import numpy as np
from pydantic import JsonValue

from tools.histogram import Histogram, histogram
from tools.hu_scale import judge_scale
from tools.metal import METAL_HU, MIN_MM3, find_metal
from tools.types import Evidence, Scalar, State
from tools.volume import Scan

TOOL = "scan_checks"
VERSION = "1"
COARSE_MM = 3.0
"""Slice spacing from which small structures are measured with a large uncertainty."""
_SLICE_AXIS_FACTOR = 1.25


def check_scan(scan: Scan) -> list[Evidence]:
    """Describe a scan as a whole.

    Returns:
        Evidence on target "scan" of these quantities: modality, hu_plausible, padding, spacing, slice_spacing
        (mm), slice_thickness (mm), gantry_tilt (degrees), uneven_slices (mm), contrast_header, phase_header,
        metal, orientation and reading (what had to be mended or assumed, in the details).
    """
    counts = histogram(scan.hu)
    steps: tuple[Callable[[Scan], Evidence], ...] = (
        _modality,
        lambda one: _hu_plausible(one, counts),
        lambda one: _padding(one, counts),
        _spacing,
        _slice_spacing,
        _slice_thickness,
        _gantry_tilt,
        _uneven_slices,
        _contrast,
        _phase,
        lambda one: _metal(one, counts),
        _orientation,
        _reading,
    )
    return [step(scan) for step in steps]


def slice_axis(scan: Scan) -> int:
    """Canonical axis along which slices were stacked: the clearly coarsest one, else head to feet (2)."""
    spacing = np.array(scan.grid.spacing)
    coarsest = int(np.argmax(spacing))
    others = np.delete(spacing, coarsest)
    return coarsest if spacing[coarsest] >= _SLICE_AXIS_FACTOR * others.max() else 2


def slice_spacing(scan: Scan) -> float:
    """Distance in mm between neighbouring slice planes, along their normal (right for sheared grids too)."""
    axis = slice_axis(scan)
    first, second = (scan.grid.affine[:3, other] for other in range(3) if other != axis)
    return scan.grid.voxel_volume / float(np.linalg.norm(np.cross(first, second)))


def _make(
    scan: Scan,
    quantity: str,
    value: Scalar,
    method: str,
    *,
    unit: str | None = None,
    state: State = State.MEASURED,
    reason: str | None = None,
    at_slice: int | None = None,
    details: dict[str, JsonValue] | None = None,
) -> Evidence:
    return Evidence.make(
        tool=TOOL,
        arguments={"scan": scan.digest},
        quantity=quantity,
        target="scan",
        value=value,
        unit=unit,
        state=state,
        reason=reason,
        method=method,
        version=VERSION,
        slice=at_slice,
        details=details or {},
    )


def _modality(scan: Scan) -> Evidence:
    method = "element Modality of the DICOM header"
    if scan.header.modality is None:
        reason = "a NIfTI file does not name its modality: only the HU scale was checked"
        return _make(scan, "modality", None, method, state=State.NOT_ASSESSED, reason=reason)
    return _make(scan, "modality", scan.header.modality, method)


def _hu_plausible(scan: Scan, counts: Histogram) -> Evidence:
    scale = judge_scale(counts, scan.padding)
    values = counts.without(scan.padding)
    details: dict[str, JsonValue] = {}
    if values.total:
        details = {
            "lowest": values.lowest,
            "highest": values.highest,
            "median": values.median(),
            "share_of_soft_tissue": round(values.share(-160, 250), 4),
            "clipped_low": scale.clipped[0],
            "clipped_high": scale.clipped[1],
        }
    reason = scale.problem or ("; ".join(scale.limits) or None)
    method = "histogram of all voxels but padding, compared with air, fat and soft tissue on the Hounsfield scale"
    return _make(scan, "hu_plausible", scale.plausible, method, reason=reason, details=details)


def _padding(scan: Scan, counts: Histogram) -> Evidence:
    method = "declared value, or a constant value outside of what was reconstructed"
    declared: dict[str, JsonValue] = {"declared": scan.header.padding_value}
    if scan.padding is None:
        return _make(scan, "padding", None, method, unit="HU", state=State.ABSENT, details=declared)
    # Float scans are counted exactly; the histogram's bin may hold neighbours of the padding value.
    exact = counts.at(scan.padding) if counts.integral else int(np.count_nonzero(scan.hu == scan.padding))
    fraction = round(exact / scan.hu.size, 6)
    details: dict[str, JsonValue] = {**declared, "voxels": exact, "fraction": fraction}
    reason = f"voxels of {scan.padding:.10g} HU lie outside of the reconstruction and enter no statistic"
    return _make(scan, "padding", scan.padding, method, unit="HU", reason=reason, details=details)


def _coarse(scan: Scan, details: dict[str, JsonValue]) -> str | None:
    """What coarse slices limit; the numbers that it names are entered in the details."""
    gap = slice_spacing(scan)
    if gap < COARSE_MM:
        return None
    details |= {"slice_gap_mm": round(gap, 4), "unreliable_below_mm": round(2 * gap, 4)}
    return f"slices are {gap:.1f} mm apart: structures below about {2 * gap:.0f} mm are measured unreliably"


def _spacing(scan: Scan) -> Evidence:
    numbers = [round(size, 4) for size in scan.grid.spacing]
    text = " × ".join(f"{size:.2f}" for size in scan.grid.spacing)
    details: dict[str, JsonValue] = {
        "left_right": numbers[0],
        "back_front": numbers[1],
        "feet_head": numbers[2],
        "voxel_mm3": round(scan.grid.voxel_volume, 6),
        "shape": list(scan.grid.shape),
    }
    method = "lengths of the columns of the affine, in the order left-right, back-front, feet-head"
    return _make(scan, "spacing", text, method, unit="mm", reason=_coarse(scan, details), details=details)


def _slice_spacing(scan: Scan) -> Evidence:
    axis = ("left-right", "back-front", "feet-head")[slice_axis(scan)]
    method = f"distance between slice planes along their normal, from the affine ({axis})"
    value = round(slice_spacing(scan), 4)
    details: dict[str, JsonValue] = {"axis": axis}
    return _make(scan, "slice_spacing", value, method, unit="mm", reason=_coarse(scan, details), details=details)


def _slice_thickness(scan: Scan) -> Evidence:
    declared = scan.header.slice_thickness
    method = "element SliceThickness of the DICOM header"
    if declared is None:
        reason = "the file does not say how thick its slices were reconstructed"
        return _make(scan, "slice_thickness", None, method, unit="mm", state=State.NOT_ASSESSED, reason=reason)
    gap = slice_spacing(scan)
    overlap = None
    if declared > 1.01 * gap:
        overlap = f"slices of {declared:g} mm overlap at a spacing of {gap:.2f} mm"
    elif declared < 0.99 * gap:
        overlap = f"slices of {declared:g} mm leave gaps at a spacing of {gap:.2f} mm"
    return _make(scan, "slice_thickness", declared, method, unit="mm", reason=overlap)


def _gantry_tilt(scan: Scan) -> Evidence:
    value = scan.header.tilt_degrees
    method = "angle between slice normal and direction of stacking"
    reason = "slices are sheared against each other, which the affine takes into account" if value else None
    return _make(scan, "gantry_tilt", value, method, unit="degrees", reason=reason)


def _uneven_slices(scan: Scan) -> Evidence:
    method = "largest deviation of a slice gap from the median gap, from the slice positions"
    if scan.header.source != "dicom":
        unknown = "a NIfTI file has one spacing for all slices and does not tell their positions"
        return _make(scan, "uneven_slices", None, method, unit="mm", state=State.NOT_ASSESSED, reason=unknown)
    value = scan.header.uneven_slices
    gap = slice_spacing(scan)
    reason = f"gaps differ from {gap:.2f} mm: lengths and volumes suffer" if value > 0.01 * gap else None
    return _make(scan, "uneven_slices", value, method, unit="mm", reason=reason)


def _contrast(scan: Scan) -> Evidence:
    given = scan.header.contrast_agent
    method = "element ContrastBolusAgent of the DICOM header"
    if given is None:
        reason = "the header does not say whether a contrast agent was given into a vein"
        return _make(scan, "contrast_header", None, method, state=State.NOT_ASSESSED, reason=reason)
    return _make(scan, "contrast_header", given, method)


def _phase(scan: Scan) -> Evidence:
    named = scan.header.phase_text
    method = "phase named by the series description or protocol name of the DICOM header"
    if named is None:
        silent = "the header names no contrast phase, or more than one"
        return _make(scan, "phase_header", None, method, state=State.NOT_ASSESSED, reason=silent)
    reason = None
    if named == "native" and scan.header.contrast_agent:
        reason = "the header also names a contrast agent, which it may do for the whole examination"
    return _make(scan, "phase_header", named, method, reason=reason)


def _metal(scan: Scan, counts: Histogram) -> Evidence:
    method = f"26-connected voxels of at least {METAL_HU} HU with a volume of at least {MIN_MM3:g} mm³"
    limits: dict[str, JsonValue] = {"threshold_hu": METAL_HU, "minimum_mm3": MIN_MM3}
    clipped = judge_scale(counts, scan.padding).clipped[1]
    if clipped is not None and clipped < METAL_HU:
        reason = "the values of the scan are cut off below what tells metal from bone"
        limits["cut_off_hu"] = clipped
        return _make(scan, "metal", None, method, state=State.NOT_ASSESSED, reason=reason, details=limits)
    metal = find_metal(scan)
    if metal is None:
        return _make(scan, "metal", False, method, details=limits)
    ends = sorted(scan.orientation.file_slice(k) for k in metal.slices)
    details: dict[str, JsonValue] = {
        **limits,
        "first_slice": ends[0],
        "last_slice": ends[1],
        "clusters": metal.clusters,
        "volume_mm3": round(metal.volume_mm3, 3),
        "saturated": metal.saturated,
    }
    reason = "streaks beside metal falsify HU in its slices"
    if metal.saturated:
        reason += "; the scanner's range ends there, so that its true HU is higher"
    at_slice = scan.orientation.file_slice(metal.fullest)
    return _make(scan, "metal", True, method, reason=reason, at_slice=at_slice, details=details)


def _orientation(scan: Scan) -> Evidence:
    codes = nib.orientations.ornt2axcodes(scan.orientation.transform)
    details: dict[str, JsonValue] = {"shape": list(scan.orientation.shape)}
    method = "direction of each axis of the file, from its affine, towards Right, Anterior, Superior and so on"
    return _make(scan, "orientation", "".join(codes), method, details=details)


def _reading(scan: Scan) -> Evidence:
    notes: dict[str, JsonValue] = {"notes": list(scan.header.notes)}
    return _make(scan, "reading", scan.header.source, "as found when the scan was read", details=notes)
