"""Writing the next generation of a case base: entries, vectors, index, vote, and last the manifest."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.errors import UsageError
from retrieval.case_calibration import calibrate
from retrieval.case_files import publish, stored, sweep, verified
from retrieval.case_model import Batch, Calibration, EncoderId, Manifest, StoredFile
from retrieval.case_table import CaseTable
from retrieval.case_vectors import read_segments, rows_per_segment, write_segment
from retrieval.index import VectorIndex
from retrieval.index_math import checked
from retrieval.index_model import MAX_VECTORS, FloatRows, Ids, IndexLimits

_SCRAPS = 64
"""So many segments more than needed are written together."""
_DRIFT = 0.1
"""The vote is fitted again once the number of entries has changed by this share."""


@dataclass(frozen=True)
class Change:
    """What is to become of a case base.

    Attributes:
        batches: entries to add; read once.
        delete: ids of entries to remove before that.
        rebuild: whether the index is built anew, whatever its age.
    """

    batches: Iterable[Batch] = ()
    delete: tuple[str, ...] = ()
    rebuild: bool = False


class Commit:
    """One change of a case base; its folder is locked by the caller.

    Args:
        folder: of the case base.
        old: current generation, None for a new base.
        encoder: whose vectors are added.
        limits: what shapes the index.
        synthetic_only: of a new base.
        salt: of a new base; drawn where None.
    """

    def __init__(
        self, folder: Path, old: Manifest | None, encoder: EncoderId, limits: IndexLimits, *,
        synthetic_only: bool = False, salt: str | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.old, self.encoder, self.limits = folder, old, encoder, limits
        self.synthetic_only = old.synthetic_only if old is not None else synthetic_only
        self.salt = old.salt if old is not None else salt or secrets.token_hex(32)
        self.generation = old.generation + 1 if old is not None else 1
        self.next_id = old.next_id if old is not None else 0
        self.segments: list[StoredFile] = list(old.segments) if old is not None else []
        self._written = 0

    def run(self, change: Change) -> Manifest:
        """Write everything and make it current; at a failure the old generation stays.

        Raises:
            InputError: what is to be added cannot be.
            IntegrityError: the old generation is damaged.
        """
        sweep(self.folder, self.old)
        try:
            manifest = self._write(change)
            publish(self.folder, manifest)
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"The case base {self.folder} cannot be written ({why}): nothing was changed.") from error
        sweep(self.folder, manifest)
        return manifest

    def _write(self, change: Change) -> Manifest:
        path = self._path("cases", "sqlite")
        if self.old is not None:
            shutil.copyfile(verified(self.folder, self.old.cases), path)
            table = CaseTable.writable(path)
        else:
            table = CaseTable.create(path)
        known = len(self.segments)
        try:
            with table.changes():
                gone = table.delete(change.delete)
                self._insert(table, change.batches)
            live, people, numbered = table.numbers(), table.people(), table.numbered()
        finally:
            table.close()
        if len(live) > MAX_VECTORS:
            raise UsageError(f"{len(live)} entries are more than the {MAX_VECTORS} that a case base may hold.")
        index = self._index(gone, self.segments[known:], live, rebuild=change.rebuild)
        scraps = len(self.segments) > _SCRAPS + len(live) // rows_per_segment(self.encoder.dimension)
        # What somebody deletes may be a patient who wants to be forgotten: nothing of it stays in the files.
        if change.rebuild or scraps or len(gone):
            self._together(live)
        vote = self._vote(len(live), rebuild=change.rebuild)
        if vote is None and people:
            vote = calibrate(people, index, lambda: self._blocks(live), numbered)
        where = self._path("index", "faiss")
        index.write(where)
        return Manifest(
            generation=self.generation, encoder=self.encoder, next_id=self.next_id, count=len(live),
            salt=self.salt, about=index.about, index=stored(where), cases=stored(path), segments=tuple(self.segments),
            calibration=vote, synthetic_only=self.synthetic_only,
        )  # fmt: skip

    def _insert(self, table: CaseTable, batches: Iterable[Batch]) -> None:
        most = rows_per_segment(self.encoder.dimension)
        held: list[FloatRows] = []
        waiting = 0
        for entries, vectors in batches:
            rows = checked(vectors, self.encoder.dimension) if len(entries) else np.empty((0, self.encoder.dimension))
            if len(rows) != len(entries):
                raise UsageError(f"{len(entries)} entries came with {len(rows)} vectors: give one vector for each.")
            table.insert(self.next_id + waiting, entries)
            held.append(np.asarray(rows, dtype=np.float32))
            waiting += len(entries)
            while waiting >= most:
                held, waiting = self._segment(held, most)
        if waiting:
            self._segment(held, waiting)

    def _segment(self, held: list[FloatRows], count: int) -> tuple[list[FloatRows], int]:
        """Write the first rows of what is held; the rest, and how many they are."""
        rows = np.concatenate(held)
        ids = np.arange(self.next_id, self.next_id + count, dtype=np.int64)
        self.segments.append(write_segment(self._segment_path(), ids, rows[:count]))
        self.next_id += count
        return [rows[count:]], len(rows) - count

    def _index(self, gone: Ids, fresh: list[StoredFile], live: Ids, *, rebuild: bool) -> VectorIndex:
        dimension = self.encoder.dimension
        if self.old is not None and not rebuild:
            index = VectorIndex.read(verified(self.folder, self.old.index), self.old.about, self.old.count)
            index.remove(gone)
            for ids, rows in read_segments(self.folder, fresh, dimension, live):
                index.add(ids, rows)
            if not index.stale(self.limits):
                return index
        return VectorIndex.build(lambda: self._blocks(live), dimension, self.limits)

    def _blocks(self, live: Ids) -> Iterator[tuple[Ids, FloatRows]]:
        return read_segments(self.folder, self.segments, self.encoder.dimension, live)

    def _together(self, live: Ids) -> None:
        """Write the vectors that are still held into as few segments as they need."""
        most = rows_per_segment(self.encoder.dimension)
        made: list[StoredFile] = []
        ids, rows = np.empty(0, np.int64), np.empty((0, self.encoder.dimension), np.float32)
        for some, more in self._blocks(live):
            ids, rows = np.concatenate([ids, some]), np.concatenate([rows, more])
            while len(ids) >= most:
                made.append(write_segment(self._segment_path(), ids[:most], rows[:most]))
                ids, rows = ids[most:], rows[most:]
        if len(ids):
            made.append(write_segment(self._segment_path(), ids, rows))
        self.segments = made

    def _vote(self, count: int, *, rebuild: bool) -> Calibration | None:
        """The old vote where it still fits."""
        before = self.old.calibration if self.old is not None else None
        if before is None or rebuild or abs(count - before.entries) > _DRIFT * before.entries:
            return None
        return before

    def _path(self, what: str, ending: str) -> Path:
        return self.folder / f"{what}-{self.generation:06d}.{ending}"

    def _segment_path(self) -> Path:
        self._written += 1
        return self.folder / f"vectors-{self.generation:06d}-{self._written:04d}.npz"
