"""Where a served model is and how it is to be asked: the command line, the environment and a file, in this order."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr

from agent.errors import UsageError

PREFIX = "TUMORTRACE_MODEL_"
FILE = f"{PREFIX}FILE"
MAX_FILE_BYTES = 64 * 2**10
_OURS = {"model", "messages", "n", "stream", "stream_options", "response_format", "seed", "temperature", "max_tokens"}
_FORM = "an address such as http://127.0.0.1:8000/v1 or, with the model's name, http://127.0.0.1:8000/v1#NAME"


def _address(url: str) -> str:
    """An address without anything that doesn't belong into it.

    Raises:
        ValueError: where it is none, or holds a name and password.
    """
    if not url.isprintable() or " " in url or len(url) > 2000:
        raise ValueError(f"it is not {_FORM}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"it is not {_FORM}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(f"it is not {_FORM}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"it holds a name or password; set {PREFIX}KEY instead")
    if parts.query or parts.fragment:
        raise ValueError("it holds more than the address of the API")
    if not parts.path.strip("/"):
        raise ValueError("it names no path; most servers have their API under /v1")
    return url.rstrip("/")


def _printable(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise ValueError("it is no name of a model")
    return name.strip()


def _sendable(key: SecretStr) -> SecretStr:
    """A key that a header can hold as it is."""
    text = key.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("a key is printable ASCII without white space at its ends")
    return key


def _object(value: object) -> object:
    """An object, or its text in JSON: an environment variable holds nothing else."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("it is not a JSON object") from None


def _further(extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
    ours = sorted(_OURS & set(extra))
    if ours:
        raise ValueError(f"it sets what the program sets itself ({', '.join(ours)})")
    return extra


class Endpoint(BaseModel):
    """A server with the OpenAI chat API, and how to use it.

    Attributes:
        url: address of the API, without a slash at the end.
        name: name of the model; None where the server has only one.
        key: secret sent as bearer token; it is never printed, logged or traced.
        timeout_s: longest time for one answer, from the request to its last byte.
        connect_s: longest time to reach the server.
        wait_s: how long to wait for a server that is away or busy.
        retries: how often an answer that broke off is asked for again.
        concurrency: requests at once, over all runs of a process.
        samples: answers asked for in parallel, for the vote.
        temperature: sampling temperature.
        seed: base of the sampling seed.
        max_tokens: longest answer, reasoning included.
        images: whether the model is shown pictures; "auto" asks the server once.
        critic: whether the model may object to conclusions, too.
        readings: whether the model reads every question, or only what the embedded interpreter doesn't understand.
        context_tokens: what the model can read; asked of the server where it is None.
        extra: further fields of every request, for what a certain server or model wants.
        price_in, price_out: price per million tokens read and written, in any currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_address)]
    name: Annotated[str, AfterValidator(_printable), Field(max_length=300)] | None = None
    key: Annotated[SecretStr, AfterValidator(_sendable)] | None = None
    timeout_s: float = Field(default=120, gt=0, le=3600)
    connect_s: float = Field(default=5, gt=0, le=300)
    wait_s: float = Field(default=60, ge=0, le=86400)
    retries: int = Field(default=4, ge=0, le=20)
    concurrency: int = Field(default=16, ge=1, le=1024)
    samples: int = Field(default=2, ge=1, le=16)
    temperature: float = Field(default=0.3, ge=0, le=2)
    seed: int = Field(default=0, ge=0, lt=2**31)
    max_tokens: int = Field(default=700, ge=16, le=131072)
    images: Literal["auto", "on", "off"] = "auto"
    critic: bool = False
    readings: Literal["needed", "both"] = "needed"
    context_tokens: int | None = Field(default=None, ge=256)
    extra: Annotated[dict[str, JsonValue], BeforeValidator(_object), AfterValidator(_further)] = Field(
        default_factory=dict
    )
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """The endpoint of ``URL`` or ``URL#NAME``, with settings from the environment and from a file.

        What the text says goes before the environment (``TUMORTRACE_MODEL_<NAME>``), and that before the TOML file
        that ``TUMORTRACE_MODEL_FILE`` names.

        Raises:
            UsageError: where the address or a setting cannot be used.
        """
        url, _, fragment = text.partition("#")
        given = {"url": url} | ({"name": unquote(fragment)} if fragment else {})
        try:
            return cls.model_validate(_file() | _environment() | given)
        except pydantic.ValidationError as error:
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            where = str(first["loc"][0]) if first["loc"] else ""
            why = first["msg"].removeprefix("Value error, ")
            if where == "url":
                raise UsageError(f"The model {_short(text)} cannot be used: {why}.") from None
            raise UsageError(f"The setting {where} of the model ({PREFIX}{where.upper()}) is wrong: {why}.") from None

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        host = urlsplit(self.url).hostname or ""
        return host in {"localhost", "::1"} or host.startswith("127.")

    @property
    def place(self) -> str:
        """The server's host and port, for messages."""
        return urlsplit(self.url).netloc


def _environment() -> dict[str, Any]:
    names = {name: os.environ.get(f"{PREFIX}{name.upper()}", "") for name in Endpoint.model_fields}
    return {name: value for name, value in names.items() if value}


def _file() -> dict[str, Any]:
    name = os.environ.get(FILE, "")
    if not name:
        return {}
    path = Path(name)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"The file {path} ({FILE}) is too large for settings of a model.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The file {path} ({FILE}) cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The parser's own words may repeat a line, and with it the key.
        raise UsageError(f"The file {path} ({FILE}) is not valid TOML.") from error


def _short(text: str) -> str:
    """What the user typed, without a password that may be in it."""
    shown = text if "@" not in text else f"…@{text.rpartition('@')[2]}"
    return repr(shown if len(shown) <= 100 else f"{shown[:100]}…")
