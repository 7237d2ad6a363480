"""The case base that lesions are compared with, as the settings and the command line choose it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from agent.settings import Settings
from retrieval.case_files import read_manifest
from tools.array_store import ArrayStore
from tools.library import Library

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
