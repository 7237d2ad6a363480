"""``tumortrace serve``: chat about scans in the browser, and the same over HTTP."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console

from agent.commands import options as o
from agent.engine import Engine
from agent.engines import everywhere, workshop
from agent.errors import UsageError
from agent.library import library
from agent.settings import Settings
from agent.web.config import DEFAULT_PORT, GIB, LONGEST_TOKEN, MIB, ServeConfig, check_token

_GRACE_SECONDS = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    roots: Annotated[
        list[Path] | None, typer.Argument(help="Folders whose scans may be opened; without any, scans are uploaded.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 for any that is free.")] = DEFAULT_PORT,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token that clients have to show.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Further host name by which browsers reach it; repeatable.")
    ] = None,
    model: o.ModelOption = "embedded",
    segment: o.SegmentOption = None,
    index: o.IndexOption = None,
    prepare: Annotated[
        bool, typer.Option(help="Let segmentation engines look at a scan without labels before anybody asks.")
    ] = True,
    runs: Annotated[int, typer.Option("--runs", min=1, max=64, help="Questions answered at once.")] = 2,
    queue: Annotated[int, typer.Option("--queue", min=1, max=10_000, help="Questions that may wait.")] = 200,
    memory: Annotated[float, typer.Option("--memory", min=0.1, help="GiB that opened scans may take.")] = 4.0,
    upload: Annotated[float, typer.Option("--upload", min=1, help="MiB of the largest upload.")] = 2048.0,
    uploads: Annotated[float, typer.Option("--uploads", min=0.01, help="GiB of all uploads together.")] = 20.0,
    volumes: Annotated[
        float, typer.Option("--volumes", min=0, help="GiB of volumes for the viewer that are kept in the cache.")
    ] = 5.0,
) -> None:
    """Serve the page and the HTTP API; the address is printed once it answers. Ctrl-C ends it.

    The token may be given by TUMORTRACE_TOKEN instead of a file.
    """
    settings = Settings()
    token = check_token(_token(token_file), host)
    folders = tuple(_folder(one) for one in roots or ())
    config = ServeConfig(
        host=host, port=port, token=SecretStr(token) if token is not None else None, hosts=tuple(name or ()),
        roots=folders, state=settings.home.expanduser().absolute() / "server", upload_bytes=int(upload * MIB),
        uploads_bytes=int(uploads * GIB), volumes_bytes=int(volumes * GIB), memory_bytes=int(memory * GIB), runs=runs,
        queue=queue, model=model, prepare=prepare,
    )  # fmt: skip
    engine = Engine(
        settings, o.choose_model(model), workshop=workshop(settings, segment),
        look_everywhere=everywhere(settings, segment), library=library(settings, index),
    )  # fmt: skip
    run(config, engine)


def run(config: ServeConfig, engine: Engine) -> None:
    """Listen until interrupted.

    Raises:
        UsageError: the address cannot be listened on, or the records cannot be used.
    """
    import uvicorn  # noqa: PLC0415  (with the web framework only where there is a server)

    from agent.web.app import build_app, build_parts  # noqa: PLC0415
    from agent.web.slow import PunctualProtocol  # noqa: PLC0415

    with _listen(config) as listening:
        parts = build_parts(config, engine)
        app = build_app(parts)

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # Before the wait for what is open: a stream is open for as long as its run works.
                parts.work.stop()
                await super().shutdown(sockets)

        host, port = listening.getsockname()[:2]
        Console(stderr=True, highlight=False).print(
            f"TumorTrace answers at http://{f'[{host}]' if ':' in host else host}:{port}/ (Ctrl-C ends it). "
            "For research use only.",
            markup=False, soft_wrap=True,
        )  # fmt: skip
        Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                # The parser whose limit on headers is set below, whatever else is installed.
                http=PunctualProtocol,
                ws="none",
                server_header=False,
                date_header=True,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                h11_max_incomplete_event_size=32 * 1024,
                proxy_headers=False,
                limit_concurrency=1000,
            )
        ).run(sockets=[listening])


def _listen(config: ServeConfig) -> socket.socket:
    try:
        # Bound here, so that a port in use is one sentence, and a free one is known before the server runs.
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        made = socket.create_server((config.host, config.port), family=family, backlog=256)
        # Its connections inherit this; else every small answer waits 40 ms for the client's delayed acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    except (OSError, UnicodeError) as error:  # the latter of names that no host can have
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"The server cannot listen on {config.host} port {config.port} ({why}): choose another "
            "with --host or --port."
        ) from error


def _token(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get("TUMORTRACE_TOKEN") or None
    try:
        with path.expanduser().open(encoding="utf-8") as file:
            return file.read(LONGEST_TOKEN + 2).strip()
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or ("it is no UTF-8 text" if isinstance(error, ValueError) else error)
        raise UsageError(
            f"The token file {str(path)[:200]} cannot be read ({why}): give a text file with the token."
        ) from error


def _folder(path: Path) -> Path:
    try:
        real = path.expanduser().resolve(strict=True)
        if real.is_dir():
            os.scandir(real).close()
    except (OSError, ValueError, RuntimeError) as error:  # the last of a home folder or a loop of links
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"The folder {str(path)[:200]} cannot be used ({why}): give folders (or files) whose scans may be opened."
        ) from error
    return real
