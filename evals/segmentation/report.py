"""The summary for reading: tables on a terminal, and as Markdown with everything that went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from agent.files import atomic_write
from evals.segmentation.ask import WRONG
from evals.segmentation.model import Answers, Asked, Pair, PhantomResult, Share, Summary

MOST_LISTED = 300


@dataclass(frozen=True)
class Sheet:
    """A table: title, names of its columns, rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(summary: Summary) -> Iterator[Sheet]:
    """All tables of a summary."""
    yield Sheet(
        f"Masks of {summary.phantoms} scans ({summary.engine}); organs with lesions, means over the masks used",
        ("", "kind", "phantoms", "used", "refused", "empty", "invented", "Dice",
         "volume error, %", "surface, mm", "95 %, mm"),
        tuple(
            (
                one.structure, one.kind,
                *map(str, (one.phantoms, one.used, one.refused, one.empty, one.invented)),
                _number(one.dice, "{:.3f}"), _number(one.volume_error, "{:.1f}"),
                _number(one.surface_mm, "{:.1f}"), _number(one.surface95_mm, "{:.1f}"),
            )
            for one in summary.classes
            if one.phantoms or one.invented
        ),
    )  # fmt: skip
    yield Sheet("Mean Dice by kind of structure", ("", "Dice"),
                tuple((kind, f"{value:.3f}") for kind, value in summary.dice_by_kind.items()))  # fmt: skip
    yield Sheet(
        "Lesions",
        ("", "found", ""),
        (
            ("all", *_share(summary.found)),
            *((name, *_share(one)) for name, one in summary.found_by_size.items()),
            *((name, *_share(one)) for name, one in summary.found_by_type.items()),
            ("right type, of those found", *_share(summary.typed)),
            ("false ones per scan", f"{summary.false_per_scan:.2f}", ""),
            ("predicted over several true ones", str(summary.merged), ""),
            ("true ones in several pieces", str(summary.split), ""),
        ),
    )
    yield Sheet(
        "Masks that were flagged",
        ("", "", ""),
        (
            ("refused, and bad indeed (Dice below 0.5)", *_share(summary.refused_bad)),
            ("mended, and no worse for it", *_share(summary.mended_better)),
        ),
    )
    if summary.questions is not None:
        asked = summary.questions
        columns = ("", *(f"{what}, {on}" for on in ("truth", "masks") for what in
                         ("right", "wrong", "not assessed", "failed")))  # fmt: skip
        pairs = {"all": asked.overall, **asked.by_stage, **asked.by_subtype}
        yield Sheet("Answers with the true labels and with predicted masks", columns,
                    tuple(_answers(name, one) for name, one in pairs.items()))  # fmt: skip
        yield Sheet(
            "Wrong answers with predicted masks",
            ("", ""),
            (
                ("wrong", str(asked.wrong)),
                ("of these, not wrong with the true labels", str(asked.lost)),
                ("of these, resting on a mask with a note", str(asked.noted)),
                ("answers that rest on a refused mask (must be 0)", str(asked.refused)),
            ),
        )
    yield Sheet("Seconds per phantom", ("", ""),
                tuple((part, f"{value:.1f}") for part, value in summary.seconds.items()))  # fmt: skip


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _share(one: Share) -> tuple[str, str]:
    return f"{one.hits} of {one.of}", "–" if one.share is None else f"{one.share:.0%}"


def _answers(name: str, pair: Pair) -> tuple[str, ...]:
    def told(one: Answers) -> tuple[str, ...]:
        return str(one.right), str(one.wrong), str(one.silent), str(one.failed)

    return name, *told(pair.truth), *told(pair.predicted)


def show(summary: Summary, console: Console) -> None:
    """Print the tables."""
    for sheet in sheets(summary):
        table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
        for number, column in enumerate(sheet.columns):
            table.add_column(column, no_wrap=number == 0, justify="right" if number else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def markdown(summary: Summary, results: Sequence[PhantomResult]) -> str:
    """The tables, then what was refused though it was good, false lesions, and wrong answers."""
    lines = ["# Segmentation of unseen phantoms"]
    for sheet in sheets(summary):
        lines += ["", f"## {sheet.title}", "", _line(sheet.columns), _line(["---"] * len(sheet.columns))]
        lines += [_line(row) for row in sheet.rows]
    if summary.refused_good:
        lines += ["", "## Refused although Dice is 0.5 or more", "", *(f"- {one}" for one in summary.refused_good)]
    bad = [(one, result) for result in results for one in result.asked if one.predicted.outcome in {*WRONG, "failed"}]
    if bad:
        lines += ["", f"## Wrong or failed with predicted masks ({len(bad)})", ""]
        lines += [told for one, result in bad[:MOST_LISTED] for told in _wrong(one, result)]
    return "\n".join(lines) + "\n"


def _wrong(one: Asked, result: PhantomResult) -> Iterator[str]:
    question = one.predicted.question
    options = f" Options: {'; '.join(question.options)}." if question.options else ""
    truth = question.expected.value if question.expected.decidable else f"undecidable: {question.expected.reason}"
    yield f"- {result.name} · {question.subtype} · {one.predicted.outcome} · {_plain(question.text)}{_plain(options)}"
    yield f"    - true: {truth}; with the true labels ({one.truth.outcome}): {_plain(one.truth.given.text)}"
    yield f"    - with predicted masks: {_plain(one.predicted.given.text)}"
    if one.refused:
        yield f"    - rests on refused masks: {', '.join(one.refused)}"
    if one.noted:
        yield f"    - rests on masks with a note: {', '.join(one.noted)}"


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("|", "/")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(one) for one in cells)} |"


def write_report(summary: Summary, results: Sequence[PhantomResult], out: Path) -> list[Path]:
    """Write summary.json and report.md."""
    files = {"summary.json": summary.model_dump_json(indent=1) + "\n", "report.md": markdown(summary, results)}
    for name, text in files.items():
        atomic_write(out / name, text)
    return [out / name for name in files]
