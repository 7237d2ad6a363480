"""``tumortrace index``: a base of earlier cases, and the most similar ones to a lesion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from agent.cases import CaseFiles, open_case
from agent.commands.index_picture import picture
from agent.commands.index_rows import IndexRow, read_rows
from agent.commands.options import (
    ClassMapOption,
    JsonOption,
    LabelsOption,
    PhaseOption,
    ScanArgument,
    SeriesOption,
    case_files,
    progress_bar,
)
from agent.errors import TumorTraceError, UsageError
from agent.services import Progress
from agent.settings import Settings
from agent.trace_view import printable
from retrieval.case_model import Batch, Filters, Hit
from retrieval.cases import CaseBase
from retrieval.vote import Vote, vote
from tools.array_store import ArrayStore
from tools.base import CaseSettings

if TYPE_CHECKING:
    from tools.encoders.protocol import Encoder

FAILED = 2
Manifest = Annotated[Path, typer.Option("--manifest", help="CSV with the columns scan, labels, patient, …")]
EncoderOption = Annotated[str, typer.Option("--encoder", help="Encoder: its name, or its folder.")]
Folder = Annotated[Path, typer.Argument(help="Folder of the case base.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    index = typer.Typer(no_args_is_help=True, help="A base of earlier cases to compare lesions with.")
    index.command("build")(build)
    index.command("add")(add)
    index.command("search")(search)
    index.command("stats")(stats)
    index.command("picture")(picture)
    app.add_typer(index, name="index")


def build(
    out: Folder,
    manifest: Manifest,
    encoder: EncoderOption = "descriptor",
    synthetic_only: Annotated[
        bool, typer.Option("--synthetic-only", help="The base is valid for synthetic scans only, and takes no others.")
    ] = False,
) -> None:
    """Make a case base from a table of cases: the largest lesion of each class of each scan.

    Columns: scan and labels (needed), class_map, structures (separated by "|"; all lesion classes by default), patient,
    lesion_type, label_source, site, phase; paths are relative to the table. Exit code 2 when a row failed.
    """
    from tools.library import encoder_id  # noqa: PLC0415

    rows, chosen = read_rows(manifest), _encoder(encoder)
    with CaseBase.create(out, encoder_id(chosen), synthetic_only=synthetic_only) as base:
        _fill(base, rows, chosen)


def add(index: Folder, manifest: Manifest, encoder: EncoderOption = "descriptor") -> None:
    """Add a table of cases to a case base; lesions that it holds already are passed over."""
    rows, chosen = read_rows(manifest), _encoder(encoder)
    with CaseBase.open(index) as base:
        _fill(base, rows, chosen)


def search(
    index: Folder,
    scan: ScanArgument,
    structure: Annotated[str, typer.Option("--structure", help="Lesion class; its largest lesion is compared.")],
    labels: LabelsOption = None,
    class_map: ClassMapOption = None,
    series: SeriesOption = None,
    phase: PhaseOption = None,
    patient: Annotated[
        str | None, typer.Option("--patient", help="Who the patient is, as in the table; theirs are left out.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of neighbours.", min=1, max=1000)] = 10,
    organ: Annotated[
        str | None, typer.Option("--organ", help="Only lesions of this organ; by default that of the class.")
    ] = None,
    in_phase: Annotated[str | None, typer.Option("--in-phase", help="Only lesions in this phase.")] = None,
    lesion_type: Annotated[str | None, typer.Option("--lesion-type", help="Only lesions of this type.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only lesions of this site.")] = None,
    encoder: EncoderOption = "descriptor",
    as_json: JsonOption = False,
) -> None:
    """The most similar lesions of other patients, and how they vote on the type."""
    from agent.commands.index_entries import largest, lesion_class, organ_of, vector_of  # noqa: PLC0415
    from tools.library import encoder_id  # noqa: PLC0415
    from tools.patient_number import patient_number  # noqa: PLC0415

    ident, chosen = lesion_class(structure), _encoder(encoder)
    with CaseBase.open(index) as base, progress_bar(quiet=as_json) as bar:
        base.check_encoder(encoder_id(chosen))
        case = open_case(case_files(scan, labels, class_map, series, phase), progress=bar)
        if base.manifest.synthetic_only and not case.scan.header.synthetic:
            raise UsageError(f"The case base {index} says nothing of real scans: it is valid for synthetic ones only.")
        # The vote was fitted on neighbours within an organ, and holds for no others.
        organ = organ or organ_of(ident)
        lesion = largest(case, ident)
        if lesion is None:
            raise UsageError(f"No {ident} is labelled in the scan, so there is nothing to compare.")
        bar("encoding", 0, 0)
        vector = vector_of(case, ident, lesion, chosen, ArrayStore(Settings().cache))
        own = base.patient_keys(patient, patient_number(scan, case.scan))
        voters = base.calibration.neighbours + 5 if base.calibration is not None else k
        hits = base.search(
            vector, max(k, voters), encoder=encoder_id(chosen),
            exclude_patient=own, exclude_scan=case.scan.digest,
            filters=Filters(organ=organ, phase=in_phase, lesion_type=lesion_type, site=site),
        )  # fmt: skip
        opinion = vote(hits, base.calibration, organ) if lesion_type is None else None
    if as_json:
        typer.echo(_json(hits[:k], opinion, known=bool(own)))
        return
    for number, hit in enumerate(hits[:k], start=1):
        _say(f"{number:3}  {_line(hit)}")
    _say(_opinion(opinion))
    if not own:
        _say("Other scans of the same patient could not be left out: say who it is with --patient.")


def stats(index: Folder, as_json: JsonOption = False) -> None:
    """What a case base holds, how good its search is, and how its vote was fitted."""
    with CaseBase.open(index) as base:
        found = base.stats()
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    _say(f"{found.entries} lesions of {found.patients} patients in {found.scans} scans; change {found.generation}")
    if found.synthetic_only:
        _say("valid for synthetic scans only")
    _say(f"encoder {found.encoder.name} {found.encoder.version} ({found.encoder.dimension} values)")
    _say(f"search: {found.kind}, recall {found.recall:.3f}")
    for name, counts in found.by.items():
        _say(f"{name.replace('_', ' ')}: " + ", ".join(f"{value or 'unknown'} {n}" for value, n in counts.items()))
    fit = found.calibration
    if fit is None:
        _say("vote: too few patients, or too few types, to fit one")
        return
    _say(
        f"vote, each patient left out in turn ({fit.samples} lesions): right in {100 * fit.accuracy:.0f} %, log loss "
        f"{fit.log_loss:.3f} (prior alone {fit.prior_log_loss:.3f}), calibration error {fit.calibration_error:.3f}"
    )


def _encoder(name: str) -> Encoder:
    from tools.encode import load_encoder  # noqa: PLC0415

    return load_encoder(name)


def _fill(base: CaseBase, rows: list[IndexRow], encoder: Encoder) -> None:
    """Add every row that can be used; tell of the others, and leave with an error code.

    Raises:
        typer.Exit: a row failed.
    """
    from tools.library import encoder_id  # noqa: PLC0415

    base.check_encoder(encoder_id(encoder))
    failed: list[str] = []
    before = len(base)
    with progress_bar() as bar:
        base.add(_batches(base, rows, encoder, failed, bar), encoder_id(encoder))
    _say(f"{len(base) - before} lesions added; the base holds {len(base)}: {base.folder}")
    for line in failed:
        _say(f"failed: {line}")
    if failed:
        raise typer.Exit(FAILED)


def _batches(
    base: CaseBase, rows: list[IndexRow], encoder: Encoder, failed: list[str], progress: Progress
) -> Iterator[Batch]:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        progress("cases", number, len(rows))
        try:
            batch = _row(base, row, encoder)
        except TumorTraceError as error:
            failed.append(f"line {row.line}: {error}")
            continue
        entries, vectors = batch
        known = seen | base.holds(one.id for one in entries)
        kept = [at for at, one in enumerate(entries) if one.id not in known]
        seen |= {one.id for one in entries}
        if kept:
            yield [entries[at] for at in kept], vectors[kept]


def _row(base: CaseBase, row: IndexRow, encoder: Encoder) -> Batch:
    from agent.commands.index_entries import Told, entry_of, largest, lesion_classes, phase_of, vector_of  # noqa: PLC0415
    from tools.patient_number import patient_number  # noqa: PLC0415

    case = open_case(CaseFiles(row.scan, row.labels, row.class_map, settings=CaseSettings(phase=row.phase)))
    if base.manifest.synthetic_only and not case.scan.header.synthetic:
        raise UsageError("the case base takes synthetic scans only, and this one is not marked as such.")
    number = patient_number(row.scan, case.scan)
    told = Told(
        # A patient whom nothing names is at least told from others by the scan.
        patient=base.patient_key(row.patient or number or f"scan {case.scan.digest}"),
        label_source=row.label_source,
        lesion_type=row.lesion_type,
        site=row.site,
        number=base.patient_key(number) if number is not None else None,
    )
    phase, store = row.phase or phase_of(case), ArrayStore(Settings().cache)
    found = [(name, one) for name in lesion_classes(case, row.structures) if (one := largest(case, name)) is not None]
    if not found:
        raise UsageError("no lesion is labelled in the scan.")
    entries = [entry_of(case, name, one, told, phase) for name, one in found]
    return entries, np.stack([vector_of(case, name, one, encoder, store) for name, one in found])


def _line(hit: Hit) -> str:
    one = hit.entry
    size = f"{one.size_mm:.0f} mm" if one.size_mm is not None else "size unknown"
    parts = [one.lesion_type.replace("_", " "), one.organ or "no organ", one.phase or "phase unknown", size]
    note = "; nearly identical, perhaps the same lesion" if hit.near_duplicate else ""
    return f"{hit.similarity:.3f}  {', '.join(parts)} ({one.label_source}; {one.id}){note}"


def _opinion(opinion: Vote | None) -> str:
    if opinion is None:
        return "No vote: the lesions were chosen by their type."
    if opinion.state != "voted":
        return f"No vote: {opinion.reason}."
    shares = ", ".join(f"{name.replace('_', ' ')} {100 * p:.0f} %" for name, p in opinion.probabilities.items())
    far = "" if opinion.in_distribution else " The lesion is unlike those of the base, so the vote says little."
    return f"Vote of {opinion.neighbours} lesions of {opinion.patients} patients, no diagnosis: {shares}.{far}"


def _json(hits: list[Hit], opinion: Vote | None, *, known: bool) -> str:
    from tools.types import canonical_json  # noqa: PLC0415

    return canonical_json(
        {
            "hits": [
                {**hit.entry.model_dump(), "similarity": hit.similarity, "near_duplicate": hit.near_duplicate}
                for hit in hits
            ],
            "vote": opinion.model_dump() if opinion is not None else None,
            "patient_excluded": known,
        }
    )


def _say(line: str) -> None:
    Console(highlight=False, soft_wrap=True).print(printable(line, 2000), markup=False)
