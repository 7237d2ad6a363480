"""Small scans and label files for the tests of label reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from tools.volume import Grid, LabelSet, Orientation, Scan, ScanHeader

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
SHAPE = (14, 12, 10)
AFFINE = np.array([[2.0, 0, 0, -20], [0, 2.0, 0, -30], [0, 0, 3.0, 100], [0, 0, 0, 1]])
IDENTITY = np.array([[0.0, 1], [1, 1], [2, 1]])


def scan_of(hu: NDArray[Any] | None = None, affine: NDArray[Any] = AFFINE) -> Scan:
    """A scan of 40 HU everywhere, or of the HU given."""
    values = np.full(SHAPE, 40, np.int16) if hu is None else hu
    shape = (values.shape[0], values.shape[1], values.shape[2])
    return Scan(values, Grid(shape, affine), Orientation(IDENTITY, shape), ScanHeader(source="nifti"))


def blocks() -> NDArray[np.uint8]:
    """A label map without any symmetry: 1, 2 and 3 are boxes of different size."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:5, 2:6, 1:5] = 1
    labels[7:12, 6:10, 3:9] = 2
    labels[2, 9, 7] = 3
    return labels


def save(path: Path, array: NDArray[Any], affine: NDArray[Any] = AFFINE, names: dict[int, str] | None = None) -> Path:
    """Write a NIfTI file, with names in a Caret label table where they are given."""
    image = nib.Nifti1Image(array, affine)
    if names is not None:
        table = "".join(f'<Label Key="{value}" Red="1"><![CDATA[{name}]]></Label>' for value, name in names.items())
        extend(image, f"<CaretExtension><LabelTable>{table}</LabelTable></CaretExtension>".encode())
    nib.save(image, path)
    return path


def extend(image: Any, content: bytes) -> None:
    """Append a header extension."""
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, content))


def voxels(labels: LabelSet, ident: str) -> NDArray[np.bool_]:
    """The full mask of an entry."""
    mask = np.zeros(labels.grid.shape, np.bool_)
    for layer, value in labels.entries[ident]:
        mask |= labels.layers[layer] == value
    return mask
