"""Runs that have their report, as clients see them: read from the run's own files, which are the record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pydantic
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from agent.engine import Engine
from agent.places import Place, place_of
from agent.report_model import EvidenceOut, Report
from agent.report_pathology import about_rows
from agent.report_status import status_shown
from agent.review_model import Decision, claims_of
from agent.runs import RunFolder, Runs
from agent.trace import verify
from agent.web.faults import Refused, missing, without_folders
from agent.web.latest import Latest
from agent.web.report_files import ReportKind, check_size, sent
from agent.web.run_shapes import ClaimRef, RunOut, RunRow
from agent.web.scans import Scans
from agent.web.steps import Step, steps_of
from agent.web.work import Work
from agent.wording import describe
from tools.base import Case
from tools.types import Evidence
from tools.volume import LabelSet

_REPORTS_KEPT = 32
_MASKS_KEPT = 8
_NAME = re.compile(r"[\w-]{1,100}\.png", re.ASCII)


class EvidenceView(BaseModel):
    """Evidence with its sentence and, where there is one, its place in the image."""

    id: str
    text: str
    evidence: EvidenceOut
    place: Place | None


class TraceCheck(BaseModel):
    """Whether a trace and the files beside it are as they were written."""

    ok: bool
    events: int
    problems: list[str]


class RunView:
    """Reads runs.

    Args:
        engine: which made them.
        work: knows where they stand.
        scans: their scans.
        room: bytes that the masks of runs may take in memory.
    """

    def __init__(self, engine: Engine, work: Work, scans: Scans, room: int) -> None:
        self._engine = engine
        self._work = work
        self._scans = scans
        self._reports: Latest[Report] = Latest(_REPORTS_KEPT)
        self._masks: Latest[LabelSet | None] = Latest(_MASKS_KEPT, room, _weight)

    def out(self, row: RunRow) -> RunOut:
        """A run with its report, if it has one."""
        fields = row.model_dump()
        if row.state != "done":
            return RunOut(**fields)
        report = self._report(row)
        data = report.model_dump(mode="json", by_alias=True)
        # Where it lies on the server's disk is nobody's business.
        data["trace"] = f"/api/runs/{row.id}/trace"
        claims = [ClaimRef(id=one.id, where=one.where, index=one.index) for one in claims_of(report)]
        choices = list(dict.fromkeys(choice for answer in report.answers for choice in answer.choices))
        return RunOut(
            **fields, report=data, claims=claims, next=self._work.suggested(row.id), choices=choices, reviewable=True,
            shown=status_shown(report), pathology_of=about_rows(report),
        )  # fmt: skip

    @contextmanager
    def case(self, run: str) -> Iterator[Case]:
        """The scan of a run with the masks that the run ended with.

        Raises:
            Refused: the run is not known or has no report, or its scan is not open.
        """
        row = self._done(run)
        with self._scans.lease(row.scan) as lease:
            key = (row.scan, run, row.ended or "")
            masks = self._masks.get(key, lambda: self._engine.case_of(lease.case, run).labels)
            yield replace(lease.case, labels=masks)

    def let_go(self, scan: str) -> None:
        """Hold nothing of a scan that was closed: what was worked out from masks may lead to its voxels."""
        self._masks.drop(scan)

    def evidence(self, run: str, ident: str) -> EvidenceView:
        """One piece of evidence of a run.

        Raises:
            Refused: there is no such run or evidence.
        """
        report = self._report(self._done(run))
        if ident not in report.evidence:
            raise missing("piece of evidence")
        every = {name: Evidence(id=name, **one.model_dump()) for name, one in report.evidence.items()}
        place = None
        try:
            with self.case(run) as case:
                place = place_of(every[ident], case, every)
        except Refused as refused:
            if refused.code != "not_ready":
                raise
        return EvidenceView(
            id=ident, text=describe(every[ident], every).text, evidence=report.evidence[ident], place=place
        )

    def report(self, run: str, kind: ReportKind, *, download: bool) -> Response:
        """The report.

        Raises:
            Refused: there is none.
        """
        self._done(run)
        folder = self._folder(run)
        path = {"html": folder.report_html, "json": folder.report_json, "md": folder.report_md}[kind]
        if not path.is_file():
            raise missing("file of this run")
        check_size(path)
        return sent(path.read_text(encoding="utf-8"), kind, folder.folder, f"tumortrace-{run}" if download else None)

    def image(self, run: str, name: str) -> FileResponse:
        """A picture of the report.

        Raises:
            Refused: there is none of that name.
        """
        if not _NAME.fullmatch(name):
            raise missing("picture")
        self._done(run)
        return _file(self._folder(run).images / name, "image/png", None)

    def trace(self, run: str, *, download: bool) -> FileResponse:
        """The trace's file.

        Raises:
            Refused: there is none.
        """
        self._work.row(run)
        return _file(
            self._folder(run).trace, "application/x-ndjson", f"tumortrace-{run}-trace.jsonl" if download else None
        )

    def check(self, run: str) -> TraceCheck:
        """Verify the trace and the files beside it.

        Raises:
            Refused: there is no such run.
        """
        self._work.row(run)
        secret = self._engine.settings.trace_key
        key = secret.get_secret_value().encode() if secret is not None else None
        found = verify(self._folder(run).trace, key)
        problems = [without_folders(str(one)) for one in found.problems]
        if found.incomplete and not problems:
            problems = ["the run has not ended"]
        return TraceCheck(ok=found.ok, events=found.events, problems=problems)

    def steps(self, run: str) -> list[Step]:
        """What happened in a run, from its trace."""
        return steps_of(self._folder(run).trace)

    def check_decision(self, run: str, decision: Decision) -> None:
        """Refuse a decision on a claim that the report does not make.

        Raises:
            Refused: it is about no claim of the run.
        """
        report = self._report(self._done(run))
        known = {one.id for one in claims_of(report)}
        if decision.about is not None and decision.about not in known:
            raise Refused(422, "bad_input", "The report makes no such claim: name one of its claims, or none.")

    def _done(self, run: str) -> RunRow:
        row = self._work.row(run)
        if row.state != "done":
            raise Refused(409, "not_ready", f"This run has no report: it is {row.state}.")
        return row

    def _report(self, row: RunRow) -> Report:
        def read() -> Report:
            path = self._folder(row.id).report_json
            try:
                check_size(path)
                return Report.model_validate_json(path.read_bytes())
            except (OSError, pydantic.ValidationError) as error:
                raise Refused(
                    409, "damaged", "The report of this run is missing or was changed; its trace check tells more."
                ) from error

        return self._reports.get((row.id, row.ended or ""), read)

    def _folder(self, run: str) -> RunFolder:
        return Runs(self._engine.settings.home).find(run, begun=False)


def _weight(masks: LabelSet | None) -> int:
    return sum(layer.nbytes for layer in masks.layers) if masks is not None else 0


def _file(path: Path, kind: str, name: str | None) -> FileResponse:
    if not path.is_file():
        raise missing("file of this run")
    return FileResponse(path, media_type=kind, filename=name)
