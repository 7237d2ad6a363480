"""Reports that reviews spoke of: kept as they were written, beside the one that the run has now."""

from __future__ import annotations

from fastapi.responses import Response

from agent.report import render_html, render_markdown
from agent.report_model import Report
from agent.review_run import kept_report_name
from agent.runs import RunFolder
from agent.web.faults import missing
from agent.web.report_files import ReportKind, check_size, sent


def earlier_report(folder: RunFolder, review: int, kind: ReportKind, *, download: bool) -> Response:
    """The report that a review spoke of.

    Args:
        folder: of the run.
        review: number of the review, from 1.
        kind: form of the report.
        download: as a file to be saved.

    Raises:
        Refused: there is none, or it is too large.
    """
    data, path = (folder.folder / kept_report_name(review - 1, form) for form in ("json", kind))
    kept = path if path.is_file() else data
    if not kept.is_file():
        raise missing("earlier report of this run")
    check_size(kept)
    text = kept.read_text(encoding="utf-8")
    if kept != path:
        # Runs of earlier versions kept the data only; their pictures may be those of the report after it.
        report = Report.model_validate_json(text)
        text = render_html(report, {}) if kind == "html" else render_markdown(report)
    return sent(text, kind, folder.folder, f"tumortrace-{folder.id}-before-review-{review}" if download else None)
