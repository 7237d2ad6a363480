"""A server, phantoms and a browser for the tests of the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from evals.phantom import make_phantom
from evals.phantom_io import write_phantom
from evals.phantom_options import LesionSpec, PhantomOptions
from tests.browser.page_driver import Driver, Heard

ARGUMENTS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox", "--disable-dev-shm-usage"]
SPACING = (5.0, 5.0, 5.0)


@dataclass(frozen=True)
class Server:
    """A running server."""

    base: str
    process: subprocess.Popen[str]


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two phantoms: one with two liver metastases and a cyst, one with none of them."""
    root = tmp_path_factory.mktemp("scans")
    many = (
        LesionSpec(type="liver_metastasis", diameter_mm=32, region="8"),
        LesionSpec(type="liver_metastasis", diameter_mm=22, region="3"),
        LesionSpec(type="kidney_cyst", diameter_mm=26, side="right"),
    )
    write_phantom(make_phantom(PhantomOptions(seed=11, spacing=SPACING, lesions=many)), root / "first")
    write_phantom(make_phantom(PhantomOptions(seed=4, spacing=SPACING, lesions=0)), root / "second")
    return root


@contextmanager
def serving(root: Path, state: Path, *arguments: str, token: str | None = None) -> Iterator[Server]:
    """The command that a user starts, until the block ends."""
    environment = {
        **os.environ, "TUMORTRACE_HOME": str(state / "home"), "TUMORTRACE_CACHE": str(state / "cache"),
        "TUMORTRACE_SEGMENT": "none", **({"TUMORTRACE_TOKEN": token} if token else {}),
    }  # fmt: skip
    command = [sys.executable, "-m", "agent.cli", "serve", str(root), "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"http://[^/]+", line)
            assert found, line + process.stderr.read()
            yield Server(found.group(0), process)
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that need no other."""
    with serving(scans, tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "there is no Chromium: make browser"
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def pages(browser: Browser) -> Iterator[Callable[[str], tuple[Driver, Heard]]]:
    """Makes pages, each of another person; afterwards none may have complained, or asked another host for anything."""
    made: list[tuple[Page, Heard]] = []

    def make(base: str) -> tuple[Driver, Heard]:
        context = browser.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
        page = context.new_page()
        heard = Heard(base)
        heard.listen(page)
        made.append((page, heard))
        return Driver(page, base), heard

    yield make
    for page, heard in made:
        assert heard.unexpected() == []
        assert heard.foreign == []
        page.context.close()


@pytest.fixture
def page(pages: Callable[[str], tuple[Driver, Heard]], server: Server) -> Driver:
    """One person's page."""
    driver, _ = pages(server.base)
    return driver


@pytest.fixture(scope="session")
def shots() -> Path | None:
    """Folder for pictures to look at, where TUMORTRACE_SHOTS names one."""
    named = os.environ.get("TUMORTRACE_SHOTS")
    return Path(named) if named else None
