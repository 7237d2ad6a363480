"""A report on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.report_reviews import Mark
from agent.report_status import Tone
from agent.report_structures import structure_table, told_in_table
from agent.report_view import OUTCOME_WORDS, AnswerView, Ref, ReportView, SentenceView
from agent.trace_view import printable
from tools.types import State

_STATE_STYLES = {
    State.MEASURED: "green",
    State.ABSENT: "blue",
    State.NOT_MEASURABLE: "yellow",
    State.NOT_ASSESSED: "bright_black",
}
_STATUS_STYLES: dict[Tone, str] = {
    "consistent": "green",
    "unresolved": "bold yellow",
    "needs_review": "bold magenta",
    "unanswered": "bold",
}
_OUTCOME_STYLES = {"pass": "green", "fail": "bold red", "not_applicable": "bright_black"}
_MARK_STYLES = {"approve": "green", "override": "bold magenta"}
_MAX_TEXT = 4000


def print_report(view: ReportView, console: Console) -> None:
    """Print a report; markup and control characters of its texts are shown, never obeyed."""
    report = view.report
    for answer in view.answers:
        console.print(_answer(answer))
    if not view.answers:
        console.print(Text(_clean(report.question or "Report"), style="bold"))
    status = Text.assemble(
        ("Status  ", "dim"),
        (view.status.word, _STATUS_STYLES[view.status.tone]),
        (f"  after {report.rounds} round{'s' if report.rounds != 1 else ''}. {view.status.meaning}", "dim"),
    )
    console.print(Padding(status, (0, 1)))
    _marks(console, view.marks)
    if view.usage:
        console.print(Padding(Text(f"Model   {view.usage}", style="dim"), (0, 1)))
    for text in view.status.reasons:
        console.print(Padding(Text(f"• {_clean(text)}", style="dim"), (0, 2)))
    _sentences(console, "Impression", view.impression)
    if report.question is None:
        told = {item.id for item in report.findings if told_in_table(report, item.evidence)}
        _sentences(console, "Findings", [one for one in view.findings if one.marks or one.id not in told])
        _section(console, "Structures")
        console.print(Padding(structure_table(report), (0, 2)))
    else:
        _sentences(console, "Findings", view.findings)
    if view.lesions:
        _section(console, "Lesions")
        lesions = Table(*view.lesion_columns, "", box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
        for row, ref in view.lesions:
            lesions.add_row(*(Text(_clean(cell)) for cell in row.cells), _refs([ref]))
        console.print(Padding(lesions, (0, 2)))
    if view.pathology or view.pathology_marks:
        rows = Table.grid(padding=(0, 2))
        for name, text in view.pathology:
            rows.add_row(Text(name, style="dim"), Text(_clean(text)))
        _section(console, "Pathology")
        console.print(Padding(Group(rows, _refs(view.pathology_refs)), (0, 2)))
        _marks(console, view.pathology_marks)
    _reviews(console, view)
    if view.pictures:
        _items(console, "Pictures", [f"{picture.path}  {picture.caption}" for picture in view.pictures])
    _verdicts(console, view)
    _evidence(console, view)
    _items(console, "Not assessed", report.not_assessed)
    _items(console, "Limitations", report.limitations)
    console.print()
    console.print(Padding(Text(_clean(report.notice), style="bold"), (0, 1)))
    console.print(Padding(Text(f"Run {_clean(report.run_id)}   trace {_clean(report.trace)}", style="dim"), (0, 1)))
    command = f"Verify with: tumortrace trace verify {_clean(report.run_id)}"
    console.print(Padding(Text(command, style="dim"), (0, 1)))


def _answer(answer: AnswerView) -> Panel:
    style = _STATE_STYLES[answer.state]
    lines = [Text(_clean(answer.headline), style="bold" if answer.word else f"bold {style}")]
    if answer.word:
        lines[0].append("  ").append(f" {answer.word} ", style=f"reverse {style}")
    lines.append(_sentence(answer.sentence))
    lines += [_mark(mark) for mark in answer.sentence.marks]
    qualified = [text for text in (answer.bound, answer.reason) if text]
    if qualified:
        lines.append(Text(_clean("; ".join(qualified)), style="dim"))
    title = Text(_clean(answer.question), style="bold") if answer.question else None
    return Panel(Group(*lines), title=title, title_align="left", border_style=style, box=ROUNDED, padding=(1, 2))


def _sentence(sentence: SentenceView) -> Text:
    text = Text()
    for segment in sentence.segments:
        text.append(_clean(segment.text, keep=True), style="bold cyan" if segment.ref and not segment.quiet else "")
    return text.append(" ").append_text(_refs(sentence.refs))


def _mark(mark: Mark) -> Text:
    return Text(_clean(str(mark)), style=_MARK_STYLES[mark.kind])


def _marks(console: Console, marks: Sequence[Mark]) -> None:
    for mark in marks:
        console.print(Padding(_mark(mark), (0, 4)))


def _reviews(console: Console, view: ReportView) -> None:
    if not view.reviews:
        return
    _section(console, "Reviews")
    for row in view.reviews:
        head = Text.assemble((_clean(row.who), "bold"), (f"  {_clean(row.when)}  ", "dim"), _clean(row.what))
        console.print(Padding(head, (0, 2)))
        told = [*row.changes, *(f"{name}: {text}" for name, text in (
            ("Reviewer", row.says), ("Reason", row.reason), ("The run had said", row.machine)) if text)]  # fmt: skip
        for text in told:
            console.print(Padding(Text(_clean(text)), (0, 4)))


def _refs(refs: Sequence[Ref]) -> Text:
    return Text("".join(f"[{ref.number or '?'}]" for ref in refs), style="dim")


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(Padding(Text(title, style="bold underline"), (0, 1)))


def _sentences(console: Console, title: str, sentences: Sequence[SentenceView]) -> None:
    if sentences:
        _section(console, title)
    for sentence in sentences:
        console.print(Padding(Text("• ").append_text(_sentence(sentence)), (0, 2)))
        _marks(console, sentence.marks)


def _items(console: Console, title: str, items: Sequence[str]) -> None:
    if items:
        _section(console, title)
    for item in items:
        console.print(Padding(Text(f"• {_clean(item)}"), (0, 2)))


def _verdicts(console: Console, view: ReportView) -> None:
    if not view.rounds:
        return
    _section(console, "Checks")
    _, last = view.rounds[-1]
    if len(view.rounds) == 1 and all(verdict.outcome != "fail" for verdict in last):
        row = Text()
        for verdict in last:
            row.append(_clean(verdict.gate)).append(
                f" {OUTCOME_WORDS[verdict.outcome]}", _OUTCOME_STYLES[verdict.outcome]
            )
            row.append("   ")
        console.print(Padding(row, (0, 2)))
        return
    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for name in ("round", "gate", "outcome", "reason"):
        table.add_column(name)
    for number, verdicts in view.rounds:
        for verdict in verdicts:
            outcome = Text(OUTCOME_WORDS[verdict.outcome], style=_OUTCOME_STYLES[verdict.outcome])
            table.add_row(str(number), Text(_clean(verdict.gate)), outcome, Text(_clean(verdict.reason)))
    console.print(Padding(table, (0, 2)))


def _evidence(console: Console, view: ReportView) -> None:
    if not view.cited_rows:
        return
    _section(console, "Evidence")
    if view.report.question is None:
        text = f"{len(view.rows)} pieces of evidence, and how each was made, are in report.html and report.json."
        console.print(Padding(Text(text, style="dim"), (0, 2)))
        return
    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for name in ("no.", "quantity", "target", "value", "state", "slice"):
        table.add_column(name)
    for row in view.cited_rows:
        table.add_row(
            str(row.ref.number),
            Text(_clean(row.quantity)),
            Text(_clean(row.target)),
            Text(_clean(row.value)),
            Text(row.word, style=_STATE_STYLES[row.item.state]),
            "" if row.item.slice is None else str(row.item.slice),
        )
    console.print(Padding(table, (0, 2)))
    more = len(view.rows) - len(view.cited_rows)
    if more:
        text = f"{more} more pieces of evidence, and how each was made, are in report.html and report.json."
        console.print(Padding(Text(text, style="dim"), (0, 2)))


def _clean(text: str, *, keep: bool = False) -> str:
    if not keep:
        return printable(text, _MAX_TEXT)
    # The blanks at the ends of a segment part it from its neighbours.
    body = printable(text, _MAX_TEXT)
    return f"{' ' if text[:1].isspace() else ''}{body}{' ' if body and text[-1:].isspace() else ''}"
