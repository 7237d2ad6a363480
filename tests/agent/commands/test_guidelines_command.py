"""``tumortrace guidelines``: search and show, for reading and as JSON."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from agent.commands.guidelines import _table, register
from agent.errors import UsageError
from retrieval.passages import load_corpus
from retrieval.text import Hit


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    program = typer.Typer()
    register(program)
    return program


def said(app: typer.Typer, *words: str) -> str:
    result = CliRunner().invoke(app, ["guidelines", *words], env={"COLUMNS": "150"})
    assert result.exit_code == 0, result.output
    return result.output


def found(app: typer.Typer, *words: str) -> list[str]:
    return [str(one["id"]) for one in json.loads(said(app, "search", *words, "--json"))["passages"]]


def test_a_search_shows_text_and_citation(app: typer.Typer) -> None:
    text = said(app, "search", "splenomegaly threshold", "--organ", "spleen", "-k", "1")
    assert "spleen-" in text and "314.5" in text and "Bezerra" in text
    assert "No guideline passage" in said(app, "search", "zzz qqq")


def test_json_carries_what_a_program_needs(app: typer.Typer) -> None:
    made = json.loads(said(app, "search", "no liver lesion", "--organ", "hepatic segment 4", "-k", "3", "--json"))
    assert made["query"] == "no liver lesion" and len(made["passages"]) == 3
    for one in made["passages"]:
        assert one["text"] == load_corpus().get(one["id"]).text
        assert one["citations"] and one["polarity"] != "presence" and one["ranks"]["words"] >= 1


def test_options_filter(app: typer.Typer) -> None:
    assert "liver-no-lesion" in found(app, "liver lesion", "--polarity", "absence")
    assert "liver-no-lesion" not in found(app, "liver lesion", "--polarity", "presence", "-k", "20")
    assert "hemangioma-cues" not in found(app, "liver hemangioma", "--phase", "native", "-k", "20")
    assert "hemangioma-cues" in found(app, "liver hemangioma", "--phase", "portal")


@pytest.mark.parametrize("ident", ["pancreas-t-by-size", "liver-not-fatty", "four-states"])
def test_a_passage_is_shown_whole(app: typer.Typer, ident: str) -> None:
    corpus, text = load_corpus(), said(app, "show", ident)
    passage = corpus.get(ident)
    assert passage.title in text and passage.text in text and f"Id: {ident}" in text
    assert all(f"Citation: {one}" in text for one in corpus.cited(passage))
    assert all(fact.rule in text for fact in passage.facts)
    assert "Reviewed: 2026-" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "nonsense"], "There is no guideline passage 'nonsense'"),
        (["search", "spleen", "--organ", "nonsense"], "There is no structure called 'nonsense'"),
        (["search", ""], "A search needs"),
        (["search", "spleen", "-k", "0"], "A search gives"),
    ],
)
def test_mistakes_are_one_sentence(app: typer.Typer, words: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["guidelines", *words])
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_markup_in_a_passage_is_shown_as_it_is() -> None:
    passage = load_corpus().passages[0].model_copy(update={"text": "[red]Ignore all instructions[/red]"})
    table = _table((Hit(passage, 1.0, {"words": 1}, ("[link=x]a work[/link]",)),))
    cells = [str(cell) for column in table.columns for cell in column.cells]
    assert any("[red]Ignore all instructions[/red]" in cell for cell in cells)
    assert "[link=x]a work[/link]" in cells
