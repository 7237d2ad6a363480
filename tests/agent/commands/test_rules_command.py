"""``tumortrace rules``: every rule with its limits, conditions and citation."""

from __future__ import annotations

import re

import pytest
import typer
from typer.testing import CliRunner

from agent.commands.rules import register
from agent.errors import UsageError
from tools.rules.model import Rule, load_rules
from tools.rules.table import TableRule


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    program = typer.Typer()
    register(program)
    return program


def said(app: typer.Typer, *words: str) -> str:
    result = CliRunner().invoke(app, ["rules", *words], env={"COLUMNS": "40"})
    assert result.exit_code == 0, result.output
    return result.output


def test_every_rule_is_listed_once_with_its_source_and_citation(app: typer.Typer) -> None:
    lines = said(app, "list").splitlines()
    for ident, rule in load_rules().items():
        rows = [number for number, line in enumerate(lines) if line.split(" (")[0] == f"    {ident}"]
        assert len(rows) == 1, ident
        assert rule.source in lines[rows[0]]
        assert lines[rows[0] + 1].strip() == rule.citation
        assert all(phase in lines[rows[0]] for phase in rule.phases)


def test_the_list_is_grouped_by_organ_and_topic(app: typer.Typer) -> None:
    organ = topic = ""
    seen: dict[str, tuple[str, str]] = {}
    headings: list[str] = []
    for line in said(app, "list").splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            organ = line
            headings.append(organ)
        elif depth == 2:
            topic = line.strip()
        elif depth == 4:
            seen[line.strip().split(" (")[0]] = (organ, topic)
    assert len(set(headings)) == len(headings)
    assert seen["spleen-grade-bezerra"] == ("spleen", "enlargement grade")
    assert seen["kidney-small-knowledge-base"] == ("kidney", "small")


@pytest.mark.parametrize("ident", sorted(load_rules()))
def test_a_rule_is_shown_with_everything_that_it_rests_on(app: typer.Typer, ident: str) -> None:
    rule, text = load_rules()[ident], said(app, "show", ident)
    assert f"Citation: {rule.citation}\n" in text
    assert rule.source in text
    assert rule.note in text
    plain = [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text)]
    if isinstance(rule, TableRule):
        for one in rule.inputs.values():
            assert one.says in text
            assert one.unseen is None or one.unseen in text
        for need in rule.needs:
            assert need.refusal in text
        assert all(str(verdict) in text for verdict in rule.verdicts if isinstance(verdict, str))
        edges = [limit for name in rule.inputs for limit in rule.limits(name)]
    else:
        assert all(words in text for words in rule.text.values())
        edges = [edge for criterion in rule.criteria for edge in criterion.edges]
    assert set(edges) <= set(plain)


@pytest.mark.parametrize(
    ("ident", "line"),
    [
        ("spleen-enlarged-bezerra", "at most 314.5 cm³: is not enlarged"),
        ("spleen-enlarged-bezerra", "more than 314.5 cm³: is enlarged"),
        ("liver-small-knowledge-base", "less than 1000 cm³: is small"),
        ("liver-small-knowledge-base", "at least 1000 cm³: is not small"),
        ("kidney-normal-knowledge-base", "at least 130 cm³ and at most 260 cm³: is of normal size"),
        ("pancreas-fatty-radgpt", "at most 0.7: is fatty"),
        ("pancreas-fatty-knowledge-base", "less than 0.7: is fatty"),
    ],
)
def test_the_side_of_a_limit_is_said(app: typer.Typer, ident: str, line: str) -> None:
    assert isinstance(load_rules()[ident], Rule)
    assert line in [one.strip() for one in said(app, "show", ident).splitlines()]


def test_an_unknown_rule_is_one_sentence(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["rules", "show", "nonsense"])
    assert isinstance(result.exception, UsageError)
    assert "There is no rule 'nonsense'" in str(result.exception)
