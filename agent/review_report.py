"""What reviews bring to a report: the one that they spoke of, with their words, and what was corrected."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from agent.errors import IntegrityError
from agent.report_model import Report, Review
from agent.review_run import REPORT_KINDS, kept_report_name
from agent.runs import RunFolder
from agent.state import RunState
from agent.trace_read import artifacts
from tools.correct_model import Change
from tools.ontology import load_ontology

_IMAGES = "images/"


def earlier_report(state: RunState, folder: RunFolder) -> tuple[Report, dict[str, bytes]] | None:
    """The report that was approved or overridden, with the person's words, and its pictures by file name.

    What the run concluded stands in it as it stood. None where the report is to be made: no review, or a correction.

    Raises:
        IntegrityError: that report or a picture of it is not what was written, or the checkpoint holds other reviews.
    """
    if not state.reviews:
        return None
    # The run may have been interrupted since the files were checked: what was changed must not be made anew.
    written = artifacts(folder)
    data = _read(folder, kept_report_name(len(state.reviews) - 1), written.get("report.json"))
    before = Report.model_validate_json(data)
    if before.reviews != state.reviews[:-1]:
        raise IntegrityError(f"The checkpoint of run {folder.id} holds other reviews than its record; start it anew.")
    if state.reviews[-1].kind == "correct":
        return None
    made = before.model_copy(update={"reviews": state.reviews, "status": state.status})
    return made, {one.path.rpartition("/")[2]: _read(folder, one.path, written.get(one.path)) for one in made.pictures}


def _read(folder: RunFolder, name: str, digest: str | None) -> bytes:
    path = folder.folder / name
    data = path.read_bytes() if digest is not None and path.is_file() else None
    if data is None or hashlib.sha256(data).hexdigest() != digest:
        raise IntegrityError(f"The file {name} of run {folder.id} is not what was written; start the run anew.")
    return data


def name_pictures(made: Report, images: Mapping[str, bytes], state: RunState) -> dict[str, bytes]:
    """Pictures of a corrected report have names of their own, so that those of the report before it stay.

    Args:
        made: the report; its pictures, and the evidence that names them, get the new names.
        images: file name → PNG.
        state: the run's; its last correction is part of the names.

    Returns:
        File name → PNG.
    """
    number = max((one.number for one in state.reviews if one.kind == "correct"), default=None)
    if number is None:
        return dict(images)
    names = {name: f"{name.removesuffix('.png')}-review-{number}.png" for name in images}
    paths = {f"{_IMAGES}{old}": f"{_IMAGES}{new}" for old, new in names.items()}
    made.pictures[:] = [one.model_copy(update={"path": paths[one.path]}) for one in made.pictures]
    for one in made.evidence.values():
        if one.artifact is not None:
            one.artifact = paths.get(one.artifact, one.artifact)
    return {names[name]: data for name, data in images.items()}


def kept(state: RunState, folder: RunFolder) -> dict[str, str]:
    """Name → SHA-256 of every earlier report with its pictures, by the record of the time."""
    if not state.reviews:
        return {}
    last = artifacts(folder)
    found = {name: digest for name, digest in last.items() if name.startswith(_IMAGES)}
    for number in range(len(state.reviews)):
        for kind in REPORT_KINDS:
            name = kept_report_name(number, kind)
            digest = last.get(f"report.{kind}" if number == len(state.reviews) - 1 else name)
            # Runs of earlier versions kept the data only.
            if digest is not None and (kind == "json" or name in last or (folder.folder / name).exists()):
                found[name] = digest
    return found


def corrections(reviews: Sequence[Review]) -> Iterator[str]:
    """What a reader has to know of masks that a person corrected, one sentence for each structure and review."""
    for review in reviews:
        for change in review.changes:
            name = load_ontology().get(change.structure).names
            doubts = f"; {change.note}" if change.note else ""
            yield f"The mask of {name} was {_verb(change)} by {review.reviewer}: {_done(change)}{doubts}."


def _verb(change: Change) -> str:
    return "corrected" if change.removed or change.added else "approved"


def _done(change: Change) -> str:
    counts = ((change.removed, "removed"), (change.added, "added"), (change.kept, "approved"))
    return ", ".join(f"{count} component{'s' if count != 1 else ''} {what}" for count, what in counts if count)
