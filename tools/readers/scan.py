"""The one door for scans: what the user gives ends as a checked CT in HU, or in one sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import ScanError
from tools.histogram import histogram
from tools.hu_scale import judge_scale
from tools.padding import find_padding
from tools.readers.archive import zip_blobs
from tools.readers.blob import Blob, Kind, file_blob, folder_blobs, kind_of
from tools.readers.dicom import describe_series, read_dicom
from tools.readers.dicom_index import quiet_pydicom
from tools.readers.limits import ReadLimits
from tools.readers.nifti import read_nifti
from tools.volume import Scan

_DEFAULT = ReadLimits()
_NIFTI_KINDS: tuple[Kind, ...] = ("nifti", "gzip")


def read_scan(path: Path, *, series: str | None = None, limits: ReadLimits = _DEFAULT) -> Scan:
    """Read a CT from a NIfTI file, a DICOM folder, one DICOM file, or a zip of either.

    The format is recognised by content. The scan comes back in canonical axis order, in Hounsfield units
    (checked to be rescaled exactly once), with its padding value found.

    Args:
        path: what the user gave.
        series: SeriesInstanceUID, needed where a DICOM input has several CT series.
        limits: sizes that are refused before anything is allocated.

    Raises:
        SeriesChoiceError: if there are several CT series and none was chosen.
        ScanError: if the input is missing, broken, unsafe, too large, or not a CT.
    """
    with _opened(path, limits) as blobs:
        kinds = [kind_of(blob.head()) for blob in blobs]
        volumes = [blob for blob, kind in zip(blobs, kinds, strict=True) if kind in _NIFTI_KINDS]
        images = [blob for blob, kind in zip(blobs, kinds, strict=True) if kind == "dicom"]
        if images:
            with quiet_pydicom():
                scan = read_dicom(images, path.name, series, limits)
        elif not volumes:
            raise ScanError(
                f"'{path.name}' is or holds neither NIfTI nor DICOM: give a .nii or .nii.gz "
                "file, a DICOM folder, "
                "or a zip of one scan."
            )
        elif path.is_dir() or len(volumes) > 1:
            raise ScanError(
                f"'{path.name}' holds {len(volumes)} NIfTI file(s) and no DICOM series: give the path of one file."
            )
        elif series is not None:
            raise ScanError(f"'{path.name}' is a NIfTI file, which has no series: leave out --series.")
        else:
            scan = read_nifti(volumes[0], limits)
    return require_hu(scan, path.name)


def list_series(path: Path, limits: ReadLimits = _DEFAULT) -> dict[str, str]:
    """Describe all series of a DICOM input, one line each, keyed by SeriesInstanceUID; empty for NIfTI.

    The lines quote series descriptions: they are for the user's own terminal only.

    Raises:
        ScanError: as `read_scan` for a missing, unsafe, or too large input.
    """
    with _opened(path, limits) as blobs, quiet_pydicom():
        return describe_series(blobs, limits)


def require_hu(scan: Scan, name: str) -> Scan:
    """Find the padding of a scan and check that its values are Hounsfield units.

    Raises:
        ScanError: if they are not, saying what was seen and how to mend it.
    """
    counts = histogram(scan.hu)
    padding, note = find_padding(scan.hu, counts, scan.header.padding_value)
    scale = judge_scale(counts, padding)
    if scale.problem is not None:
        raise ScanError(f"'{name}' is not a CT in Hounsfield units, for {scale.problem}.")
    notes = scan.header.notes + ((note,) if note else ()) + scale.limits
    return dataclasses.replace(scan, padding=padding, header=dataclasses.replace(scan.header, notes=notes))


@contextmanager
def _opened(path: Path, limits: ReadLimits) -> Iterator[list[Blob]]:
    if path.is_dir():
        yield folder_blobs(path, limits)
        return
    blob = file_blob(path)
    if kind_of(blob.head()) != "zip":
        yield [blob]
        return
    with zip_blobs(path, limits) as blobs:
        yield blobs
