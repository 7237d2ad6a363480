"""DICOM CT series as HU arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agent.errors import ScanError, SeriesChoiceError
from tools.readers.blob import Blob
from tools.readers.buffer import HuBuffer
from tools.readers.dicom_frames import Frame, frames_of
from tools.readers.dicom_index import Index, Series, index_blobs, text_of
from tools.readers.dicom_pixels import PixelReader
from tools.readers.dicom_stack import Stack, build_stack, check_alike, same_place, sort_along_normal
from tools.readers.limits import ReadLimits
from tools.readers.person import person_in
from tools.readers.phase_words import agent_given, phase_of
from tools.volume import Scan, ScanHeader

_PHASE_TEXTS = ("SeriesDescription", "ProtocolName", "AcquisitionProtocolDescription")


def read_dicom(blobs: Sequence[Blob], name: str, series: str | None, limits: ReadLimits) -> Scan:
    """Read one CT series from files in any order; what is not DICOM is ignored.

    Geometry is converted exactly from DICOM's LPS+ to RAS+, rescale slope and intercept are applied once per
    slice, and a gantry tilt stays in the affine as shear.

    Args:
        blobs: the files.
        name: name of the whole input, for messages.
        series: SeriesInstanceUID to read, needed where there are several CT series.
        limits: what is refused before anything is allocated.

    Raises:
        SeriesChoiceError: if there are several CT series and none, or an unknown one, was chosen.
        ScanError: if there is no CT series, or it is broken.
    """
    index = index_blobs(blobs, limits)
    chosen, notes = _choose(index, name, series, limits)
    frames = frames_of(chosen, limits)
    check_alike(frames)
    frames, _ = sort_along_normal(frames)
    reader = PixelReader()
    frames, dropped = _without_copies(frames, reader)
    stack = build_stack(frames)
    duplicates = chosen.duplicates + dropped
    if duplicates:
        notes.append(f"{duplicates} duplicate slice file(s) were dropped")
    if chosen.others or chosen.placeless:
        notes.append(f"{chosen.others + chosen.placeless} file(s) of the series that are no CT slice were left out")
    if index.unreadable:
        notes.append(f"{index.unreadable} file(s) could not be read as DICOM and were left out")
    return _assemble(stack, chosen, reader, notes)


def describe_series(blobs: Sequence[Blob], limits: ReadLimits) -> dict[str, str]:
    """One line for each series, keyed by SeriesInstanceUID.

    The lines quote the series description: they are for the user's own terminal, not for a trace or a model.
    """
    found = index_blobs(blobs, limits).series.values()
    return {item.uid: _describe(item, limits, quote=True) for item in found}


def _choose(index: Index, name: str, wanted: str | None, limits: ReadLimits) -> tuple[Series, list[str]]:
    lines = {item.uid: _describe(item, limits, quote=True) for item in index.series.values()}
    candidates = [item for item in index.series.values() if item.images]
    if wanted is not None:
        picked = index.series.get(wanted)
        if picked is None:
            raise SeriesChoiceError(f"'{name}' has no series '{wanted}': it has {_listing(index, limits)}.", lines)
        candidates = [picked] if picked.images else []
        if not candidates:
            raise ScanError(f"Series '{wanted}' of '{name}' is no CT volume ({_why(picked)}): choose another one.")
        return picked, []
    if not candidates:
        raise ScanError(_nothing(index, name))
    if len(candidates) > 1:
        raise SeriesChoiceError(
            f"'{name}' holds {len(candidates)} CT series ({_listing(index, limits)}): choose one with --series UID.",
            lines,
        )
    others = len(index.series) - 1
    return candidates[0], [f"{others} other series without CT slices were left out"] if others else []


def _nothing(index: Index, name: str) -> str:
    if not index.series:
        extra = f" ({index.unreadable} damaged or unsupported ones)" if index.unreadable else ""
        return f"'{name}' has no readable DICOM images{extra}: give a NIfTI file, a DICOM folder or a zip of one."
    reasons = sorted({_why(item) for item in index.series.values()})
    return f"'{name}' is not a CT volume ({'; '.join(reasons)}): give a CT series."


def _why(series: Series) -> str:
    if series.modality != "CT":
        return f"modality {series.modality}"
    if series.placeless:
        return "CT images without position or orientation"
    return "CT localizers or captured screens only"


def _listing(index: Index, limits: ReadLimits) -> str:
    found = [item for item in index.series.values() if item.images]
    return "; ".join(f"{item.uid}: {_describe(item, limits, quote=False)}" for item in found) or "no CT series"


def _describe(series: Series, limits: ReadLimits, *, quote: bool) -> str:
    if not series.images:
        count = series.others + series.placeless
        return f"{series.modality}, {count} file(s), no CT volume"
    try:
        frames, along = sort_along_normal(frames_of(series, limits))
        gap = f"{np.median(np.diff(along)):.2f}" if len(frames) > 1 else "?"
        size = f"{len(frames)} slices, {frames[0].spacing[0]:.2f} × {frames[0].spacing[1]:.2f} × {gap} mm"
    except ScanError:
        size = f"{len(series.images)} files, broken geometry"
    text = re.sub(r"[^\w .,;:/()+-]", " ", text_of(series.images[0][1], "SeriesDescription"))[:64].strip()
    return f"{series.modality}, {size}" + (f", '{text}'" if quote and text else "")


def _without_copies(frames: list[Frame], reader: PixelReader) -> tuple[list[Frame], int]:
    """Drop slices that repeat their neighbour; two different slices at one place are an error."""
    drop: set[int] = set()
    for one, other in same_place(frames):
        first, second = reader.hu(frames[one]), reader.hu(frames[other])
        scale_one, scale_other = ((frames[at].slope, frames[at].intercept) for at in (one, other))
        moved = float(np.linalg.norm(frames[one].position - frames[other].position)) > min(frames[one].spacing)
        if scale_one != scale_other or moved or not np.array_equal(first, second):
            raise ScanError(
                f"The series has different slices at the same position ('{frames[one].blob.name}' and "
                f"'{frames[other].blob.name}'), as with several phases or time points: give "
                "the files of one only."
            )
        drop.add(other)
    return [frame for at, frame in enumerate(frames) if at not in drop], len(drop)


def _assemble(stack: Stack, series: Series, reader: PixelReader, notes: list[str]) -> Scan:
    first = stack.frames[0]
    buffer = HuBuffer((first.columns, first.rows, len(stack.frames)), stack.affine)
    for frame in stack.frames:
        buffer.put(reader.hu(frame)[:, :, np.newaxis], frame.slope, frame.intercept)
    if buffer.not_finite:
        raise ScanError(f"The series has {buffer.not_finite} voxels that are not a number: export it again.")
    hu, grid, orientation = buffer.finish()
    blob, header = series.images[0]
    agent = agent_given(text_of(header, "ContrastBolusAgent"), text_of(header, "ContrastBolusRoute"))
    if agent is None and header.get("ContrastBolusAgentSequence"):
        agent = True
    thickness = {frame.thickness for frame in stack.frames}
    about = ScanHeader(
        source="dicom",
        modality=series.modality,
        contrast_agent=agent,
        phase_text=phase_of(text_of(header, keyword) for keyword in _PHASE_TEXTS),
        slice_thickness=thickness.pop() if len(thickness) == 1 else None,
        tilt_degrees=stack.tilt_degrees,
        uneven_slices=stack.uneven,
        padding_value=first.padding_hu,
        synthetic=text_of(header, "SyntheticData") == "YES",
        notes=(*notes, *stack.notes),
    )
    return Scan(hu=hu, grid=grid, orientation=orientation, header=about, person=person_in(blob))
