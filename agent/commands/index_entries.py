"""Lesions of an opened case as entries of a case base: measured, cropped and encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError
from retrieval.case_model import NUMBER, CaseEntry, LabelSource
from tools.array_store import ArrayStore
from tools.base import Case
from tools.encode import embed, region_digest
from tools.encoders.protocol import Encoder
from tools.lesion_list import Lesion, lesion_list
from tools.look import host_of
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.types import State, content_hash

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Told:
    """What somebody says of the lesions of a case.

    Attributes:
        patient: key of the patient.
        label_source: who says of which type they are.
        lesion_type: of which type; None for what their label class says.
        site: part of the organ, or institution.
        number: key of the patient's number in the DICOM header, None where there is none.
    """

    patient: str
    label_source: LabelSource
    lesion_type: str | None = None
    site: str | None = None
    number: str | None = None


def lesion_classes(case: Case, asked: tuple[str, ...] = ()) -> list[str]:
    """Identifiers of the lesion classes to take: those asked for, or all that are labelled.

    Raises:
        UsageError: one that is asked for is no lesion class.
    """
    ontology = load_ontology()
    if asked:
        return [lesion_class(name) for name in asked]
    return [name for name in (case.labels.entries if case.labels else {}) if ontology.get(name).kind == "lesion"]


def lesion_class(name: str) -> str:
    """Identifier of a lesion class.

    Raises:
        UsageError: it is none.
    """
    ontology = load_ontology()
    ident = ontology.normalise(name)
    if ident is None or ontology.get(ident).kind != "lesion":
        raise UsageError(f"{name[:80]!r} is no class of lesions; name one such as liver_metastasis.")
    return ident


def largest(case: Case, structure: str) -> Lesion | None:
    """The largest lesion of a class, None where there is none above the size limit."""
    lesions = lesion_list(case, structure).lesions
    return lesions[0] if lesions else None


def organ_of(structure: str) -> str | None:
    """Organ of a lesion class without its side."""
    ontology = load_ontology()
    organ = ontology.get(structure).organ
    return (ontology.get(organ).base or organ) if organ is not None else None


def vector_of(case: Case, structure: str, lesion: Lesion, encoder: Encoder, store: ArrayStore | None) -> Vector:
    """The vector of a lesion, with its organ as context where it is labelled."""
    host = host_of(case, structure)
    return embed(case.scan, lesion.region, encoder, store, host[1].region if host is not None else None)


def phase_of(case: Case) -> str | None:
    """Contrast phase as declared, told by the header or estimated; None where it cannot be told."""
    for one in load_tools()["contrast_phase"].call(case, {}):
        if one.quantity == "phase" and one.state is State.MEASURED:
            return str(one.value)
    return None


def entry_of(case: Case, structure: str, lesion: Lesion, told: Told, phase: str | None) -> CaseEntry:
    """What is known of a lesion; the same lesion has the same id whenever it is added."""
    kind = told.lesion_type or load_ontology().get(structure).lesion_type or structure
    return CaseEntry(
        id=content_hash([case.scan.digest, structure, region_digest(lesion.region)])[:32],
        patient=told.patient, scan=case.scan.digest, organ=organ_of(structure), structure=structure, phase=phase,
        lesion_type=kind, label_source=told.label_source, site=told.site,
        size_mm=round(lesion.axes.long_axis, 2),
        extra={
            "volume_cm3": round(lesion.volume, 4), "cut_off": bool(lesion.cut),
            **({NUMBER: told.number} if told.number is not None else {}),
        },
    )  # fmt: skip
