"""The case base that lesions are compared with, as the settings and the command line choose it."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from agent.settings import Settings
from retrieval.case_files import read_manifest
from tools.array_store import ArrayStore
from tools.library import Library
from tools.patient_number import patient_number
from tools.types import content_hash
from tools.volume import Scan

NONE, AUTO = "none", "auto"


def embedded_base() -> Path:
    """Folder of the embedded case base: lesions of phantoms, valid for synthetic scans only."""
    return Path(str(files("retrieval").joinpath("embedded")))


def library(settings: Settings, choice: str | None = None, patient: str | None = None) -> Library | None:
    """The earlier cases to compare with; None for none. They are opened once they are needed.

    Args:
        settings: settings of the program.
        choice: folder of a case base, auto, or none; the setting where None.
        patient: whatever identifies the patient, as in the table that the base was made from.

    Raises:
        UsageError: there is no case base in the folder, or it has another format.
        IntegrityError: its manifest is damaged.
    """
    wish = (choice or settings.index).strip()
    if wish.lower() == NONE:
        return None
    folder = embedded_base() if wish.lower() == AUTO else Path(wish).expanduser()
    # A wrong folder is told before anything is measured.
    read_manifest(folder)
    return Library(folder, ArrayStore(settings.cache.expanduser().absolute()), settings.index_encoder, patient)


def base_key(settings: Settings) -> str:
    """What tells the settings' case base from another one: its choice where it is built in, else a hash of it.

    Raises:
        UsageError: there is no case base in the folder, or it has another format.
        IntegrityError: its manifest is damaged.
    """
    wish = settings.index.strip()
    if wish.lower() in {NONE, AUTO}:
        return wish.lower()
    return content_hash([read_manifest(Path(wish).expanduser()).model_dump(mode="json"), settings.index_encoder])


def of_patient(cases: Library | None, path: Path, scan: Scan) -> Library | None:
    """Earlier cases to compare a scan with that leave out those of the patient whom its header numbers.

    Args:
        cases: the cases; None for none.
        path: what the scan was read from.
        scan: the scan.

    Raises:
        ScanError: the files cannot be read (any more).
    """
    if cases is None or cases.unfit(synthetic=scan.header.synthetic) is not None:
        return cases
    return replace(cases, number=patient_number(path, scan))
