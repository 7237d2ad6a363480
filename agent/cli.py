"""The command line, assembled from entry points of the group ``tumortrace.commands``.

What the user did wrong ends in one sentence and the exit code of its error; anything else is a programming error and
shows its traceback.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer
from rich.console import Console

from agent.disk import disk_fault
from agent.errors import SeriesChoiceError, TumorTraceError

GROUP = "tumortrace.commands"
INTERRUPTED = 130


def build_app(command: str | None = None) -> typer.Typer:
    """The app with the command asked for, or with all where that is none of them.

    Args:
        command: first word of the command line. An entry point is called like its command, so that one command
            doesn't wait for the imports of all.
    """
    points = sorted(entry_points(group=GROUP), key=lambda one: one.name)
    chosen = [point for point in points if point.name == command] or points
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Ask questions about a CT scan; every number in an answer traces to its evidence. Research use only.",
    )

    @app.callback()
    def main_options(
        show_version: Annotated[
            bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)
        ] = False,
    ) -> None:
        if show_version:
            typer.echo(f"tumortrace {version('tumortrace')}")
            raise typer.Exit

    main_options.__doc__ = None
    for point in chosen:
        point.load()(app)
    return app


def main() -> None:
    """Run the command line and exit."""
    try:
        build_app(sys.argv[1] if len(sys.argv) > 1 else None)()
    except TumorTraceError as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"Error: {_harmless(str(error))}", markup=False)
        if isinstance(error, SeriesChoiceError):
            for uid, line in error.series.items():
                console.print(_harmless(f"  {uid}  {line}"), markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except (OSError, sqlite3.Error) as error:
        fault = disk_fault(error)
        if fault is None:
            raise
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"Error: {_harmless(str(fault))}", markup=False)
        sys.exit(fault.exit_code)


def _harmless(text: str) -> str:
    """A text without control characters: names in a message may come from a stranger's files."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


if __name__ == "__main__":
    main()
