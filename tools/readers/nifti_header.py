"""Checks of a NIfTI header before a single voxel is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

from agent.errors import ScanError
from tools.readers.geometry import check_affine, plausible_spacing
from tools.readers.limits import PARSE_FAULTS, ReadLimits
from tools.volume import SYNTHETIC_MARK, FloatArray, Grid

_UNIT_FACTOR = {"meter": 1000.0, "micron": 0.001}


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed to read the voxels.

    Attributes:
        shape: voxels along the three axes.
        dtype: stored type with its byte order.
        offset: byte at which the voxels begin.
        slope: factor from stored values to HU.
        intercept: summand from stored values to HU.
        affine: (4, 4) voxel → world mm, RAS+.
        synthetic: whether the description says that the scan was computed.
        notes: what had to be mended or assumed.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: FloatArray
    synthetic: bool
    notes: tuple[str, ...]

    @property
    def data_bytes(self) -> int:
        """Bytes that the voxels take in the file."""
        return self.shape[0] * self.shape[1] * self.shape[2] * self.dtype.itemsize


def read_header(stream: BinaryIO, name: str, limits: ReadLimits) -> NiftiHeader:
    """Read and check the header at the start of a (decompressed) NIfTI stream.

    NIfTI-1 and NIfTI-2 in either byte order; the orientation is chosen as nibabel does: sform, else qform,
    else a made-up one, which is noted.

    Raises:
        ScanError: one sentence for everything that makes the file unusable.
    """
    notes: list[str] = []
    header = _parse(stream, name)
    shape = _shape(header, name, limits, notes)
    dtype = _dtype(header, name)
    affine = _affine(header, shape, name, notes)
    try:
        slope, intercept = header.get_slope_inter()
    except PARSE_FAULTS as error:
        raise ScanError(f"'{name}' has a broken scaling of its values in the header: export it again.") from error
    return NiftiHeader(
        shape=shape,
        dtype=dtype,
        offset=_offset(header, name, limits),
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if slope is None or intercept is None else float(intercept),
        affine=affine,
        synthetic=bytes(header["descrip"].item()).startswith(SYNTHETIC_MARK.encode()),
        notes=tuple(notes),
    )


def _parse(stream: BinaryIO, name: str) -> Any:
    start = stream.read(4)
    size = {int.from_bytes(start, "little"), int.from_bytes(start, "big")} & {348, 540}
    if len(start) < 4 or not size:
        raise ScanError(f"'{name}' is not a NIfTI file: give a .nii or .nii.gz file, a DICOM folder or a zip.")
    length = size.pop()
    kind: Any = nib.Nifti1Header if length == 348 else nib.Nifti2Header
    block = start + stream.read(length - 4)
    if len(block) < length:
        raise ScanError(f"'{name}' ends within its header: it is truncated, so fetch it again.")
    try:
        header = kind(block, check=False)
        magic = bytes(header["magic"].item())
    except PARSE_FAULTS as error:
        raise ScanError(f"'{name}' has a NIfTI header that cannot be read: export it again.") from error
    if not magic.startswith((b"n+1", b"n+2")):
        raise ScanError(
            f"'{name}' has no NIfTI signature for header and voxels in one file: convert it to .nii or .nii.gz."
        )
    return header


def _shape(header: Any, name: str, limits: ReadLimits, notes: list[str]) -> tuple[int, int, int]:
    dims = [int(size) for size in header["dim"]]
    count = dims[0]
    if not 1 <= count <= 7 or any(size < 1 for size in dims[1 : count + 1]):
        raise ScanError(f"'{name}' has a broken header (dimensions {dims}): export it again.")
    shape = dims[1 : count + 1]
    if count < 3:
        raise ScanError(f"'{name}' has {count} dimension(s): a CT volume with three is needed.")
    if any(size > 1 for size in shape[3:]):
        sizes = "×".join(str(size) for size in shape)
        raise ScanError(f"'{name}' has {count} dimensions ({sizes}): give one three-dimensional volume of it.")
    if count > 3:
        notes.append(f"a {count}-dimensional file with one volume was read as three-dimensional")
    voxels = shape[0] * shape[1] * shape[2]
    if voxels > limits.max_voxels or max(shape[:3]) > limits.max_side:
        raise ScanError(
            f"The header of '{name}' claims {shape[0]}×{shape[1]}×{shape[2]} voxels, more than the limit of "
            f"{limits.max_voxels}: check the file, or crop the scan."
        )
    return (shape[0], shape[1], shape[2])


def _dtype(header: Any, name: str) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except PARSE_FAULTS as error:
        raise ScanError(f"'{name}' states an unknown type of voxels: export it as int16 or float32.") from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        what = {"c": "complex", "V": "colour"}.get(dtype.kind, dtype.name)
        raise ScanError(f"'{name}' holds {what} voxels, not the plain numbers of a CT in Hounsfield units.")
    return dtype


def _offset(header: Any, name: str, limits: ReadLimits) -> int:
    least = int(header["sizeof_hdr"]) + 4
    offset = float(header["vox_offset"])
    if offset == 0.0:
        return least
    if not np.isfinite(offset) or not least <= offset <= limits.max_header_bytes or offset != int(offset):
        raise ScanError(f"'{name}' says that its voxels begin at byte {offset:g}: the header is broken.")
    return int(offset)


def _affine(header: Any, shape: tuple[int, int, int], name: str, notes: list[str]) -> FloatArray:
    pixdim = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not np.isfinite(pixdim).all() or (pixdim <= 0).any():
        text = " × ".join(f"{size:g}" for size in pixdim)
        raise ScanError(f"'{name}' has a voxel spacing of {text} mm: it must be positive, so export it again.")
    try:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
        sform, qform = header.get_sform(coded=True), header.get_qform(coded=True)
    except PARSE_FAULTS as error:
        raise ScanError(f"'{name}' has a broken orientation in its header: export it again.") from error
    affine = check_affine(affine, name)
    spatial = header.get_xyzt_units()[0] if int(header["xyzt_units"]) & 7 in (0, 1, 2, 3) else "unknown"
    norms = np.linalg.norm(affine[:3, :3], axis=0)
    factor = _UNIT_FACTOR.get(spatial, 1.0)
    if factor != 1.0 and not plausible_spacing(norms) and plausible_spacing(norms * factor):
        affine[:3] *= factor
        notes.append(f"the header gives positions in {spatial}s: converted to millimetres")
    elif not plausible_spacing(norms):
        text = " × ".join(f"{size:g}" for size in norms)
        raise ScanError(f"'{name}' has a voxel spacing of {text} mm, which no CT has: export it again.")
    elif np.abs(norms / pixdim - 1).max() > 0.01:
        notes.append("the header's voxel sizes disagree with its orientation matrix, which is used")
    if sform[0] is None and qform[0] is None:
        notes.append("the file carries no orientation: left and right, head and feet are assumed, not known")
    elif sform[0] is not None and qform[0] is not None:
        notes.extend(_disagreement(shape, sform[0], qform[0]))
    return affine


def _disagreement(shape: tuple[int, int, int], sform: FloatArray, qform: FloatArray) -> list[str]:
    ends = np.array(np.meshgrid(*[(0, size - 1) for size in shape])).reshape(3, -1).T
    first, second = Grid(shape, np.asarray(sform)), Grid(shape, np.asarray(qform))
    gap = float(np.linalg.norm(first.world(ends) - second.world(ends), axis=1).max())
    if not np.isfinite(gap) or gap > 0.1 * min(first.spacing):
        return [f"the file's two orientations (sform, qform) differ by up to {gap:.1f} mm: the sform is used"]
    return []
