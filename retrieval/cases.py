"""A base of earlier cases: lesions with what is known of them, and the most similar ones to a new lesion.

A case base is a folder: the vectors of the lesions (faiss), what is known of them (SQLite), and a manifest with the
encoder, checksums and measured recall (JSON). A lesion of the patient who is asked about is never returned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from agent.errors import IntegrityError, UsageError
from retrieval.case_calibration import NEAR_DUPLICATE
from retrieval.case_commit import Change, Commit
from retrieval.case_files import MANIFEST, read_manifest, verified, writer_lock
from retrieval.case_model import BaseStats, Batch, Calibration, EncoderId, Filters, Hit, Manifest
from retrieval.case_table import CaseTable
from retrieval.index import VectorIndex
from retrieval.index_model import IndexLimits

_TRIES = 5
"""A writer may put a new generation in place while a reader opens the old one."""


class CaseBase:
    """One generation of a case base, opened to be searched; changes make a new one and move on to it.

    Attributes:
        folder: where it lies.
        manifest: what it is made of.
    """

    def __init__(self, folder: Path, limits: IndexLimits | None = None) -> None:
        self.folder = folder
        self._limits = limits or IndexLimits()
        self._load()

    @classmethod
    def create(
        cls, folder: Path, encoder: EncoderId, batches: Iterable[Batch] = (), limits: IndexLimits | None = None, *,
        synthetic_only: bool = False, salt: str | None = None,
    ) -> CaseBase:  # fmt: skip
        """Make a new case base; patients' keys of entries are made by `patient_key`, so most bases begin empty.

        Args:
            folder: where; it may exist, but not hold a case base.
            encoder: whose vectors it will hold.
            batches: entries with their raw vectors.
            limits: what shapes the index.
            synthetic_only: it is valid for synthetic scans only.
            salt: 64 hexadecimal digits, for a base without patients that is to be the same whenever it is made.

        Raises:
            UsageError: there is a base already, or the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"The folder {folder} cannot be made ({error.strerror}): choose another.") from error
        with writer_lock(folder):
            if (folder / MANIFEST).exists():
                raise UsageError(f"There is a case base in {folder} already: add to it, or choose another folder.")
            fresh = Commit(folder, None, encoder, limits or IndexLimits(), synthetic_only=synthetic_only, salt=salt)
            fresh.run(Change(batches))
        return cls(folder, limits)

    @classmethod
    def open(cls, folder: Path, limits: IndexLimits | None = None) -> CaseBase:
        """Open a case base; every file that is read is verified first.

        Raises:
            UsageError: there is none, or it has another format.
            IntegrityError: a file is not what was written.
        """
        return cls(folder, limits)

    def __enter__(self) -> CaseBase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its files."""
        self._table.close()

    def __len__(self) -> int:
        return self.manifest.count

    @property
    def calibration(self) -> Calibration | None:
        """How the vote of neighbours is fitted; None where there are too few cases."""
        return self.manifest.calibration

    def patient_key(self, name: str) -> str:
        """Key of a patient in this base, from whatever identifies them.

        The key is salted, so that keys of two bases cannot be joined; whoever has the base and a list of all
        possible names can still find out who is in it.
        """
        salted = hashlib.blake2b(name.strip().encode(), key=bytes.fromhex(self.manifest.salt), digest_size=16)
        return salted.hexdigest()

    def patient_keys(self, *names: str | None) -> set[str]:
        """Keys that cases of a patient may have, who is named by words of a table or by a number of a DICOM header."""
        return {self.patient_key(one) for name in names if name for one in (name, plain_number(name))}

    def check_encoder(self, encoder: EncoderId) -> None:
        """Refuse vectors of another encoder than the base's.

        Raises:
            UsageError: it is another, or another version.
        """
        own = self.manifest.encoder
        if own != encoder:
            raise UsageError(
                f"The case base {self.folder} holds vectors of {_called(own)}, not of {_called(encoder)}: use that "
                "encoder, or build a new base with tumortrace index build."
            )

    def add(self, batches: Iterable[Batch], encoder: EncoderId) -> None:
        """Add entries with their raw vectors (n, dimension); all of them or, at an error, none.

        Raises:
            UsageError: another encoder, an id that is there already, or another writer.
        """
        self.check_encoder(encoder)
        self._change(Change(batches))

    def delete(self, idents: Iterable[str]) -> int:
        """Remove entries by id; how many there were."""
        before = len(self)
        self._change(Change(delete=tuple(idents)))
        return before - len(self)

    def rebuild(self) -> None:
        """Build the index anew from the raw vectors, fit the vote, and drop what was deleted."""
        self._change(Change(rebuild=True))

    def holds(self, idents: Iterable[str]) -> set[str]:
        """Which of these ids are held."""
        return {one.id for one in self._table.entries(self._table.numbers(idents).tolist()).values()}

    def search(
        self,
        vector: NDArray[np.floating],
        k: int,
        *,
        encoder: EncoderId,
        exclude_patient: str | Collection[str] | None,
        exclude_scan: str | None,
        filters: Filters | None = None,
    ) -> list[Hit]:
        """The most similar entries that pass the filters, none of them of the same patient.

        Args:
            vector: (dimension,) raw vector of the lesion.
            k: number of neighbours; fewer come back only where fewer pass.
            encoder: which encoder made the vector.
            exclude_patient: key of the lesion's patient (`patient_key`), or several where they have several names; None
                only if nobody knows who it is.
            exclude_scan: digest of the lesion's scan; whoever has this scan in the base is taken for the patient.
            filters: what entries have to be.

        Returns:
            Hits, most similar first; equal ones in the order they were added.

        Raises:
            UsageError: another encoder, or a k out of range.
        """
        self.check_encoder(encoder)
        keys = {exclude_patient} if isinstance(exclude_patient, str) else set(exclude_patient or ())
        own = self._table.relatives(keys, exclude_scan)
        ids, near = self._index.search(vector, k, allowed=self._table.passing(filters or Filters()), excluded=own)
        found = [(float(s), int(i)) for i, s in zip(ids[0], near[0], strict=True) if i >= 0]
        known = self._table.entries([number for _, number in found])
        return [
            Hit(known[number], similarity, similarity >= NEAR_DUPLICATE)
            for similarity, number in sorted(found, key=lambda one: (-one[0], one[1]))
        ]

    def stats(self) -> BaseStats:
        """What is in it."""
        entries, patients, scans, by = self._table.counts()
        about = self.manifest.about
        return BaseStats(
            entries=entries, patients=patients, scans=scans, by=by, generation=self.manifest.generation,
            encoder=self.manifest.encoder, kind=about.kind, recall=about.recall, calibration=self.calibration,
            synthetic_only=self.manifest.synthetic_only,
        )  # fmt: skip

    def _change(self, change: Change) -> None:
        with writer_lock(self.folder):
            current: Manifest = read_manifest(self.folder)
            self.check_same(current)
            Commit(self.folder, current, current.encoder, self._limits).run(change)
        self.close()
        self._load()

    def check_same(self, current: Manifest) -> None:
        """Refuse to change a base that somebody replaced by another one since it was opened.

        Raises:
            UsageError: it is another one, so that patients' keys made for this one mean nothing in it.
        """
        if (current.salt, current.encoder) != (self.manifest.salt, self.manifest.encoder):
            raise UsageError(f"The case base {self.folder} was replaced by another one: open it again.")

    def _load(self) -> None:
        for left in range(_TRIES - 1, -1, -1):
            self.manifest = read_manifest(self.folder)
            try:
                path = verified(self.folder, self.manifest.index)
                self._index = VectorIndex.read(path, self.manifest.about, self.manifest.count)
                self._table = CaseTable.read_only(verified(self.folder, self.manifest.cases))
            except (FileNotFoundError, IntegrityError) as error:
                # Whoever put a new generation in place removed files of this one, perhaps between check and use.
                if left and read_manifest(self.folder) != self.manifest:
                    continue
                if isinstance(error, IntegrityError):
                    raise
                raise UsageError(
                    f"The case base {self.folder} lacks the file {Path(str(error.filename)).name}: restore it, or "
                    "build the index anew."
                ) from error
            else:
                return


def plain_number(text: str) -> str:
    """A patient's number however it was written: in capitals and with single blanks."""
    return " ".join(text.upper().split())


def _called(encoder: EncoderId) -> str:
    return f"{encoder.name} {encoder.version[:40]} ({encoder.dimension} values)"
