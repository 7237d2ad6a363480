"""The page as a person uses it: the steps that several tests take, and what the viewer shows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Request

PATIENCE = 120.0
"""Seconds; the image is drawn by software here."""
_NUMBER = re.compile(r"^[\d.,]+")


@dataclass
class Heard:
    """What a page did besides what it shows.

    Attributes:
        errors: what it wrote to the console as error or warning, and what it threw.
        foreign: addresses on other hosts that it asked for.
        expected: parts of messages that a test provokes: a refused request is told on the console by the browser.
    """

    base: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def listen(self, page: Page) -> None:
        """Hear a page from its beginning."""
        page.on("console", self._said)
        page.on("pageerror", lambda thrown: self.errors.append(str(thrown)))
        page.on("request", self._asked)

    def _said(self, said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            self.errors.append(said.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base, "blob:", "data:")):
            self.foreign.append(request.url)

    def unexpected(self) -> list[str]:
        """Messages that nobody provoked; the drawing library of this machine's software renderer may warn."""
        known = (*self.expected, "GL Driver Message", "swiftshader", "SwiftShader")
        return [said for said in self.errors if not any(part in said for part in known)]


class Driver:
    """A person at the page.

    Args:
        page: the page.
        base: the server's address, without a slash at its end.
    """

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base

    def go(self, path: str = "/") -> None:
        """Open the page, and wait until it is built."""
        self.page.goto(self.base + path)
        self.until(lambda: self.page.evaluate("() => 'tumortrace' in window"), "the page is built")

    def at(self, name: str) -> Locator:
        """What a test id names."""
        return self.page.get_by_test_id(name)

    def viewer(self) -> dict[str, Any]:
        """State of the viewer."""
        found: dict[str, Any] = self.page.evaluate("() => window.tumortrace.viewer.state()") or {}
        return found

    def until(self, holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something holds (the page's own policy keeps Playwright's waiting for functions out)."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
            self.page.wait_for_timeout(50)

    def open_scan(self, name: str) -> None:
        """Open a scan of the list with the labels beside it."""
        self.at("open").click()
        self.page.locator(".source", has_text=name).locator("input").first.check()
        self.at("open-confirm").click()
        self.until(lambda: self.viewer().get("hu") is not None, "the image is there")

    def ask(self, question: str) -> Locator:
        """Ask, and wait for the answer."""
        before = self.at("turn").count()
        self.at("question").fill(question)
        self.page.keyboard.press("Enter")
        turn = self.at("turn").nth(before)
        turn.get_by_test_id("report").wait_for(timeout=PATIENCE * 1000)
        return turn

    def value(self, turn: Locator) -> Locator:
        """The chip of an answer that bears its number."""
        return turn.get_by_test_id("answer").get_by_test_id("evidence-chip").filter(has_text=_NUMBER).first

    def canvas(self) -> bytes:
        """A picture of the viewer's canvas."""
        return self.at("canvas").screenshot()

    def keep(self, folder: Path | None, name: str) -> None:
        """A picture for people, where they want one."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=folder / f"{name}.png")
