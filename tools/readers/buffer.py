"""The growing HU array of a scan: filled in file order, laid out in canonical order.

The array is allocated in its final, canonical layout and filled through a view in the file's axis order, so
that bringing it into canonical order costs no second copy. It is int16 as long as that loses nothing, and
becomes float32 at the first value that needs it.
"""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from tools.volume import FloatArray, Grid, Orientation, to_canonical

_INT16 = np.iinfo(np.int16)
_FLOAT32_MAX = float(np.finfo(np.float32).max)
SLAB_VOXELS = 1 << 21
"""Voxels handled at a time: 16 MiB as float64."""


class HuBuffer:
    """Collects slabs of a volume along the file's third axis.

    Args:
        shape: voxels along the file's axes.
        affine: (4, 4) from file indices to world mm, RAS+, invertible.
    """

    def __init__(self, shape: tuple[int, int, int], affine: FloatArray) -> None:
        self._shape = shape
        self._affine = affine
        self._view = self._allocate(np.dtype(np.int16))
        self._filled = 0
        self.not_finite = 0
        """Number of voxels seen so far that are NaN, infinite, or beyond float32."""

    def _allocate(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        identity = np.array([[0, 1], [1, 1], [2, 1]], dtype=np.float64)
        transform = nib.orientations.io_orientation(self._affine)
        canonical_shape = [0, 0, 0]
        for axis, size in enumerate(self._shape):
            canonical_shape[int(transform[axis, 0])] = size
        back = nib.orientations.ornt_transform(identity, transform)
        view: NDArray[Any] = nib.orientations.apply_orientation(np.empty(canonical_shape, dtype=dtype), back)
        return view

    @property
    def filled(self) -> int:
        """Number of slices along the file's third axis that have been put."""
        return self._filled

    def slices_at_once(self) -> int:
        """Number of slices that make up one slab of bounded size."""
        return max(1, SLAB_VOXELS // max(1, self._shape[0] * self._shape[1]))

    def put(self, slab: NDArray[Any], slope: float = 1.0, intercept: float = 0.0) -> None:
        """Append a slab (ni, nj, n), scaled exactly once as ``stored * slope + intercept``."""
        target = (slice(None), slice(None), slice(self._filled, self._filled + slab.shape[2]))
        self._filled += slab.shape[2]
        plain = slope == 1.0 and intercept == 0.0
        if plain and slab.dtype.kind in "iu" and np.can_cast(slab.dtype, np.int16):
            self._view[target] = slab
            return
        # float64 for one slab only: exact for every stored integer and every rescale that is exact at all.
        values = slab.astype(np.float64)
        if not plain:
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is counted below
                values *= slope
                values += intercept
        finite = np.abs(values) <= _FLOAT32_MAX
        if not finite.all():
            self.not_finite += int(finite.size - np.count_nonzero(finite))
            return
        if self._view.dtype == np.int16 and not _fits_int16(values):
            self._widen(target[2].start)
        self._view[target] = values

    def _widen(self, done: int) -> None:
        wide = self._allocate(np.dtype(np.float32))
        wide[:, :, :done] = self._view[:, :, :done]
        self._view = wide

    def finish(self) -> tuple[NDArray[Any], Grid, Orientation]:
        """Return the filled array in canonical order, its grid, and the orientation of the file."""
        return to_canonical(self._view, self._affine)


def _fits_int16(values: FloatArray) -> bool:
    if values.size == 0:
        return True
    if values.min() < _INT16.min or values.max() > _INT16.max:
        return False
    return bool(np.array_equal(np.rint(values), values))
