"""Errors as one JSON object with one sentence, whatever went wrong."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.errors import IntegrityError, ModelUnavailable, SeriesChoiceError, TumorTraceError
from agent.trace_view import printable
from agent.web.safe_headers import make_safe

_LONGEST = 1000
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
_QUOTED = re.compile(r"(?<=')/(?:[^'/]+/)+(?=[^'/]*')")
_FOLDERS = re.compile(r"(?<![\w:/.])/(?:[^'/\s]+/)+")
_UNPROCESSABLE = 422
_AWAY = 503
_NOTHING = 404
_CODES = {
    400: "bad_request", 401: "token_needed", 403: "refused", 404: "not_found", 405: "method_not_allowed",
    408: "too_slow", 409: "busy", 413: "too_large", 415: "wrong_type", 422: "bad_input", 429: "queue_full",
}  # fmt: skip


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        code: short name for programs.
        message: one sentence for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def missing(what: str) -> Refused:
    """There is no such thing."""
    return Refused(404, "not_found", f"There is no such {what}: it may have been deleted; list what there is.")


def without_folders(text: str) -> str:
    """A text in which paths are names only: where things lie on the server's machine is nobody's business."""
    return _FOLDERS.sub("", _QUOTED.sub("", text))


def told(error: TumorTraceError) -> dict[str, Any]:
    """An error of ours as data: code, message and, where there is one, the choice of series."""
    code = "model_away" if isinstance(error, ModelUnavailable) else "bad_input"
    if isinstance(error, IntegrityError):
        code = "changed"
    # Nobody here typed an option of the command line.
    message = without_folders(_OPTION.sub(lambda found: found.group(1).replace("-", " "), str(error)))
    data: dict[str, Any] = {"code": code, "message": printable(message, _LONGEST)}
    if isinstance(error, SeriesChoiceError):
        data["code"] = "series_choice"
        data["series"] = {printable(uid, 100): printable(line, 300) for uid, line in error.series.items()}
    return data


def answer(status: int, code: str, message: str, **more: object) -> JSONResponse:
    """The one form of an error."""
    return JSONResponse({"error": {"code": code, "message": message, **more}}, status)


def add_handlers(app: FastAPI) -> None:
    """Let every error of ours, and every refusal, end in that form; programming errors surface in the log."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        return answer(error.status, error.code, str(error))

    async def ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, TumorTraceError)
        status = _AWAY if isinstance(error, ModelUnavailable) else _UNPROCESSABLE
        return JSONResponse({"error": told(error)}, status)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer(_UNPROCESSABLE, "bad_input", _sentence(error))

    async def plain(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        reason = "There is nothing at this address" if error.status_code == _NOTHING else str(error.detail)
        response = answer(error.status_code, _CODES.get(error.status_code, "refused"), f"{reason.rstrip('.')}.")
        response.headers.update(error.headers or {})
        return response

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        # Starlette raises it on after this, so that the server's log has the traceback.
        response = answer(500, "unexpected", "Something unexpected happened in the server; its log says what.")
        # This one is made outside of the guard.
        make_safe(response.headers, request.url.path)
        return response

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(TumorTraceError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unexpected)


def _sentence(error: RequestValidationError) -> str:
    """The first thing that is wrong with a request, by where it is; what was sent is not sent back."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first.get("loc", ()) if part not in {"body", "query", "path"})
    where = printable(where, 100) or "the request"
    what = printable(str(first.get("msg", "is not valid")), 300).rstrip(".")
    return f"{where}: {what[:1].lower()}{what[1:]}."
