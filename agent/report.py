"""A report as Markdown, as a page, and on a terminal.

All texts of a report are untrusted: each rendering escapes everything that it did not write itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console

from agent.report_model import Report
from agent.report_terminal import print_report
from agent.report_view import OUTCOME_WORDS, ReportView
from agent.trace_view import printable

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_CHARACTERS = 20_000
_MARKS = re.compile(r"([\\`*_\[\]<>|~&$@]|:(?=//)|^\s*#)")
# What begins a list, a heading or a rule where a line begins with it.
_LEADING_NUMBER = re.compile(r"^(\s*\d+)([.)])(?=\s|$)")
_LEADING_MARK = re.compile(r"^(\s*)([-+=])(?=[\s\-=]|$)")
_WEB = re.compile(r"\bwww\.", re.IGNORECASE)


class Markdown(str):
    """Text that is Markdown already, made here and not taken from a report."""

    __slots__ = ()


def render_markdown(report: Report) -> str:
    """The report as Markdown (CommonMark with tables); its pictures are referred to by relative path.

    Args:
        report: the report.
    """
    text = _markdown().get_template("report.md.j2").render(view=ReportView(report), outcomes=OUTCOME_WORDS)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_html(report: Report, images: Mapping[str, bytes]) -> str:
    """The report as one self-contained page: no script, no request to anywhere, printable, light and dark.

    Args:
        report: the report.
        images: the pictures' paths, as the report gives them → PNG; one that is missing or no PNG is left out,
            and its caption says so.
    """
    sources = {
        path: "data:image/png;base64," + base64.b64encode(data).decode()
        for path, data in images.items()
        if data.startswith(_PNG)
    }
    template = _html().get_template("report.html.j2")
    return template.render(view=ReportView(report), sources=sources, outcomes=OUTCOME_WORDS)


def render_terminal(report: Report, console: Console) -> None:
    """Print the report for reading on a terminal; colours only where the console has them.

    Args:
        report: the report.
        console: where to.
    """
    print_report(ReportView(report), console)


def escape_markdown(value: object) -> Markdown:
    """Make text stand for itself in Markdown: one line, no markup, no links, no HTML."""
    if isinstance(value, Markdown):
        return value
    text = _MARKS.sub(r"\\\1", printable(str(value), _MAX_CHARACTERS))
    text = _LEADING_NUMBER.sub(r"\1\\\2", text)
    text = _LEADING_MARK.sub(r"\1\\\2", text)
    return Markdown(_WEB.sub(lambda found: f"{found.group(0)[:3]}\\.", text))


def _escape_segment(value: object) -> Markdown:
    # The blanks at the ends of a segment part it from its neighbours.
    text = str(value)
    ends = (" " if text[:1].isspace() else "", " " if text.strip() and text[-1:].isspace() else "")
    return Markdown(ends[0] + escape_markdown(text) + ends[1])


@cache
def _markdown() -> Environment:
    # Not HTML: everything that a template prints passes through the escape above instead.
    environment = Environment(
        loader=_loader(),
        autoescape=False,  # noqa: S701
        finalize=escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["path"] = lambda path: Markdown(quote(str(path), safe="/"))
    environment.filters["raw"] = Markdown
    environment.filters["segment"] = _escape_segment
    environment.filters["code"] = lambda text: Markdown(re.sub(r"[^\w.-]", "", str(text)))
    return environment


@cache
def _html() -> Environment:
    return Environment(
        loader=_loader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def load_templates() -> None:
    """Compile the templates; they are kept for the process."""
    _markdown().get_template("report.md.j2")
    _html().get_template("report.html.j2")


def _loader() -> FileSystemLoader:
    return FileSystemLoader(Path(__file__).parent / "templates")
