"""A real HTTP server with the OpenAI chat API, whose answers come from a Python function.

For tests and for the honesty suite: adversaries and every fault of a server, over real HTTP and without a model. Its
token counts are a quarter of the characters; its prefix cache is exact, in blocks of 16 tokens.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from evals.serving.bodies import CHARACTERS_PER_TOKEN, events, usage_of, whole
from evals.serving.replies import Reply, Script, always

BLOCK = 16
MAX_REQUEST_BYTES = 64 * 2**20


class ScriptedServer:
    """The server; as a context manager it runs within the block.

    Args:
        script: gives the reply to each chat request.
        name: name of the model.
        port: its port; 0 for a free one, which stays the same over `stop` and `start`.
        key: bearer token that it asks for.
        names: names of further models.
        context: longest prompt and answer, in tokens.
        sees: whether it takes images.

    Attributes:
        requests: bodies of the chat requests so far, in order.
        headers: headers of each of them.
        most: most chat requests that it worked on at once.
        errors: what the script raised; the first is raised again at the end of the block.
    """

    def __init__(
        self,
        script: Script | Reply,
        *,
        name: str = "scripted",
        port: int = 0,
        key: str | None = None,
        names: tuple[str, ...] = (),
        context: int = 32768,
        sees: bool = True,
    ) -> None:
        self.script = always(script) if isinstance(script, Reply) else script
        self.names = (name, *names)
        self.port = port
        self.key = key
        self.context = context
        self.sees = sees
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most = 0
        self.queried = self.hit = 0
        self.errors: list[Exception] = []
        self.stopping = Event()
        self._lock = Lock()
        self._now = 0
        self._seen: list[str] = []
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen, in a thread of its own."""
        self.stopping.clear()
        self._server = _Server(("127.0.0.1", self.port), self)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection, like a server that was killed."""
        self.stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.cut()
            self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None and self.errors:
            raise self.errors[0]

    def begin(self, request: dict[str, Any], headers: dict[str, str]) -> None:
        """Count a chat request in."""
        with self._lock:
            self.requests.append(request)
            self.headers.append(headers)
            self._now += 1
            self.most = max(self.most, self._now)

    def end(self) -> None:
        """Count it out."""
        with self._lock:
            self._now -= 1

    def read(self, prompt: str) -> tuple[int, int]:
        """Tokens of a prompt, and how many of them are in the prefix cache."""
        with self._lock:
            shared = max((_shared(prompt, other) for other in self._seen), default=0)
            self._seen.append(prompt)
            tokens = max(1, len(prompt) // CHARACTERS_PER_TOKEN)
            cached = min(shared // CHARACTERS_PER_TOKEN, tokens - 1) // BLOCK * BLOCK
            self.queried += tokens
            self.hit += cached
        return tokens, cached


def _shared(one: str, other: str) -> int:
    """Length of the longest common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: ScriptedServer) -> None:
        super().__init__(address, _Handler)
        self.owner = owner
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error of ours; anything else is one of the script's, which the test must see."""

    def cut(self) -> None:
        """Close all connections."""
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        """Silent."""

    def do_GET(self) -> None:
        owner = self.server.owner
        if self.path == "/health":
            self._send(200, b"", "text/plain")
        elif self.path == "/metrics":
            model = f'{{model_name="{owner.names[0]}"}}'
            counts = {"queries": owner.queried, "hits": owner.hit}
            lines = [f"vllm:prefix_cache_{name}_total{model} {count}.0\n" for name, count in counts.items()]
            self._send(200, "".join(lines).encode(), "text/plain")
        elif not self._allowed():
            self._error(401, "invalid api key")
        elif self.path == "/v1/models":
            models = [{"id": name, "object": "model", "max_model_len": owner.context} for name in owner.names]
            self._json({"object": "list", "data": models})
        else:
            self._error(404, "no such page")

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", "0"))
        if size > MAX_REQUEST_BYTES:
            self.close_connection = True
            return self._error(413, "too large")
        body = self.rfile.read(size)
        if not self._allowed():
            return self._error(401, "invalid api key")
        if self.path != "/v1/chat/completions":
            return self._error(404, "no such page")
        request = json.loads(body)
        owner = self.server.owner
        owner.begin(request, {name.lower(): value for name, value in self.headers.items()})
        try:
            return self._chat(request, owner)
        finally:
            owner.end()

    def _chat(self, request: dict[str, Any], owner: ScriptedServer) -> None:
        if request.get("model") not in owner.names:
            return self._error(404, f"the model {request.get('model')} does not exist")
        prompt = json.dumps(request.get("messages"), ensure_ascii=False)
        if not owner.sees and '"image_url"' in prompt:
            return self._error(400, "this model is not a multimodal model")
        try:
            reply = owner.script(request)
        except Exception as error:  # noqa: BLE001 - a mistake in a script surfaces when the server is left
            owner.errors.append(error)
            return self._error(500, "the script failed")
        if owner.stopping.wait(reply.delay):
            self.close_connection = True
            return None
        if reply.status != 200:
            return self._error(reply.status, f"scripted fault {reply.status}", reply.retry_after)
        tokens, cached = owner.read(prompt)
        if tokens + int(request.get("max_tokens") or 1) > owner.context:
            return self._error(400, f"This model's maximum context length is {owner.context} tokens.")
        return self._answer(request, reply, usage_of(request, reply, tokens, cached))

    def _answer(self, request: dict[str, Any], reply: Reply, usage: dict[str, Any] | None) -> None:
        if request.get("stream") and reply.body is None:
            self._head(200, "text/event-stream", None)
            self._pieces(events(request, reply, usage), reply)
            return
        body = reply.body if reply.body is not None else whole(request, reply, usage)
        self._head(200, "application/json", None if reply.endless else len(body))
        if reply.endless:
            self._pieces(iter(lambda: b" " * 4096, b""), reply)
            return
        step = reply.piece if reply.pause or reply.drop is not None else max(1, len(body))
        self._pieces((body[start : start + step] for start in range(0, len(body), step)), reply, chunked=False)

    def _pieces(self, pieces: Iterator[bytes], reply: Reply, *, chunked: bool = True) -> None:
        sent = 0
        for piece in pieces:
            if reply.drop is not None and sent + len(piece) > reply.drop:
                self.wfile.write(piece[: reply.drop - sent])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            self.wfile.flush()
            sent += len(piece)
            if self.server.owner.stopping.wait(reply.pause) if reply.pause else self.server.owner.stopping.is_set():
                self.close_connection = True
                return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _allowed(self) -> bool:
        key = self.server.owner.key
        return key is None or self.headers.get("authorization") == f"Bearer {key}"

    def _error(self, status: int, message: str, retry_after: str | None = None) -> None:
        body = {"error": {"message": message, "type": "error", "code": status}}
        self._send(status, json.dumps(body).encode(), "application/json", retry_after)

    def _json(self, data: Any) -> None:
        self._send(200, json.dumps(data).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, retry_after: str | None = None) -> None:
        self._head(status, kind, len(body), retry_after)
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int | None, retry_after: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
