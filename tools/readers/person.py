"""Who a DICOM file is of: read from one file of a series, and turned into digests at once."""

from __future__ import annotations

import re

from tools.person import Person, digest
from tools.readers.blob import Blob
from tools.readers.dicom_index import read_dataset, text_of

_TAGS = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
# What stands in the header of a scan that was made anonymous says nothing on whose it is.
_NOBODY = re.compile(r"0+|X+|N/?A|NONE|UNKNOWN|ANON.*|NO[ _-]?(NAME|ID)|(DE)?-?IDENTIFIED")
_SEXES = frozenset({"M", "F"})
_DATE = re.compile(r"(?!0000|19000101)\d{8}")


def person_in(blob: Blob) -> Person:
    """The person that a DICOM file names."""
    header = read_dataset(blob, header_only=True, tags=_TAGS)
    if header is None:
        return Person()
    number, issuer, born, sex = (" ".join(text_of(header, tag).upper().split()) for tag in _TAGS)
    return Person(
        number=None if _NOBODY.fullmatch(number) else digest(number),
        issuer=digest(issuer),
        born=digest(born) if _DATE.fullmatch(born) else None,
        sex=digest(sex) if sex in _SEXES else None,
    )
