"""Who the patient is in the numbers of a DICOM header: read only where cases of one patient have to be kept apart.

The number is handed to the caller in clear, who has to turn it at once into a key of the case base
(`CaseBase.patient_key`); it is kept, written and shown nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.cases import plain_number
from tools.person import digest
from tools.readers.archive import zip_blobs
from tools.readers.blob import Blob, file_blob, folder_blobs, kind_of
from tools.readers.dicom_index import quiet_pydicom, read_dataset, text_of
from tools.readers.limits import ReadLimits
from tools.volume import Scan

_TAG = "PatientID"


def patient_number(path: Path, scan: Scan, limits: ReadLimits | None = None) -> str | None:
    """Number of the patient, in capitals and with single blanks; None where the header tells none.

    Who issued the number is left aside: that two patients of two issuers are taken for one leaves out a case too
    many, the other way round one too few.

    Args:
        path: what the scan was read from.
        scan: the scan; of several patients in a folder, its own is found by the digest that reading it left.
        limits: sizes that are refused.

    Raises:
        ScanError: the files cannot be read (any more).
    """
    if scan.person.number is None:
        return None
    with _opened(path, limits or ReadLimits()) as blobs, quiet_pydicom():
        for blob in blobs:
            if kind_of(blob.head()) != "dicom":
                continue
            header = read_dataset(blob, header_only=True, tags=(_TAG,))
            number = plain_number(text_of(header, _TAG)) if header is not None else ""
            if digest(number) == scan.person.number:
                return number
    return None


@contextmanager
def _opened(path: Path, limits: ReadLimits) -> Iterator[list[Blob]]:
    if path.is_dir():
        yield folder_blobs(path, limits)
    elif kind_of(file_blob(path).head()) == "zip":
        with zip_blobs(path, limits) as blobs:
            yield blobs
    else:
        yield [file_blob(path)]
