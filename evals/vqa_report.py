"""What a run of the suite says, for machines, for reading, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from agent.files import atomic_write
from evals.controls import Verdict
from evals.metrics import Marked, Score, Summary

BAR = 420
ROW = 20
LEFT = 290


def write_report(summary: Summary, marked: Sequence[Marked], out: Path, verdict: Verdict | None = None) -> list[Path]:
    """Write summary.json, summary.md and accuracy.html.

    Args:
        summary: the scores.
        marked: the questions, for the list of those that failed.
        out: folder.
        verdict: of a control run.
    """
    data = summary.model_dump_json(indent=1)
    if verdict is not None:
        data = data[: data.rindex("\n}")] + ',\n "control": ' + verdict.model_dump_json() + "\n}"
    files = {
        "summary.json": data + "\n",
        "summary.md": markdown(summary, marked, verdict),
        "accuracy.html": chart(summary),
    }
    for name, text in files.items():
        atomic_write(out / name, text)
    return [out / name for name in files]


def markdown(summary: Summary, marked: Sequence[Marked], verdict: Verdict | None = None) -> str:
    """The scores as tables, and every question that did not end well."""
    c = summary.calibration
    lines = [
        "# Questions about phantoms", "",
        f"{summary.questions} questions, {summary.seconds:.0f} s spent answering. Intervals are drawn over patients "
        "(cluster bootstrap). Accuracy counts decidable questions; an abstention there is not right.", "",
        "| | decidable | right | wrong | abstained | failed | accuracy | 95 % interval | undecidable | named "
        "| answered | failed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *_rows({"**all**": summary.overall}), *_rows(summary.by_stage), *_rows(summary.by_layout),
        *_rows(summary.by_split), *_rows(summary.by_subtype), "",
    ]  # fmt: skip
    if c.ece is not None:
        lines += [
            f"Calibration over {c.answered} answers: expected calibration error {c.ece:.4f}, Brier {c.brier:.4f}."
        ]
    if summary.chance is not None:
        lines += [f"An option drawn at random would be right in {summary.chance:.1%} of the multiple choices."]
    if verdict is not None:
        fell = "falls to chance or silence, as it must" if verdict.fell else "DOES NOT fall to chance or silence"
        share = "none chosen" if verdict.share is None else f"{verdict.share:.1%} of {verdict.chosen} chosen are right"
        lines += [f"This control {fell}: {share}, {verdict.silent:.1%} of all questions without an answer."]
    bad = [one for one in marked if one.outcome not in {"right", "named"}]
    if bad and verdict is None:
        lines += ["", f"## Not right ({len(bad)})", ""]
        lines += [
            f"- `{one.question.qid}` {one.question.subtype} · {one.outcome} · {one.question.phantom} "
            f"({one.question.view}): {_plain(one.question.text)}"
            for one in bad[:500]
        ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("|", "/")


def _rows(scores: Mapping[str, Score]) -> Iterator[str]:
    for name, one in scores.items():
        accuracy = "–" if one.accuracy is None else f"{one.accuracy:.1%}"
        interval = "–" if one.low is None or one.high is None else f"{one.low:.1%} to {one.high:.1%}"
        yield (
            f"| {name} | {one.decidable} | {one.right} | {one.wrong} | {one.abstained} | {one.failed} | {accuracy} | "
            f"{interval} | {one.undecidable} | {one.named} | {one.overreached} | {one.failed_undecidable} |"
        )


def chart(summary: Summary) -> str:
    """One page with a bar per kind, its interval as a line; no script, nothing from outside."""
    rows = [(name, one) for name, one in summary.by_subtype.items() if one.accuracy is not None]
    height = ROW * (len(rows) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + BAR + 130} {height}" role="img" '
        'aria-label="Accuracy by kind of question" font-family="system-ui, sans-serif" font-size="12" '
        'fill="currentColor">'
    ]
    for tick in range(0, 101, 25):
        x = LEFT + BAR * tick / 100
        parts.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{height - 1.4 * ROW}" stroke="currentColor" opacity=".2"/>')
        parts.append(f'<text x="{x}" y="{height - 0.5 * ROW}" text-anchor="middle">{tick} %</text>')
    for number, (name, one) in enumerate(rows):
        assert one.accuracy is not None
        y = ROW * number + 4
        parts.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{BAR * one.accuracy:.1f}" height="{ROW - 7}" fill="#3b7ea1"/>')
        if one.low is not None and one.high is not None:
            a, b, middle = LEFT + BAR * one.low, LEFT + BAR * one.high, y + (ROW - 7) / 2
            parts.append(f'<path d="M{a:.1f} {middle}H{b:.1f}" stroke="currentColor" stroke-width="2"/>')
        said = f"{one.right} of {one.decidable}"
        parts.append(f'<text x="{LEFT + BAR + 8}" y="{y + 11}">{said}</text>')
    parts.append("</svg>")
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Accuracy by kind of question</title>'
        '<meta name="color-scheme" content="light dark"><body style="max-width:60rem;margin:2rem auto;padding:0 1rem;'
        'font-family:system-ui,sans-serif"><h1>Accuracy by kind of question</h1><p>Decidable questions that were '
        "answered rightly; lines are 95 % intervals over patients.</p>"
    )
    return page + "".join(parts) + "</body></html>\n"
