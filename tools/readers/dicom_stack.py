"""From frames in any order to one stack with one affine.

Slices are sorted by position along the common normal (PS3.3 C.7.6.2.1.1), never by file name or instance
number; the distance between them comes from the positions, not from SliceThickness. A gantry tilt stays in
the affine as shear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.errors import ScanError
from tools.readers.dicom_frames import Frame
from tools.readers.geometry import check_affine, plausible_spacing, stack_tilt
from tools.volume import FloatArray

_COSINE_TOLERANCE = 1e-3
_MISSING = 1.5
_DOUBLE = 0.5
_SAME_PLACE_MM = 0.01
_JITTER = 0.01


@dataclass(frozen=True)
class Stack:
    """Slices in order along the file's third axis.

    Attributes:
        frames: the slices.
        affine: (4, 4) from (column, row, slice) indices to world mm, RAS+.
        tilt_degrees: angle between slice normal and stacking direction.
        uneven: largest deviation of a slice gap from the median gap, mm.
        notes: what had to be mended or assumed.
    """

    frames: tuple[Frame, ...]
    affine: FloatArray
    tilt_degrees: float
    uneven: float
    notes: tuple[str, ...]


def check_alike(frames: list[Frame]) -> None:
    """Check that all frames have the same size, spacing and orientation.

    Raises:
        ScanError: naming what differs.
    """
    first = frames[0]
    name = first.blob.name
    if not plausible_spacing(np.array(first.spacing)):
        text = " × ".join(f"{size:g}" for size in first.spacing)
        raise ScanError(f"'{name}' has a pixel spacing of {text} mm, which no CT has: export the series again.")
    rows, columns = first.orientation[:3], first.orientation[3:]
    lengths = np.array([np.linalg.norm(rows), np.linalg.norm(columns)])
    if np.abs(lengths - 1).max() > 0.01 or abs(float(rows @ columns)) > 0.01:
        raise ScanError(f"'{name}' has an orientation that is not a right angle: export the series again.")
    for frame in frames:
        what = None
        if (frame.rows, frame.columns) != (first.rows, first.columns):
            what = "image sizes"
        elif not np.allclose(frame.spacing, first.spacing, rtol=_COSINE_TOLERANCE):
            what = "pixel spacings"
        elif np.abs(frame.orientation - first.orientation).max() > _COSINE_TOLERANCE:
            what = "orientations"
        if what is not None:
            raise ScanError(
                f"The slices of the series have different {what} (at '{frame.blob.name}'): "
                "give the files of one reconstruction only."
            )


def sort_along_normal(frames: list[Frame]) -> tuple[list[Frame], FloatArray]:
    """Frames sorted by position along their normal, and those positions in mm."""
    normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
    along = np.array([float(frame.position @ normal) for frame in frames])
    order = np.argsort(along, kind="stable")
    return [frames[at] for at in order], along[order]


def same_place(frames: list[Frame]) -> list[tuple[int, int]]:
    """Pairs of neighbours in a sorted list that lie at the same position along the normal."""
    _, along = sort_along_normal(frames)
    return [(at, at + 1) for at in np.flatnonzero(np.diff(along) < _SAME_PLACE_MM).tolist()]


def build_stack(frames: list[Frame]) -> Stack:
    """Build the stack of frames that are alike, sorted and free of duplicates.

    Raises:
        ScanError: if slices are missing, shifted against each other, or the spacing is not known.
    """
    first, last = frames[0], frames[-1]
    rows, columns = first.orientation[:3], first.orientation[3:]
    notes: list[str] = []
    if len(frames) == 1:
        gap = first.declared_gap or first.thickness
        if gap is None:
            raise ScanError(f"'{first.blob.name}' is one slice of unknown thickness: give the whole series.")
        step, uneven = np.cross(rows, columns) * gap, 0.0
        notes.append("a single slice: its declared thickness stands for the slice spacing")
    else:
        uneven = _check_gaps(frames, notes)
        if _runs_backwards(frames):
            frames = frames[::-1]
            first, last = last, first
        step = (last.position - first.position) / (len(frames) - 1)
        _check_line(frames, step)
    lps = np.eye(4)
    lps[:3, 0] = rows * first.spacing[1]
    lps[:3, 1] = columns * first.spacing[0]
    lps[:3, 2] = step
    lps[:3, 3] = first.position
    affine = check_affine(np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, first.blob.name)
    return Stack(tuple(frames), affine, stack_tilt(affine), uneven, tuple(notes))


def _check_gaps(frames: list[Frame], notes: list[str]) -> float:
    _, along = sort_along_normal(frames)
    gaps = np.diff(along)
    median = float(np.median(gaps))
    if not plausible_spacing(np.array([median])):
        raise ScanError(f"The slices of the series lie {median:g} mm apart, which no CT has: export it again.")
    for at in np.flatnonzero((gaps > _MISSING * median) | (gaps < _DOUBLE * median)).tolist():
        what = "slices are missing" if gaps[at] > median else "slices overlap"
        raise ScanError(
            f"In the series {what} between positions {along[at]:.1f} and {along[at + 1]:.1f} mm (gap "
            f"{gaps[at]:.1f} mm, elsewhere {median:.1f} mm): export all slices of one reconstruction."
        )
    uneven = float(np.abs(gaps - median).max())
    if uneven > _JITTER * median:
        notes.append(f"slice gaps deviate by up to {uneven:.2f} mm from {median:.2f} mm: lengths and volumes suffer")
    elif uneven > _SAME_PLACE_MM:
        notes.append(f"slice positions jitter by up to {uneven:.2f} mm")
    return round(uneven, 4)


def _runs_backwards(frames: list[Frame]) -> bool:
    """Whether instance numbers fall strictly along the normal, so that viewers show the reverse order."""
    numbers = [frame.number for frame in frames if frame.number is not None]
    return len(numbers) == len(frames) and bool((np.diff(numbers) < 0).all())


def _check_line(frames: list[Frame], step: FloatArray) -> None:
    expected = frames[0].position + np.outer(np.arange(len(frames)), step)
    drift = np.array([frame.position for frame in frames]) - expected
    normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
    sideways = np.linalg.norm(drift - np.outer(drift @ normal, normal), axis=1)
    if sideways.max() > max(frames[0].spacing):
        worst = int(np.argmax(sideways))
        raise ScanError(
            f"The slices of the series are shifted sideways by {sideways[worst]:.1f} mm (at "
            f"'{frames[worst].blob.name}'): give the files of one reconstruction only."
        )
