"""Files of a report as answers to a request."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Literal

from fastapi.responses import Response

from agent.web.faults import Refused

ReportKind = Literal["html", "json", "md"]
MOST_REPORT_BYTES = 256 << 20
_TYPES: dict[ReportKind, str] = {
    "html": "text/html; charset=utf-8", "json": "application/json", "md": "text/markdown; charset=utf-8",
}  # fmt: skip
_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def check_size(path: Path) -> None:
    """Refuse a report that is too large to be sent; one that is not there is somebody else's matter.

    Raises:
        Refused: it is too large.
    """
    if path.is_file() and path.stat().st_size > MOST_REPORT_BYTES:
        raise Refused(413, "too_large", "The run's report is too large to be sent: look at it on the server's machine.")


def sent(text: str, kind: ReportKind, folder: Path, name: str | None) -> Response:
    """A report's text as an answer.

    Args:
        text: of the file.
        kind: form of the report.
        folder: of the run; where it lies on the server's disk is nobody's business, and older reports tell it.
        name: of the file to be saved, without its ending; None to look at it.
    """
    for form in {str(folder), escape(str(folder)), json.dumps(str(folder))[1:-1]}:
        text = text.replace(f"{form}/", "")
    headers = {"Content-Security-Policy": _CSP}
    if name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return Response(text, media_type=_TYPES[kind], headers=headers)
