"""Headers of every answer, with which a browser keeps other sites and injected scripts away from it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

DATA = ("/api/", "/v1/")
"""Beginnings of the paths that hold data; all others are the page's own files."""
_CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def make_safe(headers: MutableHeaders, path: str) -> None:
    """Add what the answer to a request for a path does not say itself."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if path.startswith(DATA):
        headers.setdefault("Cache-Control", "no-store")
