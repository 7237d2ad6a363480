"""``tumortrace guidelines``: search the reviewed guideline passages, and read one with its citations."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.errors import UsageError
from retrieval.passages import Passage, load_corpus
from retrieval.text import Hit, load_index
from tools.guidelines import places_of
from tools.ontology import load_ontology


class PhaseOption(StrEnum):
    """Contrast phases."""

    NATIVE = "native"
    ARTERIAL = "arterial"
    PORTAL = "portal"
    DELAYED = "delayed"


class PolarityOption(StrEnum):
    """What passages speak of."""

    PRESENCE = "presence"
    ABSENCE = "absence"
    NEUTRAL = "neutral"
    ANY = "any"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    guidelines = typer.Typer(no_args_is_help=True, help="Reviewed guideline passages, with their sources.")
    guidelines.command("search")(search_passages)
    guidelines.command("show")(show_passage)
    app.add_typer(guidelines, name="guidelines")


def search_passages(
    query: Annotated[str, typer.Argument(metavar="TEXT", help="Plain words.")],
    organ: Annotated[str | None, typer.Option(help="Only passages on this structure or lesion.")] = None,
    phase: Annotated[PhaseOption | None, typer.Option(help="Only passages that hold in this contrast phase.")] = None,
    polarity: Annotated[
        PolarityOption | None,
        typer.Option(help="Passages on something there, or not there; taken from the words if not given."),
    ] = None,
    limit: Annotated[int, typer.Option("-k", "--limit", help="Most passages.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the passages as one JSON object.")] = False,
) -> None:
    """Find passages by words, and by meaning where a sentence encoder is installed."""
    index = load_index(meaning=True)
    hits = index.search(
        query, organs=_places(organ) if organ is not None else (), phase=phase.value if phase is not None else None,
        polarity=polarity.value if polarity is not None else None, limit=limit,
    )  # fmt: skip
    if as_json:
        encoder = index.encoder.name if index.encoder is not None else None
        typer.echo(json.dumps({"query": query, "encoder": encoder, "passages": [_as_json(hit) for hit in hits]}))
    elif hits:
        Console().print(_table(hits))
    else:
        _say("No guideline passage fits these words.")


def show_passage(ident: str) -> None:
    """Show one passage: its text, what it holds for, its citations and its review."""
    corpus = load_corpus()
    passage = corpus.get(ident)
    _say(passage.title, bold=True)
    _say(passage.text)
    for label, values in _fields(passage):
        _say(f"{label}: {values}")
    for citation in corpus.cited(passage):
        _say(f"Citation: {citation}")
    _say(f"Reviewed: {passage.reviewed.isoformat()} ({passage.reviewer})")


def _fields(passage: Passage) -> list[tuple[str, str]]:
    ontology = load_ontology()
    facts = [f"{one.rule} ({', '.join(f'{value:g}' for value in one.values)})" for one in passage.facts]
    rows = [
        ("Id", passage.id),
        ("Topic", passage.topic.replace("_", " ")),
        ("Speaks of", {"presence": "something there", "absence": "something not there"}.get(passage.polarity, "")),
        ("Organs", ", ".join(ontology.get(one).name for one in passage.organs)),
        ("Lesions", ", ".join(ontology.lesion_types[one].name for one in passage.lesion_types)),
        ("Phases", ", ".join(passage.phases)),
        ("Rules with the same numbers", ", ".join(facts)),
    ]
    return [(label, values) for label, values in rows if values]


def _places(organ: str) -> tuple[str, ...]:
    found = load_ontology().normalise(organ[:200])
    if found is None:
        raise UsageError(
            f"There is no structure called {organ[:80]!r}; --organ takes a name such as liver or pancreas."
        )
    return places_of(found)


def _as_json(hit: Hit) -> dict[str, Any]:
    passage = hit.passage.model_dump(mode="json", exclude={"citations"})
    return {**passage, "citations": list(hit.citations), "score": round(hit.score, 6), "ranks": dict(hit.ranks)}


def _table(hits: tuple[Hit, ...]) -> Table:
    # Text objects: nothing in a passage is read as markup.
    table = Table(show_lines=True)
    for name in ("passage", "says", "rests on"):
        table.add_column(name, overflow="fold")
    for hit in hits:
        one = hit.passage
        says = Text(f"{one.title}\n", style="bold").append(one.text, style="not bold")
        table.add_row(Text(one.id), says, Text("\n".join(hit.citations)))
    return table


def _say(line: str, *, bold: bool = False) -> None:
    """One line as it is: no markup, and no wrapping, which would break identifiers."""
    Console().print(line, style="bold" if bold else None, markup=False, highlight=False, soft_wrap=True)
