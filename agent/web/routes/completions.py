"""The chat completions API, so that existing chat clients can talk to a scan.

After OpenAI's API reference, "Chat" (create a completion, and its streamed form): the model's name chooses the scan,
the last user message is the question, and the user messages before it are its context. Answers carry the evidence's
sentences; sampling parameters are taken and have no effect.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from agent.web.faults import Refused
from agent.web.feed import Feed
from agent.web.routes.deps import Parts, PartsOf
from agent.web.run_shapes import RunOut
from agent.web.streams import PAUSE, EventStream, while_heard

router = APIRouter(prefix="/v1", tags=["chat completions"])

_LONGEST = 100_000
_MOST_MESSAGES = 200
_NOBODY = 499
"""Status of an answer that nobody waits for: "client closed request", as nginx's log has it."""
Text = Annotated[str, Field(max_length=_LONGEST)]


class Piece(BaseModel):
    """Part of a message; only text is read."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(max_length=40)]
    text: Text | None = None


class Message(BaseModel):
    """One message of the dialogue."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Piece], Field(max_length=50)] | None = None

    @property
    def text(self) -> str:
        """The words."""
        if isinstance(self.content, list):
            return " ".join(one.text for one in self.content if one.text)
        return self.content or ""


class CompletionAsk(BaseModel):
    """A request; what is not named here is taken and has no effect."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1, max_length=100)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=_MOST_MESSAGES)]
    stream: bool = False


class Model(BaseModel):
    """A scan that may be talked to."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "tumortrace"


class ModelList(BaseModel):
    """Scans that are open."""

    object: Literal["list"] = "list"
    data: list[Model]


class Choice(BaseModel):
    """The answer; there is always one."""

    index: int = 0
    message: dict[str, str]
    finish_reason: str = "stop"


class Completion(BaseModel):
    """An answer; `tumortrace` holds status, run and evidence for clients that know it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, int]
    tumortrace: dict[str, Any]


@router.get("/models")
def models(at: PartsOf) -> ModelList:
    """Scans that are open, as models."""
    return ModelList(data=[Model(id=f"scan:{one.id}") for one in at.scans.every() if one.state == "ready"])


@router.post("/chat/completions", response_model=Completion)
async def complete(asked: CompletionAsk, at: PartsOf, request: Request) -> Any:
    """Answer the last user message about the scan that the model names; who hangs up cancels the run."""
    scan = _scan(at, asked.model)
    said = [one.text.strip() for one in asked.messages if one.role == "user" and one.text.strip()]
    if not said:
        raise Refused(422, "bad_input", "There is no user message with text: ask a question about the scan.")
    row = await run_in_threadpool(at.work.ask_after, scan, said[-1], said[:-1])
    feed = at.work.feed(row.id)

    async def leave() -> None:
        if feed is not None:
            await run_in_threadpool(at.work.leave, row.id, feed)

    if asked.stream:
        return EventStream(_stream(at, row.id, feed, asked.model), leave)
    if feed is not None and not await while_heard(_ended(feed), request.receive):
        await leave()
        return Response(status_code=_NOBODY)
    run = await run_in_threadpool(_run, at, row.id)
    created = int(time.time())
    return Completion(
        id=f"chatcmpl-{run.id}", created=created, model=asked.model,
        choices=[Choice(message={"role": "assistant", "content": _words(run)})],
        usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, tumortrace=_more(run),
    )  # fmt: skip


async def _stream(at: Parts, run: str, feed: Feed | None, model: str) -> AsyncGenerator[bytes, None]:
    created = int(time.time())

    def chunk(delta: dict[str, str], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        data = {
            "id": f"chatcmpl-{run}", "object": "chat.completion.chunk", "created": created, "model": model,
            "choices": [choice], **more,
        }  # fmt: skip
        return _line(json.dumps(data, ensure_ascii=False))

    yield chunk({"role": "assistant", "content": ""})
    if feed is not None:
        async with aclosing(feed.watch()) as notes:
            async for note in notes:
                if note is None:
                    yield PAUSE
    try:
        found = await run_in_threadpool(_run, at, run)
    except Refused as refused:
        yield _line(json.dumps({"error": {"code": refused.code, "message": str(refused)}}))
    else:
        yield chunk({"content": _words(found)})
        yield chunk({}, "stop", tumortrace=_more(found))
    yield _line("[DONE]")


async def _ended(feed: Feed) -> None:
    async with aclosing(feed.watch()) as notes:
        async for _ in notes:
            pass


def _line(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def _scan(at: Parts, model: str) -> str:
    wanted = model.removeprefix("scan:")
    if any(one.id == wanted for one in at.scans.every()):
        return wanted
    raise Refused(404, "model_not_found", "The model's name chooses the scan: take one of the list of models.")


def _run(at: Parts, ident: str) -> RunOut:
    found = at.views.out(at.work.row(ident))
    if found.state != "done":
        error = found.error or {}
        code = str(error.get("code", found.state))
        raise Refused(503, code, str(error.get("message", f"The run was {found.state}.")))
    return found


def _words(run: RunOut) -> str:
    """What a chat client shows: the answer, its status, and what was not assessed."""
    report = run.report or {}
    answers = report.get("answers") or []
    order = report.get("said") or range(len(answers))
    parts = [str(answers[number]["text"]) for number in order]
    if not parts:
        parts = [str(one["text"]) for one in (*report.get("impression", ()), *report.get("findings", ()))]
    lines = [" ".join(parts)]
    if run.shown is not None and run.shown.tone != "consistent":
        lines.append(" ".join([f"Status: {run.shown.word}.", run.shown.meaning, *run.shown.reasons]))
    for title, name in (("Not assessed", "not_assessed"), ("Limitations", "limitations")):
        if report.get(name):
            lines.append(f"{title}: " + " ".join(str(one) for one in report[name]))
    lines.append(f"{report.get('notice', '')} Run {run.id}.")
    return "\n\n".join(lines)


def _more(run: RunOut) -> dict[str, Any]:
    report = run.report or {}
    return {
        "run": run.id, "status": run.status, "next": run.next, "choices": run.choices,
        "report": f"/api/runs/{run.id}/report", "answers": report.get("answers", []),
    }  # fmt: skip
