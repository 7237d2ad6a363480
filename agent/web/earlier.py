"""Reports that reviews spoke of: kept as they were written, beside the one that the run has now."""

from __future__ import annotations

import json
from html import escape
from typing import Literal

from fastapi.responses import Response

from agent.report import render_html, render_markdown
from agent.report_model import Report
from agent.review_run import kept_report_name
from agent.runs import RunFolder
from agent.web.faults import Refused, missing

MOST_REPORT_BYTES = 256 << 20
_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "md": "text/markdown; charset=utf-8"}
_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def earlier_report(folder: RunFolder, review: int, kind: Literal["html", "json", "md"], *, download: bool) -> Response:
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
    if kept.stat().st_size > MOST_REPORT_BYTES:
        raise Refused(413, "too_large", "The run's report is too large to be sent: look at it on the server's machine.")
    text = kept.read_text(encoding="utf-8")
    if kept != path:
        # Runs of earlier versions kept the data only; their pictures may be those of the report after it.
        report = Report.model_validate_json(text)
        text = render_html(report, {}) if kind == "html" else render_markdown(report)
    # Where it lies on the server's disk is nobody's business: reports that nobody attended tell it.
    for form in {str(folder.folder), escape(str(folder.folder)), json.dumps(str(folder.folder))[1:-1]}:
        text = text.replace(f"{form}/", "")
    headers = {"Content-Security-Policy": _CSP}
    if download:
        headers["Content-Disposition"] = f'attachment; filename="tumortrace-{folder.id}-before-review-{review}.{kind}"'
    return Response(text, media_type=_TYPES[kind], headers=headers)
