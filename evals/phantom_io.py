"""Phantom files: the scan, its label map with class names, and the truth, each written atomically."""

from __future__ import annotations

import colorsys
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nibabel as nib

from agent.errors import UsageError
from evals.phantom import Phantom
from evals.phantom_options import SCHEMA

SCAN, LABELS, TRUTH = "ct.nii.gz", "labels.nii.gz", "truth.json"


@dataclass(frozen=True)
class PhantomFiles:
    """Where a phantom was written."""

    scan: Path
    labels: Path
    truth: Path


def write_phantom(phantom: Phantom, out: Path, force: bool = False) -> PhantomFiles:
    """Write a phantom as ct.nii.gz, labels.nii.gz and truth.json.

    Every file appears whole or not at all; truth.json comes last and marks the folder as a phantom's.

    Args:
        phantom: what to write.
        out: folder, made where it is missing. A folder that holds a phantom is overwritten.
        force: overwrite files of these names whatever they are.

    Raises:
        UsageError: the folder can't be written, or holds files of these names that are no phantom's.
    """
    check_target(out, force)
    files = PhantomFiles(out / SCAN, out / LABELS, out / TRUTH)
    nifti: Any = nib.Nifti1Image  # its constructor carries no types
    scan, labels = nifti(phantom.hu, phantom.affine), nifti(phantom.labels, phantom.affine)
    labels.header.extensions.append(nib.nifti1.Nifti1Extension(0, label_table(phantom.names)))
    for image in (scan, labels):
        image.header.set_xyzt_units("mm")
        image.set_sform(phantom.affine, code="scanner")
        image.set_qform(phantom.affine, code="scanner")
    try:
        out.mkdir(parents=True, exist_ok=True)
        _put_image(scan, files.scan)
        _put_image(labels, files.labels)
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
    taken = [name for name in (SCAN, LABELS, TRUTH) if (out / name).exists()]
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
            return f'"schema": "{SCHEMA}"'.encode() in stream.read(200)
    except OSError:
        return False


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
