"""``tumortrace chat``: questions and follow-ups about one scan in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import typer
from rich.console import Console
from rich.prompt import Prompt

from agent.cases import open_case
from agent.commands import options as o
from agent.engine import Engine
from agent.engines import workshop
from agent.errors import InputError, ModelUnavailable
from agent.library import library, of_patient
from agent.query import Query
from agent.report_model import Report
from agent.settings import Settings

_LEAVE = {"quit", "exit", "bye", "q"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chat")(chat)


def chat(
    scan: o.ScanArgument,
    labels: o.LabelsOption = None,
    class_map: o.ClassMapOption = None,
    phase: o.PhaseOption = None,
    patient: o.PatientOption = None,
    series: o.SeriesOption = None,
    prefer: o.PreferOption = None,
    prior: o.PriorOption = None,
    prior_labels: o.PriorLabelsOption = None,
    model: o.ModelOption = "embedded",
    segment: o.SegmentOption = None,
) -> None:
    """Talk about one scan. Every answer is a run of its own with a trace; "why" shows the last one's evidence."""
    console = Console(highlight=False)
    files = o.case_files(scan, labels, class_map, series, phase, patient, prefer, prior, prior_labels)
    settings = Settings()
    engines, cases = workshop(settings, segment), library(settings)
    with o.progress_bar() as progress:
        case = open_case(files, progress=progress)
    own = of_patient(cases, files.scan, case.scan)
    engine = Engine(settings, o.choose_model(model), workshop=engines, library=own)
    console.print("Ask about the scan. “why” shows the evidence of the last answer, “quit” leaves.", markup=False)
    previous: tuple[Query, ...] = ()
    last: Report | None = None
    while True:
        try:
            words = Prompt.ask("[bold]you[/bold]", console=console).strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if words.lower() in _LEAVE:
            return
        if not words:
            continue
        if words.lower().rstrip("?") in {"why", "evidence", "show evidence"}:
            _why(console, last)
            continue
        try:
            with _listening(console, engine) as listening:
                last, state = listening.ask(case, words, previous=previous, spoken=True)
        except (InputError, ModelUnavailable) as error:
            console.print(str(error), markup=False)
            continue
        understood = tuple(query for query in state.queries if isinstance(query, Query))
        previous = understood or previous
        for line in spoken(last):
            console.print(line, markup=False)
        console.print(f"[dim]{last.status}, run {last.run_id}[/dim]")


@contextmanager
def _listening(console: Console, engine: Engine) -> Iterator[Engine]:
    """The engine, with a sign of life of its model on a terminal: how much it has written."""
    if not console.is_terminal:
        yield engine
        return
    with console.status("looking at the scan") as status:
        yield replace(
            engine,
            progress=lambda what, finished, planned: status.update(
                f"{what.replace('_', ' ')} ({finished} of {planned})"
            ),
            heard=lambda written: status.update(f"the model is writing, {written} characters so far"),
        )


def spoken(made: Report) -> Iterator[str]:
    """What is said of a report: its answers in the order of the conversation, each as it was understood."""
    for number in made.said or range(len(made.answers)):
        answer = made.answers[number]
        if answer.read_as is not None:
            yield f"(A model had to understand the question, as: {answer.read_as})"
        yield answer.text


def _why(console: Console, last: Report | None) -> None:
    if last is None:
        console.print("Nothing was asked yet.")
        return
    cited = dict.fromkeys(ident for answer in last.answers for ident in answer.evidence)
    if not cited:
        console.print("The last answer rests on no evidence.")
    for ident in cited:
        one = last.evidence[ident]
        value = one.value if one.value is not None else one.reason
        console.print(f"  {ident}: {value} {one.unit or ''} [{one.state}] — {one.method}", markup=False)
