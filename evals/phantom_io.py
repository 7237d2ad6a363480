"""Phantom files: the scan (NIfTI or DICOM), its two label maps with class names, and the truth, written atomically."""

from __future__ import annotations

import colorsys
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nibabel as nib

from agent.errors import UsageError
from evals.phantom import Phantom
from evals.phantom_dicom import SLICE_NAME, write_slices
from evals.phantom_options import Form
from tools.volume import SYNTHETIC_MARK

SCAN, LABELS, PARTS, TRUTH = "ct.nii.gz", "labels.nii.gz", "parts.nii.gz", "truth.json"
SERIES, SEGMENTATION = "ct", "labels.dcm"


@dataclass(frozen=True)
class PhantomFiles:
    """Where a phantom was written: `scan` is a folder if it is DICOM, `segmentation` None where none was asked for."""

    scan: Path
    labels: Path
    parts: Path
    truth: Path
    segmentation: Path | None = None


def write_phantom(
    phantom: Phantom, out: Path, force: bool = False, *, form: Form = "nifti", segmentation: bool = False
) -> PhantomFiles:
    """Write a phantom as ct.nii.gz (or a folder ct of DICOM slices), labels.nii.gz, parts.nii.gz and truth.json.

    Every file, and the folder of slices, appears whole or not at all; truth.json comes last and marks the folder as a
    phantom's. A scan that another phantom left in the other form is removed.

    Args:
        phantom: what to write.
        out: folder, made where it is missing. A folder that holds a phantom is overwritten.
        force: overwrite files of these names whatever they are.
        form: of the scan.
        segmentation: write the labels as a DICOM segmentation (labels.dcm) too; for a scan in DICOM.

    Raises:
        UsageError: the folder can't be written, or holds files of these names that are no phantom's.
    """
    if segmentation and form != "dicom":
        raise UsageError("a DICOM segmentation refers to the slices of a DICOM series: add --format dicom")
    check_target(out, force)
    dicom = form == "dicom"
    files = PhantomFiles(
        out / (SERIES if dicom else SCAN), out / LABELS, out / PARTS, out / TRUTH,
        out / SEGMENTATION if segmentation else None,
    )  # fmt: skip
    nifti: Any = nib.Nifti1Image  # its constructor carries no types
    scan, labels, parts = (nifti(data, phantom.affine) for data in (phantom.hu, phantom.labels, phantom.parts))
    for image, names in ((labels, phantom.names), (parts, phantom.part_names)):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, label_table(names)))
    scan.header["descrip"] = f"{SYNTHETIC_MARK}, no patient"
    for image in (scan, labels, parts):
        image.header.set_xyzt_units("mm")
        image.set_sform(phantom.affine, code="scanner")
        # A qform is a rotation: it has no place for the shear of a tilted gantry.
        image.set_qform(phantom.affine, code="unknown" if phantom.truth.options.tilt_degrees else "scanner")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if dicom:
            _put_series(phantom, files)
        else:
            _put_image(scan, files.scan)
        _drop_others(out, files)
        _put_image(labels, files.labels)
        _put_image(parts, files.parts)
        _put_bytes((phantom.truth.model_dump_json(indent=2) + "\n").encode(), files.truth)
    except OSError as error:
        raise UsageError(
            f"the phantom can't be written to {out} ({error.strerror or error}): choose another folder"
        ) from error
    return files


def check_target(out: Path, force: bool = False) -> None:
    """Make sure that writing a phantom to a folder destroys nothing else.

    Raises:
        UsageError: `out` is a file, or holds files of a phantom's names that are no phantom's.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file and not a folder: choose another place for the phantom")
    taken = [name for name in (SCAN, SERIES, LABELS, PARTS, SEGMENTATION, TRUTH) if (out / name).exists()]
    if (out / SERIES).exists() and not _holds_slices(out / SERIES):
        raise UsageError(
            f"{out / SERIES} is there and holds other things than slices of a phantom: choose another folder"
        )
    if taken and not force and not _is_phantom(out / TRUTH):
        raise UsageError(
            f"{out} already holds {taken[0]}, which no phantom of ours accompanies: choose another folder, or "
            "overwrite it with --force"
        )


def label_table(names: Mapping[str, int]) -> bytes:
    """Class names as the XML text that TotalSegmentator and Connectome Workbench keep in the NIfTI header.

    Args:
        names: class name → label value; classes without voxels belong in it as well.

    Returns:
        A CaretExtension document, padded with spaces to the multiple of 16 bytes that NIfTI asks for.
    """
    root = ElementTree.Element("CaretExtension")
    ElementTree.SubElement(root, "Date").text = "1970-01-01T00:00:00"
    volume = ElementTree.SubElement(root, "VolumeInformation", Index="0")
    table = ElementTree.SubElement(volume, "LabelTable")
    for name, key in sorted(names.items(), key=lambda item: item[1]):
        # Steps of the golden ratio keep the colours of neighbouring labels apart.
        red, green, blue = colorsys.hsv_to_rgb(key * 0.618034 % 1.0, 0.75, 0.95)
        colour = {"Red": f"{red:.4f}", "Green": f"{green:.4f}", "Blue": f"{blue:.4f}", "Alpha": "1"}
        ElementTree.SubElement(table, "Label", {"Key": str(key), **colour}).text = name
    ElementTree.SubElement(volume, "StudyMetaDataLinkSet")
    ElementTree.SubElement(volume, "VolumeType").text = "Label"
    text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b" " * (-(len(text) + 8) % 16)


def _is_phantom(truth: Path) -> bool:
    """Whether a file is the truth of a phantom; its beginning says so."""
    try:
        with truth.open("rb") as stream:
            return b'"schema": "tumortrace.phantom/' in stream.read(200)
    except OSError:
        return False


def _holds_slices(folder: Path) -> bool:
    """Whether there is nothing in a folder but files that are called as the slices of a phantom are."""
    return folder.is_dir() and all(SLICE_NAME.fullmatch(path.name) for path in folder.iterdir())


def _put_series(phantom: Phantom, files: PhantomFiles) -> None:
    """Write the slices into a new folder beside the old one, which it then replaces, and the segmentation if wanted."""
    options = phantom.truth.options
    temporary, old = (files.scan.with_name(f".{os.getpid()}.{name}") for name in ("new", "old"))
    try:
        write_slices(phantom.hu, phantom.affine, options, temporary)
        if files.scan.exists():
            files.scan.rename(old)
        temporary.rename(files.scan)
    finally:
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
    if files.segmentation is not None:
        from evals.phantom_seg import segmentation  # noqa: PLC0415  (highdicom: only when one is made)

        made = segmentation(phantom.hu, phantom.labels, phantom.names, phantom.affine, options)
        part = files.segmentation.with_name(f".{os.getpid()}.{files.segmentation.name}")
        try:
            made.save_as(part, enforce_file_format=True)
            part.replace(files.segmentation)
        finally:
            part.unlink(missing_ok=True)


def _drop_others(out: Path, files: PhantomFiles) -> None:
    """Remove what an earlier phantom left in forms that this one does not have: its truth is gone."""
    if files.scan.name != SCAN:
        (out / SCAN).unlink(missing_ok=True)
    elif (out / SERIES).exists():
        shutil.rmtree(out / SERIES)
    if files.segmentation is None:
        (out / SEGMENTATION).unlink(missing_ok=True)


def _put_image(image: Any, path: Path) -> None:
    """Write a NIfTI image through a temporary file in the same folder."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        nib.save(image, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _put_bytes(data: bytes, path: Path) -> None:
    """Write bytes through a temporary file in the same folder."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
