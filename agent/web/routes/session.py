"""Whether a token is needed, and signing in with it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.interpret import MAX_CHARACTERS
from agent.report_model import RESEARCH_USE
from agent.web.access import COOKIE, SESSION_SECONDS
from agent.web.routes.deps import PartsOf
from agent.web.shapes import DECLARED_PHASES
from agent.web.windows import WINDOWS, Window
from tools.segment.class_maps import known_class_maps

router = APIRouter(prefix="/api", tags=["session"])


class Limits(BaseModel):
    """What is refused beyond these."""

    upload_bytes: int
    question_chars: int


class Status(BaseModel):
    """What anybody may know of the server; `model` only who is signed in."""

    version: str
    needs_token: bool
    signed_in: bool
    notice: str
    model: str | None
    limits: Limits


class SignIn(BaseModel):
    """The server's token."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=1024)]


class Options(BaseModel):
    """What may be declared when a scan is opened, and windows to look at it."""

    phases: list[str]
    class_maps: list[str]
    window_presets: list[Window]


@router.get("/status")
async def status(request: Request, at: PartsOf) -> Status:
    """Version, limits, and whether a token is needed; needs none itself."""
    signed_in = at.access.known(request.headers)
    return Status(
        version=version("tumortrace"),
        needs_token=at.access.needed,
        signed_in=signed_in,
        notice=RESEARCH_USE,
        model=at.config.model if signed_in else None,
        limits=Limits(upload_bytes=at.config.upload_bytes, question_chars=MAX_CHARACTERS),
    )


@router.post("/session", status_code=204)
def sign_in(request: Request, response: Response, asked: SignIn, at: PartsOf) -> None:
    """Show the token once, for a cookie that stands for it."""
    value = at.access.sign_in(asked.token)
    response.set_cookie(
        COOKIE, value, max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


@router.delete("/session", status_code=204)
def sign_out(response: Response) -> None:
    """Take the cookie away."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


@router.get("/options")
def options() -> Options:
    """What may be declared about a scan."""
    return Options(phases=list(DECLARED_PHASES), class_maps=list(known_class_maps()), window_presets=list(WINDOWS))
