"""Corrected masks that a person looks at before they count; a few are held, none is kept."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from agent.web.faults import missing
from agent.web.latest import Latest
from tools.base import Case
from tools.correct import correct
from tools.correct_model import Change, Edit
from tools.volume import LabelSet

_MOST = 8


class CorrectionOut(BaseModel):
    """What edits would change; `id` names the preview."""

    id: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Preview:
    """Corrected masks of a run.

    Attributes:
        run: the run.
        labels: all masks, corrected.
        structures: ids of those that were edited.
    """

    run: str
    labels: LabelSet
    structures: tuple[str, ...]


class Corrections:
    """The previews made last.

    Args:
        room: bytes that they may take in memory.
    """

    def __init__(self, room: int) -> None:
        self._held: Latest[Preview] = Latest(_MOST, room, _weight)

    def preview(self, run: str, case: Case, edits: Sequence[Edit]) -> CorrectionOut:
        """Apply edits to the masks of a run.

        Raises:
            UsageError: an edit cannot be made.
        """
        made = correct(case, edits)
        names = tuple(dict.fromkeys(edit.structure for edit in edits))
        ident = f"mask-{secrets.token_hex(6)}"
        self._held.put((ident,), Preview(run, made.labels, names))
        return CorrectionOut(id=ident, changes=made.changes)

    def get(self, run: str, ident: str) -> Preview:
        """A preview of a run.

        Raises:
            Refused: it is not held any more.
        """
        found = self._held.peek((ident,))
        if found is None or found.run != run:
            raise missing("preview (any more)")
        return found


def _weight(preview: Preview) -> int:
    return sum(layer.nbytes for layer in preview.labels.layers)
