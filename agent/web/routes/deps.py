"""What the paths work with, handed over once when the server is put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from agent.engine import Engine
from agent.web.access import Access
from agent.web.config import ServeConfig
from agent.web.corrections import Corrections
from agent.web.database import Database
from agent.web.heavy import Heavy
from agent.web.lock import Lock
from agent.web.preparing import Preparing
from agent.web.run_view import RunView
from agent.web.scans import Scans
from agent.web.sources import Sources
from agent.web.uploads import Uploads
from agent.web.volumes import Volumes
from agent.web.work import Work


@dataclass(frozen=True)
class Parts:
    """Everything behind the paths.

    Attributes:
        config: addresses, folders and limits.
        engine: the one engine.
        access: who may come in.
        database: the server's records.
        sources: what may be opened.
        uploads: files that browsers sent.
        scans: what is open.
        volumes: voxels for the viewer.
        work: the queue of runs.
        views: runs that have their report.
        corrections: previews of corrected masks.
        preparing: lets engines look ahead.
        heavy: threads for paths that take long.
        lock: keeps other servers from the records.
    """

    config: ServeConfig
    engine: Engine
    access: Access
    database: Database
    sources: Sources
    uploads: Uploads
    scans: Scans
    volumes: Volumes
    work: Work
    views: RunView
    corrections: Corrections
    preparing: Preparing
    heavy: Heavy
    lock: Lock


def parts(request: Request) -> Parts:
    """The parts of the server that answers a request."""
    found = request.app.state.parts
    assert isinstance(found, Parts)
    return found


PartsOf = Annotated[Parts, Depends(parts)]
