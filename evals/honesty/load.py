"""Facts from files, read with nibabel and pydicom alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
import pydicom
from numpy.typing import NDArray

from evals.honesty.facts import Facts
from tools.ontology import load_ontology

Array = NDArray[Any]
_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""DICOM counts to the left and to the back, NIfTI to the right and to the front."""


def load_facts(
    scan: Path,
    labels: Sequence[Path] = (),
    *,
    names: Mapping[str, int] | None = None,
    phase: str | None = None,
    truncated: frozenset[str] = frozenset(),
) -> Facts:
    """What is true of a scan with its label maps.

    Args:
        scan: NIfTI file or folder of DICOM slices.
        labels: label maps (NIfTI).
        names: value by class name, where the label maps don't say.
        phase: contrast phase, if it is known.
        truncated: classes that the patient has more of than the scan shows.
    """
    hu, affine = _series(scan) if scan.is_dir() else _volume(scan)
    maps = []
    for path in labels:
        data, at = _volume(path)
        table = names if names is not None else label_names(path)
        maps.append((_onto(data.astype(np.int16), at, hu.shape, affine), table))
    return Facts(hu.astype(np.float32), affine, tuple(maps), phase, truncated)


def label_names(path: Path) -> dict[str, int]:
    """Value by class, the names brought to the ontology's identifiers."""
    header: Any = nib.load(path).header
    for extension in header.extensions:
        text = extension.get_content().rstrip(b" \0")
        if text.startswith((b"<?xml", b"<CaretExtension")):
            root = ElementTree.fromstring(text)  # noqa: S314  (the suite's own files)
            rows = {str(label.text): int(label.attrib["Key"]) for label in root.iter("Label")}
            normal = load_ontology().normalise
            return {normal(name) or _plain(name): value for name, value in rows.items() if value}
    return {}


def _plain(name: str) -> str:
    """A name that the ontology doesn't know, as an identifier."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _volume(path: Path) -> tuple[Array, NDArray[np.float64]]:
    image: Any = nib.load(path)
    return np.asarray(image.dataobj), np.asarray(image.affine, float)


def _series(folder: Path) -> tuple[Array, NDArray[np.float64]]:
    """A DICOM series with its slices from feet to head."""
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    row, column = (np.array(slices[0].ImageOrientationPatient[at : at + 3], float) for at in (0, 3))
    normal = np.cross(row, column)
    slices.sort(key=lambda one: float(np.dot(normal, np.array(one.ImagePositionPatient, float))))
    down, across = (float(step) for step in slices[0].PixelSpacing)
    first, last = (np.array(one.ImagePositionPatient, float) for one in (slices[0], slices[-1]))
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 3] = row * across, column * down, first
    lps[:3, 2] = (last - first) / max(len(slices) - 1, 1)
    hu = np.stack([one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept) for one in slices], axis=-1)
    return hu.transpose(1, 0, 2), _RAS @ lps


def _onto(data: Array, at: NDArray[np.float64], shape: tuple[int, ...], affine: NDArray[np.float64]) -> Array:
    """A label map on the scan's grid, nearest voxel."""
    if data.shape == shape and np.allclose(at, affine, atol=1e-3):
        return data
    change = np.linalg.inv(at) @ affine
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    moved = np.zeros(shape, data.dtype)
    for number in range(shape[2]):
        points = np.stack([rows, columns, np.full_like(rows, number), np.ones_like(rows)])
        places = np.rint(np.tensordot(change[:3], points, axes=1)).astype(np.int64)
        inside = np.all([(place >= 0) & (place < size) for place, size in zip(places, data.shape, strict=True)], axis=0)
        moved[..., number][inside] = data[tuple(places[:, inside])]
    return moved
