"""A folder with one NIfTI mask per structure, as TotalSegmentator and AbdomenAtlas write them."""

from __future__ import annotations

from pathlib import Path

from agent.errors import LabelsError, ScanError
from tools.readers.blob import file_blob
from tools.readers.limits import ReadLimits
from tools.segment.class_maps import ClassMap
from tools.segment.geometry import How, place
from tools.segment.labels_nifti import read_nifti_labels
from tools.segment.layers import Packer
from tools.segment.naming import Key, is_background, name_labels
from tools.segment.nifti_volume import LabelVolume, NotLabelsError, read_label_volume
from tools.volume import Grid, LabelSet

MAX_MASKS = 1024
_SUFFIXES = (".nii.gz", ".nii")
_MASKS = "segmentations"


def mask_files(folder: Path) -> list[Path]:
    """NIfTI files of a folder of masks in name order: those below ``segmentations`` where that exists."""
    inner = folder / _MASKS
    for place_ in (inner, folder) if inner.is_dir() else (folder,):
        files = [p for p in place_.iterdir() if p.is_file() and not p.name.startswith(".")]
        found = sorted(p for p in files if p.name.lower().endswith(_SUFFIXES))
        if found:
            return found
    return []


def read_folder_labels(files: list[Path], grid: Grid, class_map: ClassMap | None, limits: ReadLimits) -> LabelSet:
    """Read one mask per file, the file's name being the structure's; masks may overlap.

    Files that are not masks (a CT, a label map of several structures) are left out with a note; a single label
    map in the folder is read as such.

    Raises:
        LabelsError: if a file is broken, if no mask has a voxel, or if the masks do not overlap with the scan.
    """
    if len(files) > MAX_MASKS:
        raise LabelsError(f"The folder holds {len(files)} NIfTI files, more than {MAX_MASKS}: give one case's folder.")
    packer = Packer(grid.shape)
    rows: list[tuple[Key, str]] = []
    notes: list[str] = []
    hows: list[How] = []
    several: list[Path] = []
    empty: list[str] = []
    for path in files:
        name = _structure(path)
        if is_background(name):
            continue
        volume = _read_mask(path, limits, notes)
        if volume is None:
            continue
        if len(volume.counts) > 1:
            notes.append(f"'{name}' holds several values and was left out: a mask has one")
            several.append(path)
            continue
        placed = place(volume.array, volume.affine, grid)
        notes.extend(note for note in volume.notes if note not in notes)
        hows.append(How(placed.kind, placed.labelled, placed.outside, placed.spacing))
        mask = placed.values > 0
        if mask.any():
            rows.append((packer.add(placed.box, mask), name))
        else:
            empty.append(name)
    if not rows and len(several) == 1:
        return read_nifti_labels(file_blob(several[0]), grid, class_map, limits)
    summary = _summary(hows)
    notes.extend(summary.notes(grid))
    if not rows:
        raise LabelsError("No mask in the folder has a labelled voxel: give the folder of this scan's masks.")
    rows.extend((packer.add_empty(), name) for name in empty)
    if class_map:
        notes.append("the class map was not used: the files' names name the structures")
    result = name_labels(rows, [])
    return LabelSet(
        grid=grid,
        layers=packer.layers,
        entries=result.entries,
        raw_names=result.raw_names,
        source=f"{len(rows)} masks (NIfTI), {summary.clause()}, names from the files",
        notes=(*notes, *result.notes),
    )


def _structure(path: Path) -> str:
    name = path.name
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _read_mask(path: Path, limits: ReadLimits, notes: list[str]) -> LabelVolume | None:
    try:
        return read_label_volume(file_blob(path), limits)
    except NotLabelsError:
        notes.append(f"'{_structure(path)}' is an image, not a mask, and was left out")
    except ScanError as error:
        raise LabelsError(f"The labels cannot be used: {error}") from error
    return None


def _summary(hows: list[How]) -> How:
    total = How("same", 0, 0, (0.0, 0.0, 0.0))
    for how in hows:
        total = total.joined(how)
    return total
