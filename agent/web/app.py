"""Putting the server together: parts, paths, the page's files, and the guard around all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from agent.engine import Engine
from agent.web.access import Access
from agent.web.config import ServeConfig
from agent.web.corrections import Corrections
from agent.web.database import Database
from agent.web.faults import add_handlers
from agent.web.guard import Guard
from agent.web.heavy import Heavy
from agent.web.listening import first_questions
from agent.web.lock import Lock
from agent.web.preparing import Preparing
from agent.web.routes import completions, conversations, reviews, runs, scans, session
from agent.web.routes import sources as source_routes
from agent.web.routes.deps import Parts
from agent.web.run_view import RunView
from agent.web.scans import Scans
from agent.web.sources import Sources
from agent.web.uploads import Uploads
from agent.web.volumes import Volumes
from agent.web.work import Work

_SHARE = 4
"""What is held beside opened scans may take this part of their memory, each."""
_ABOUT = """Ask questions about a CT scan; every number in an answer traces to its evidence. For research use only.

Points are RAS+ world millimetres; boxes are half-open ranges of full-resolution voxels in the axis order closest to
RAS+. Every error is `{"error": {"code", "message"}}` with one sentence."""


def build_parts(config: ServeConfig, engine: Engine) -> Parts:
    """Everything behind the paths, made once.

    Raises:
        UsageError: the server's records cannot be used, or another server works with them.
    """
    lock = Lock(config.state)
    try:
        return _parts(config, engine, lock)
    except BaseException:
        lock.close()
        raise


def _parts(config: ServeConfig, engine: Engine, lock: Lock) -> Parts:
    database = Database(config.state / "server.sqlite")
    uploads = Uploads(config)
    uploads.clean()
    sources = Sources(config.roots, uploads.folder)
    opened = Scans(config, sources, database)
    work = Work(config, engine, opened, database)
    preparing = Preparing(engine, opened)
    opened.starters = lambda case: first_questions(engine, case)
    if config.prepare:
        opened.when_ready = preparing.begin
    views = RunView(engine, work, opened, config.memory_bytes // _SHARE)
    opened.when_closed = views.let_go
    volumes = Volumes(engine.settings.cache.expanduser().absolute(), config.volumes_bytes)
    return Parts(
        config=config, engine=engine, access=Access(config.secret), database=database, sources=sources,
        uploads=uploads, scans=opened, volumes=volumes, work=work, views=views,
        corrections=Corrections(config.memory_bytes // _SHARE), preparing=preparing, heavy=Heavy(), lock=lock,
    )  # fmt: skip


def build_app(parts: Parts) -> FastAPI:
    """The server as an ASGI application.

    Args:
        parts: what it works with; closed when the application ends.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        close_parts(parts)

    app = FastAPI(
        title="TumorTrace", version=version("tumortrace"), description=_ABOUT, lifespan=life, docs_url=None,
        redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.parts = parts
    add_handlers(app)
    for one in (session, source_routes, scans, conversations, runs, reviews, completions):
        app.include_router(one.router)
    static = Path(str(files("agent.web").joinpath("static")))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(static / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/docs", include_in_schema=False)
    def documentation() -> FileResponse:
        return FileResponse(static / "docs" / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=static), name="static")
    app.add_middleware(Guard, config=parts.config, access=parts.access)
    return app


def close_parts(parts: Parts) -> None:
    """Stop what runs, and close the records."""
    parts.heavy.close()
    parts.scans.close()
    parts.preparing.close()
    parts.work.close()
    parts.database.close()
    parts.lock.close()
