"""``tumortrace trace``: look at the record of a run, and check that it is what was written."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from agent.errors import UsageError
from agent.runs import RunFolder, Runs
from agent.settings import Settings
from agent.trace_schema import Event, Kind
from agent.trace_verify import Verification, read_events, verify
from agent.trace_view import printable, show
from tools.types import canonical_json

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Run id, the beginning of one, a run's folder or its trace.", show_default=False
    ),
]
_MAX_SHOWN = 50


def register(app: typer.Typer) -> None:
    """Add the ``trace`` commands to the program."""
    commands = typer.Typer(help="Look at the record of a run, and verify it.", no_args_is_help=True)
    commands.command("list")(list_runs)
    commands.command("show")(show_trace)
    commands.command("verify")(verify_trace)
    app.add_typer(commands, name="trace")


def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")] = 20,
) -> None:
    """List the newest runs: id, start, state and folder; an interrupted one can be resumed by its id."""
    console = Console(highlight=False)
    for entry in Runs(Settings().home).latest(limit):
        line = f"{entry.id}  {entry.created}  {entry.status:<12}  {printable(str(entry.folder), 400)}"
        console.print(Text(line), soft_wrap=True)


def show_trace(
    run: RunArgument,
    json: Annotated[bool, typer.Option("--json", help="One JSON object with all events.")] = False,
    kind: Annotated[str | None, typer.Option("--kind", help='Only this kind ("verdict") or family ("tool").')] = None,
) -> None:
    """Show what happened in a run, in order, with times, tools, values and verdicts.

    The trace is shown as it stands, unverified.
    """
    folder = _find(run)
    families = {str(known) for known in Kind} | {str(known).partition(".")[0] for known in Kind}
    if kind is not None and kind not in families:
        raise UsageError(f"There is no event kind {kind!r}; choose one of {', '.join(sorted(families))}.")
    if not json:
        show(Console(highlight=False), read_events(folder.trace), kind)
        return
    events = [event for event in read_events(folder.trace) if isinstance(event, Event)]
    chosen = [e.model_dump() for e in events if kind is None or e.kind == kind or e.kind.startswith(f"{kind}.")]
    sys.stdout.write(canonical_json({"schema": "tumortrace.trace/1", "run_id": folder.id, "events": chosen}) + "\n")


def verify_trace(run: RunArgument) -> None:
    """Check that no event of a run was changed, removed, added or moved, and that its files are as written.

    Exit code 0 when all is well, 1 when anything is wrong or the run is unfinished.
    """
    settings = Settings()
    folder = _find(run)
    key = settings.trace_key.get_secret_value().encode() if settings.trace_key else None
    found = verify(folder.trace, key)
    _tell(Console(highlight=False), folder, found)
    if not found.ok:
        raise typer.Exit(1)


def _find(run: str) -> RunFolder:
    return Runs(Settings().home).find(run)


def _tell(console: Console, folder: RunFolder, found: Verification) -> None:
    name = printable(found.run_id or folder.id)
    for problem in found.problems[:_MAX_SHOWN]:
        console.print(Text(printable(str(problem), 400), style="yellow"), soft_wrap=True)
    if len(found.problems) > _MAX_SHOWN:
        console.print(Text(f"and {len(found.problems) - _MAX_SHOWN} more problems"), soft_wrap=True)
    broken = [problem for problem in found.problems if problem.kind_of != "incomplete"]
    if found.ok:
        hashes = "keyed hashes" if found.keyed else "hashes"
        line = f"OK: run {name}, {found.events} events and {found.artifacts} files match their {hashes}."
        console.print(Text(line, style="green"), soft_wrap=True)
    elif broken:
        what = f"{len(broken)} problem{'s' if len(broken) > 1 else ''}"
        console.print(Text(f"FAILED: run {name}, {what} in {found.events} events.", style="bold red"), soft_wrap=True)
    else:
        line = f"INCOMPLETE: run {name}, {found.events} events match their hashes, but it has no end."
        console.print(Text(line, style="bold yellow"), soft_wrap=True)
