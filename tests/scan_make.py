"""Small synthetic scans for tests: a body of fat and soft tissue in noisy air, with asymmetric marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray


def body_hu(shape: tuple[int, int, int] = (24, 20, 12), seed: int = 0) -> NDArray[np.int16]:
    """HU of an ellipse of soft tissue with a rim of fat; the mark at one corner makes flips visible."""
    rng = np.random.default_rng(seed)
    i, j, _ = np.ogrid[: shape[0], : shape[1], : shape[2]]
    radius = np.hypot((i - shape[0] / 2) / (0.42 * shape[0]), (j - shape[1] / 2) / (0.42 * shape[1]))
    hu = np.full(shape, -1000.0)
    hu[np.broadcast_to(radius < 1, shape)] = -100
    hu[np.broadcast_to(radius < 0.8, shape)] = 50
    hu += rng.normal(0, 12, shape)
    hu[shape[0] // 2 : shape[0] // 2 + 3, shape[1] // 3, shape[2] // 4] = 700
    whole: NDArray[np.int16] = np.rint(hu.clip(-1024, 3071)).astype(np.int16)
    return whole


def write_nifti(path: Path, data: NDArray[Any], affine: NDArray[Any] | None = None) -> Path:
    """Write an array as NIfTI with its own type."""
    affine = np.diag([1.5, 1.5, 3.0, 1.0]) if affine is None else affine
    nib.save(nib.Nifti1Image(data, affine, dtype=data.dtype), path)
    return path


def refused(error: BaseException) -> str:
    """Text of an error, checked to be one sentence."""
    text = str(error)
    assert text
    assert "\n" not in text
    assert text.endswith(".")
    assert ". " not in text.replace("e.g. ", "")
    return text
