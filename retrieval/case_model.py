"""What a case base holds: its entries, its filters, and the manifest that names its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from retrieval.index_model import MAX_DIMENSION, MAX_VECTORS, IndexAbout

LabelSource = Literal["pathology", "radiologist", "labels file", "synthetic"]
"""Who says of which type a lesion is."""

FORMAT = 1
MAX_EXTRA = 32
NUMBER = "dicom_patient"
"""In `extra`: key of the patient's number in the DICOM header, which links cases whatever else they are named by."""
_SHA256 = r"^[0-9a-f]{64}$"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds control characters")
    return text


Word = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Small = Annotated[str, Field(max_length=500), AfterValidator(_printable)] | int | float | bool | None
_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EncoderId(BaseModel):
    """Which encoder made the vectors; those of another one are never compared with them.

    Attributes:
        name: which encoder.
        version: changes with everything that a vector depends on.
        dimension: length of a vector.
    """

    model_config = _FROZEN

    name: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_printable)]
    version: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_printable)]
    dimension: int = Field(ge=1, le=MAX_DIMENSION)


class CaseEntry(BaseModel):
    """One lesion of a case base.

    Attributes:
        id: unique in the base, and the same whenever the same lesion is added.
        patient: opaque key of the patient, made by `CaseBase.patient_key`; never a name.
        scan: digest of the scan's voxels.
        organ: canonical identifier of the organ without its side, None where the label names none.
        structure: canonical identifier of the lesion class.
        phase: contrast phase, None where it is unknown.
        lesion_type: type of the lesion: the label that neighbours vote with.
        label_source: who says so.
        site: part of the organ, or institution: whatever the cases are told apart by.
        size_mm: longest axial diameter in mm.
        extra: anything small besides.
    """

    model_config = _FROZEN

    id: Word
    patient: Word
    scan: Word
    organ: Word | None = None
    structure: Word
    phase: Word | None = None
    lesion_type: Word
    label_source: LabelSource
    site: Word | None = None
    size_mm: float | None = Field(default=None, ge=0, le=10_000)
    extra: dict[Word, Small] = Field(default_factory=dict, max_length=MAX_EXTRA)


class Filters(BaseModel):
    """What entries have to be; None lets everything pass, also entries of which it is unknown."""

    model_config = _FROZEN

    organ: str | None = None
    phase: str | None = None
    lesion_type: str | None = None
    site: str | None = None

    def given(self) -> dict[str, str]:
        """The filters that are set, by column."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


Batch = tuple[Sequence[CaseEntry], NDArray[np.floating]]
"""Entries and their raw vectors (n, dimension)."""


@dataclass(frozen=True)
class Hit:
    """A neighbour.

    Attributes:
        entry: what is known of it.
        similarity: cosine of the centred vectors, −1 to 1.
        near_duplicate: so similar that it may be the same lesion under another name.
    """

    entry: CaseEntry
    similarity: float
    near_duplicate: bool = False


class Calibration(BaseModel):
    """How the neighbours' vote was fitted on the base itself, each patient left out in turn.

    Attributes:
        temperature: similarity that a weight falls by a factor e over.
        shrinkage: how many neighbours the prior counts as.
        neighbours: how many neighbours voted.
        counts: organ ("" for none) → lesion type → number of patients.
        samples: number of lesions that were left out and voted on.
        patients: of how many patients.
        log_loss: mean negative log probability (nats) of the true type, as are the next three: on patients that had no
            part in the fit.
        prior_log_loss: the same for the prior alone.
        accuracy: share whose most probable type was the true one.
        calibration_error: expected calibration error over ten bins of the highest probability.
        nearest: 101 percentiles of the similarity to the nearest lesion of another patient.
        entries: number of entries in the base when it was fitted.
    """

    model_config = _FROZEN

    temperature: float = Field(gt=0)
    shrinkage: float = Field(gt=0)
    neighbours: int = Field(ge=1)
    counts: dict[str, dict[str, int]]
    samples: int = Field(ge=0)
    patients: int = Field(ge=0)
    log_loss: float = Field(ge=0)
    prior_log_loss: float = Field(ge=0)
    accuracy: float = Field(ge=0, le=1)
    calibration_error: float = Field(ge=0, le=1)
    nearest: tuple[float, ...] = Field(min_length=101, max_length=101)
    entries: int = Field(ge=0)


class StoredFile(BaseModel):
    """A file of the base, by name, size and content."""

    model_config = _FROZEN

    name: str = Field(pattern=r"^(index|cases|vectors)-[0-9]{6,12}(-[0-9]{4,8})?\.(faiss|sqlite|npz)$")
    bytes: int = Field(ge=0, le=1 << 40)
    sha256: str = Field(pattern=_SHA256)


class Manifest(BaseModel):
    """What makes up one generation of a case base.

    Attributes:
        format: version of this layout.
        generation: counts the changes.
        encoder: whose vectors these are.
        salt: what patients' keys are made with.
        next_id: first number that no entry ever had.
        count: number of entries.
        about: how the index was built, with its measured recall.
        index: the faiss file.
        cases: the SQLite file.
        segments: files with the raw vectors, from which the index can be built anew.
        calibration: of the vote; None where there are too few cases for it.
        synthetic_only: whether its cases are computed ones, which say nothing about patients.
    """

    model_config = _FROZEN

    format: Literal[1] = 1
    generation: int = Field(ge=1, le=10**12 - 1)
    encoder: EncoderId
    salt: str = Field(pattern=_SHA256)
    next_id: int = Field(ge=0)
    count: int = Field(ge=0, le=MAX_VECTORS)
    about: IndexAbout
    index: StoredFile
    cases: StoredFile
    segments: tuple[StoredFile, ...] = Field(max_length=10_000)
    calibration: Calibration | None = None
    synthetic_only: bool = False

    def files(self) -> tuple[StoredFile, ...]:
        """Every file of the generation."""
        return (self.index, self.cases, *self.segments)


class BaseStats(BaseModel):
    """What is in a case base.

    Attributes:
        entries: number of lesions.
        patients: number of patients.
        scans: number of scans.
        by: number of entries by organ, phase, lesion type, label source and site; "" for unknown.
        generation: counts the changes.
        encoder: whose vectors these are.
        kind: exact or approximate search.
        recall: measured recall of the search.
        calibration: of the vote.
        synthetic_only: whether it is valid for synthetic scans only.
    """

    entries: int
    patients: int
    scans: int
    by: dict[str, dict[str, int]]
    generation: int
    encoder: EncoderId
    kind: str
    recall: float
    calibration: Calibration | None
    synthetic_only: bool = False
