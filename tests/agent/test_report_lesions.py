"""The table of lesions in a report, on a terminal, in Markdown and on the page."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from agent.report import render_html, render_markdown, render_terminal
from agent.report_lesions import COLUMNS, lesion_rows
from agent.report_model import EvidenceOut, Report
from tests.agent.loop_full import full_case
from tests.agent.loop_make import ask, make_case, run
from tests.agent.test_report import HOSTILE, Page, load_sample
from tools.types import State

DETAILS = {
    "long_axis_mm": 35.04, "short_axis_mm": 31.0, "feret_mm": 42.34, "depth_percent": 48.08, "hu_mean": 11.23,
    "hu_sd": 7.2, "attenuation": "hypoattenuating", "regions": {"liver_segment_3": 25.0, "liver_segment_4": 75.0},
}  # fmt: skip


def lesion(**changes: object) -> EvidenceOut:
    fields: dict[str, object] = {
        "tool": "lesion_table", "arguments": {}, "quantity": "lesion", "target": "liver_lesion#1", "value": 11.76,
        "unit": "cm3", "state": State.MEASURED, "uncertainty": 5.42, "lower_bound": None, "reason": None,
        "method": "m", "version": "1", "slice": 12, "artifact": None, "details": DETAILS,
    }  # fmt: skip
    return EvidenceOut.model_validate({**fields, **changes})


def with_lesions(*lesions: EvidenceOut) -> Report:
    report = load_sample()
    more = {f"lesion.{number}": one for number, one in enumerate(lesions)}
    return report.model_copy(update={"evidence": {**report.evidence, **more}})


def terminal(report: Report, width: int = 220) -> str:
    buffer = io.StringIO()
    render_terminal(report, Console(file=buffer, width=width))
    return buffer.getvalue()


def cells(report: Report) -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row.cells, strict=True)) for row in lesion_rows(report)]


def test_a_row_says_what_its_evidence_says() -> None:
    assert cells(with_lesions(lesion())) == [
        {
            "lesion": "liver lesion 1", "volume in cm³": "11.8 ± 5.4", "axial diameters in mm": "35.0 × 31.0",
            "slice": "12", "depth in %": "48.1", "3D extent in mm": "42.3", "mean HU ± SD": "11.2 ± 7.2",
            "attenuation": "hypoattenuating", "place": "liver segment 4 75.0 %, liver segment 3 25.0 %",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "column", "text"),
    [
        ({"value": None, "uncertainty": None, "lower_bound": 8.0}, "volume in cm³", "at least 8.00"),
        ({"value": None, "uncertainty": None}, "volume in cm³", "–"),
        ({"uncertainty": None}, "volume in cm³", "11.8"),
        ({"slice": None}, "slice", "–"),
        ({"slice": 0}, "slice", "0"),
        ({"details": {}}, "axial diameters in mm", "– × –"),
        ({"details": {}}, "place", "–"),
        ({"details": {"regions": {}, "place": "liver"}}, "place", "liver"),
        ({"details": {"regions": {"liver_segment_8": 100.0}}}, "place", "liver segment 8"),
        ({"details": {"hu_mean": True, "hu_sd": "7"}}, "mean HU ± SD", "– ± –"),
        ({"details": {"attenuation": None}}, "attenuation", "–"),
    ],
)
def test_what_is_not_known_is_not_made_up(changes: dict[str, object], column: str, text: str) -> None:
    assert cells(with_lesions(lesion(**changes)))[0][column] == text


def test_a_lesion_has_one_row_and_other_evidence_none() -> None:
    report = with_lesions(lesion(), lesion(method="again"), lesion(target="liver_lesion#2"))
    assert [row.evidence for row in lesion_rows(report)] == ["lesion.0", "lesion.2"]
    assert lesion_rows(load_sample()) == []
    for text in (terminal(load_sample()), render_markdown(load_sample()), render_html(load_sample(), {})):
        assert "Lesions" not in text


@pytest.mark.parametrize("form", ["terminal", "markdown", "page"])
def test_every_form_shows_the_table_and_what_it_rests_on(form: str) -> None:
    report = with_lesions(lesion(), lesion(target="liver_lesion#2", value=8.82))
    row = [*cells(report)[1].values()]
    if form == "terminal":
        text = terminal(report)
        line = next(line for line in text.splitlines() if "liver lesion 2" in line and "8.82" in line)
        assert all(cell in line for cell in row)
        assert all(name in text for name in COLUMNS)
        assert line.rstrip().endswith("]")
    elif form == "markdown":
        text = render_markdown(report)
        tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text[text.index("## Lesions") :])
        table = [token.content for token in tokens if token.type == "inline"]
        assert [*COLUMNS] == table[1 : 1 + len(COLUMNS)]
        at = table.index("liver lesion 2")
        assert [cell.replace("\\", "") for cell in table[at : at + len(row)]] == row
        assert f'<a id="{table[at + len(row)].partition("(#")[2].rstrip(")")}">' in text
    else:
        page = Page(render_html(report, {}))
        assert all(name in page.text for name in COLUMNS)
        assert all(cell in page.text for cell in row)
        links = {str(found.get("href")) for tag, found in page.tags if tag == "a"}
        rows = {f"#{found['id']}" for tag, found in page.tags if tag == "tr" and found.get("id")}
        assert len(rows) == len(report.evidence)
        assert rows >= {link for link in links if link.startswith("#")}


def test_hostile_names_in_the_table_stay_text() -> None:
    """Names of the user's own labels come from files."""
    details = {**DETAILS, "attenuation": HOSTILE, "regions": {HOSTILE: 60.0, "liver_segment_4": 40.0}}
    report = with_lesions(lesion(target=HOSTILE.replace("+", ""), details=details))
    assert len(lesion_rows(report)) == 1
    text = terminal(report)
    assert "\x1b" not in text
    assert "[red]f[/red]" in text.replace("\n", "")
    plain = {tag for tag, _ in Page(render_html(with_lesions(lesion()), {})).tags}
    page = Page(render_html(report, {}))
    assert {tag for tag, _ in page.tags} <= plain
    assert "<script>alert(1)</script>" in page.text
    markdown = render_markdown(report)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    flat = [*tokens, *(child for token in tokens for child in token.children or ())]
    for token in flat:
        if token.type == "link_open":
            assert str(token.attrs["href"]).startswith("#e")
        if token.type in {"html_block", "html_inline"}:
            assert token.content.startswith(("<a id=", "</a>"))
    # A cell that held a line or a bar of its own would break the row.
    assert len([line for line in markdown.splitlines() if "alert(1)" in line and line.startswith("| ")]) >= 1
    headings = [after.content for token, after in pairwise(flat) if token.type == "heading_open"]
    assert "h" not in headings


@pytest.mark.slow
def test_a_run_has_its_table(tmp_path: Path) -> None:
    made = run(full_case(prior=False), [ask("lesion_list", "liver_lesion")], tmp_path / "asked").report
    assert [row["lesion"] for row in cells(made)] == ["liver lesion 1", "liver lesion 2", "liver lesion 3"]
    assert cells(made)[0]["place"] == "liver segment 4 75.0 %, liver segment 3 25.0 %"
    text = (Path(made.trace).parent / "report.md").read_text()
    assert "## Lesions" in text
    whole = run(make_case(), None, tmp_path / "everything").report
    assert {row["lesion"].rpartition(" ")[0] for row in cells(whole)} == {"liver lesion", "kidney cyst"}
    none = run(make_case(), [ask("volume", "liver")], tmp_path / "none").report
    assert lesion_rows(none) == []
