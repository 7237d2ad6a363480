from __future__ import annotations

import importlib.util
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image
from rich.console import Console

from agent.report import escape_markdown, render_html, render_markdown, render_terminal
from agent.report_model import Answer, Binding, Report, Sentence, Verdict
from agent.report_view import ReportView, headline, number
from agent.trace_view import printable
from tools.types import State

HOSTILE = (
    "<script>alert(1)</script> <img src=http://evil.example/x> \"' [a](http://evil.example) ![b](http://evil.example)"
    " `c` **d** | e <https://evil.example> http://evil.example www.evil.example &lt; [red]f[/red] \x1b[31m g\r\n# h"
)


def load_sample() -> Report:
    path = Path(__file__).with_name("sample_report.py")
    spec = importlib.util.spec_from_file_location("sample_report", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    report = module.sample()
    assert isinstance(report, Report)
    return report


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    return buffer.getvalue()


def hostile(value: Any) -> Any:
    """The same report with every free text replaced, and everything that is not free text left."""
    kept = {"state", "status", "outcome", "schema", "field", "option", "version_"}
    if isinstance(value, dict):
        return {
            key: item if key in kept else ([] if key == "bindings" else hostile(item)) for key, item in value.items()
        }
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def hostile_report() -> Report:
    data = hostile(load_sample().model_dump(mode="json", by_alias=True))
    data["evidence"] = {HOSTILE: next(iter(data["evidence"].values()))}
    return Report.model_validate(data)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.bound: list[tuple[str, str]] = []
        self._open = ""
        self._skip = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self._skip = tag == "style"
        self._open = (found.get("href") or "") if found.get("class") == "bound" else ""

    def handle_endtag(self, tag: str) -> None:
        self._open, self._skip = "", False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.text += data
        if self._open:
            self.bound.append((data, self._open))


def test_the_page_asks_nobody_for_anything() -> None:
    page = Page(render_html(load_sample(), {"images/liver.png": png()}))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "base", "form"}
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,"))
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    assert "url(" not in render_html(load_sample(), {})


def test_every_bound_number_leads_to_the_row_that_has_it() -> None:
    report = load_sample()
    page = Page(render_html(report, {}))
    rows = {
        attributes["id"]: place
        for place, (tag, attributes) in enumerate(page.tags)
        if tag == "tr" and attributes.get("id")
    }
    assert len(rows) == len(report.evidence)
    assert [text for text, _ in page.bound] == ["1213.5", "111", "162.44", "11.2"]
    view = ReportView(report)
    targets = {row.ref.anchor: row.value for row in view.rows}
    assert "1213.5" in targets[page.bound[0][1].removeprefix("#")]
    assert "162.44 ± 11.2" in targets[page.bound[2][1].removeprefix("#")]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a" and attributes.get("href")]
    assert {str(link).removeprefix("#") for link in links} <= set(rows)


def test_the_page_says_what_has_to_be_said() -> None:
    report = load_sample()
    text = Page(render_html(report, {})).text
    words = [
        report.notice,
        report.run_id,
        report.trace,
        f"tumortrace trace verify {report.run_id}",
        "at least 1213.5\u00a0cm³",
        "liver lesions",
        "Voxels are 3 mm wide",
        "The picture images/liver.png is missing.",
        "TX",
        *report.evidence,
        *(verdict.reason for verdict in report.verdicts),
    ]
    for word in words:
        assert word in text
    order = ["Is the liver enlarged?", "Impression", "Findings", "Pictures", "Pathology", "Checks", "Evidence"]
    places = [text.rindex(word) if word == "Evidence" else text.index(word) for word in order]
    assert places == sorted(places)


def test_pictures_are_embedded_and_only_if_they_are_pictures() -> None:
    assert "data:image/png;base64,iVBOR" in render_html(load_sample(), {"images/liver.png": png()})
    assert "data:image/png;base64" not in render_html(load_sample(), {"images/liver.png": b"<svg/>"})


def test_hostile_texts_stay_text_on_the_page() -> None:
    plain = [tag for tag, _ in Page(render_html(load_sample(), {})).tags]
    page = Page(render_html(hostile_report(), {HOSTILE: png()}))
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert tags <= {*plain, "img"}
    sources = [attributes.get("src") for tag, attributes in page.tags if tag == "img"]
    assert sources == [source for source in sources if source and source.startswith("data:")]
    assert "<script>alert(1)</script>" in page.text


def flat(markdown: str) -> list[Any]:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    return [*tokens, *(child for token in tokens for child in token.children or ())]


def test_hostile_texts_stay_text_in_markdown() -> None:
    tokens = flat(render_markdown(hostile_report()))
    for token in tokens:
        if token.type == "link_open":
            assert re.fullmatch(r"#e\d+", token.attrs["href"])
        if token.type == "image":
            assert ":" not in token.attrs["src"]
        if token.type in {"html_block", "html_inline"}:
            assert re.fullmatch(r'<a id="e\d+">|</a>', token.content)
        assert token.type != "fence"
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    assert "h" not in headings


@given(st.text(max_size=60))
def test_markdown_text_stands_for_itself(text: str) -> None:
    escaped = escape_markdown(text)
    tokens = flat(f"- x {escaped}")
    kinds = {token.type for token in tokens}
    assert kinds <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "text_special",
        "paragraph_close", "list_item_close", "bullet_list_close",
    }  # fmt: skip
    said = "".join(token.content for token in tokens if token.type in {"text", "text_special"})
    assert said == f"x {printable(text, 99)}".rstrip()


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "12) a", "=====", "-----", "---", "> a", "```", "    a"])
def test_text_at_the_start_of_a_line_begins_no_block(text: str) -> None:
    tokens = flat(escape_markdown(text))
    assert {token.type for token in tokens} <= {
        "paragraph_open", "paragraph_close", "inline", "text", "text_special",
    }  # fmt: skip
    assert next(token.content for token in tokens if token.type == "text") == text.strip()


def test_markdown_holds_all_sections_and_anchors() -> None:
    report = load_sample()
    text = render_markdown(report)
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Not measurable", "Impression", "Findings", "Pictures", "Pathology", "Checks", "Evidence",
        "Not assessed", "Limitations",
    ]  # fmt: skip
    cited = set(re.findall(r"\]\(#(e\d+)\)", text))
    assert cited <= set(re.findall(r'<a id="(e\d+)">', text))
    assert "[162.44](#e3) ± [11.2](#e3) cm³." in text
    assert report.notice in text
    assert f"`tumortrace trace verify {report.run_id}`" in text


@pytest.mark.parametrize("report", [load_sample(), hostile_report()], ids=["sample", "hostile"])
def test_the_terminal_gets_plain_text_where_it_is_none(report: Report) -> None:
    buffer = io.StringIO()
    render_terminal(report, Console(file=buffer, width=200))
    text = buffer.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "Verify with: tumortrace trace verify" in text
    if report.question != HOSTILE:
        assert "1213.5 cm³ lie in the scan" in text
    else:
        assert "[red]f[/red]" in text


def test_a_report_with_nothing_in_it() -> None:
    report = Report(run_id="r", question=None, status="unresolved", rounds=0, answer=None, pathology=None, trace="t")
    buffer = io.StringIO()
    render_terminal(report, Console(file=buffer))
    for text in (buffer.getvalue(), render_markdown(report), render_html(report, {})):
        assert "Unresolved" in text
        assert report.notice in text


def test_what_only_a_model_says_is_called_so() -> None:
    report = load_sample()
    buffer = io.StringIO()
    render_terminal(report, Console(file=buffer, width=200))
    for text in (buffer.getvalue(), render_markdown(report), render_html(report, {})):
        assert "Left open by the evidence, named by the model" in text
        assert "Agreement of the model" in text
        assert "Confidence: " not in text


@pytest.mark.slow
@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.integers(-3, 35), st.integers(-3, 35), st.sampled_from(["a", "b"])), max_size=6),
)
def test_bindings_never_change_a_sentence(text: str, spans: list[tuple[int, int, str]]) -> None:
    bindings = [Binding(start=s, end=e, evidence=name, field="value") for s, e, name in spans]
    sentence = Sentence(id="f", text=text, evidence=["a", "a"], bindings=bindings)
    view = ReportView(load_sample().model_copy(update={"findings": [sentence]})).findings[0]
    assert "".join(segment.text for segment in view.segments) == text
    assert [ref.number for ref in view.refs] == [None]


def test_rounds_are_grouped_in_order() -> None:
    verdicts = [Verdict(round=n, gate="g", outcome="pass", reason="") for n in (2, 1, 2)]
    view = ReportView(load_sample().model_copy(update={"verdicts": verdicts}))
    assert [(round_, len(group)) for round_, group in view.rounds] == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3, "3"),
        (162.4371, "162.44"),
        (1213.488, "1213.5"),
        (1234567.8, "1234568"),
        (100.0, "100"),
        (1000000.0, "1000000"),
        (0.0123456, "0.012346"),
        (-5.5, "-5.5"),
        (0.00001234, "1.23e-05"),
        (float("inf"), "inf"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"value": True, "state": State.MEASURED}, "Yes"),
        ({"value": False, "state": State.ABSENT, "option": "B"}, "B · No"),
        ({"value": 0.93, "unit": "1", "state": State.MEASURED}, "0.930"),
        ({"value": 12.5, "unit": "%", "state": State.MEASURED}, "12.5%"),
        ({"value": 0, "unit": "1", "state": State.MEASURED}, "0"),
        ({"value": "left_kidney", "state": State.MEASURED}, "Left kidney"),
        ({"state": State.NOT_ASSESSED}, "Not assessed"),
    ],
)
def test_headlines(fields: dict[str, Any], text: str) -> None:
    assert headline(Answer(text="t", **fields)) == text
