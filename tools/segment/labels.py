"""Label maps that the user already has, as a segmentation backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.errors import LabelsError, ScanError
from tools.readers.blob import file_blob, kind_of
from tools.readers.limits import ReadLimits
from tools.segment.class_maps import ClassMap, load_class_map
from tools.segment.fit import check_fit
from tools.segment.labels_dicomseg import find_segmentation, read_dicom_seg
from tools.segment.labels_folder import mask_files, read_folder_labels
from tools.segment.labels_nifti import read_nifti_labels
from tools.volume import Grid, LabelSet, Scan

_FORMS = "a label map (.nii, .nii.gz), a folder with one mask per structure, or a DICOM SEG"


def load_labels(path: Path, scan: Scan, *, class_map: str | None = None, limits: ReadLimits | None = None) -> LabelSet:
    """Read labels in any supported form and bring them onto the scan's grid.

    Args:
        path: a NIfTI label map, a folder with one NIfTI mask per structure (or with a ``segmentations`` folder
            of them), a DICOM SEG, or a folder that holds one.
        scan: the scan they belong to.
        class_map: name of a known class map or path of a table; wins over names in the file.
        limits: limits on what may be read.

    Returns:
        Labels on the scan's grid, with notes on everything a reader of the results should know.

    Raises:
        LabelsError: if the labels are missing, broken, empty, or do not fit the scan.
        UsageError: if the class map is unknown or unusable.
    """
    names = load_class_map(class_map) if class_map else None
    bounds = limits or ReadLimits()
    labels = _read(path, scan.grid, names, bounds)
    return replace(labels, notes=(*labels.notes, *check_fit(scan, labels)))


def _read(path: Path, grid: Grid, names: ClassMap | None, limits: ReadLimits) -> LabelSet:
    if not path.exists():
        raise LabelsError(f"There are no labels at '{path}': check the path.")
    if path.is_dir():
        masks = mask_files(path)
        if masks:
            return read_folder_labels(masks, grid, names, limits)
        return read_dicom_seg(find_segmentation(_files(path, limits)), grid, names, limits)
    try:
        blob = file_blob(path)
        kind = kind_of(blob.head())
    except ScanError as error:
        raise LabelsError(f"The labels cannot be used: {error}") from error
    if kind == "dicom":
        return read_dicom_seg(path, grid, names, limits)
    if kind in {"nifti", "gzip"}:
        return read_nifti_labels(blob, grid, names, limits)
    raise LabelsError(f"'{path.name}' is neither a NIfTI file nor a DICOM SEG: give {_FORMS}.")


def _files(folder: Path, limits: ReadLimits) -> list[Path]:
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    if len(files) > limits.max_files:
        raise LabelsError(f"The folder holds {len(files)} files: give {_FORMS}.")
    return files
