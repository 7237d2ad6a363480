"""A server that answers any bytes to anything, for what the scripted one never says."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from agent.models.client import Client
from agent.models.endpoint import Endpoint

Answer = tuple[int, bytes, dict[str, str]]
"""Status, body and headers."""


class RawServer:
    """The server; as a context manager it runs within the block.

    Args:
        answer: what to say to a request for a path.

    Attributes:
        headers: of the requests so far.
    """

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.headers: list[dict[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
                """Silent."""

            def do_GET(self) -> None:
                owner.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.rfile.read(int(self.headers.get("content-length", "0")))
                status, body, further = answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **further}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the library's own name

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def client(self, **settings: object) -> Client:
        """A client of it that tries nothing twice."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        few = {"url": url, "timeout_s": 20.0, "wait_s": 0.0, "retries": 0, "samples": 1}
        return Client(Endpoint.model_validate({**few, **settings}), first_pause=0.01)

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
