"""The corpus of guideline passages: limits, citations, identifiers, and numbers that equal the rules'."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from agent.errors import UsageError
from retrieval.passages import MAX_FILE_BYTES, Corpus, Passage, load_corpus, read_corpus
from tools.ontology import load_ontology
from tools.rules.model import Rule, load_rules

CORPUS = load_corpus()
_UNITS = r"cm3|cm³|mm3|mm³|mm|cm|HU|degrees|%|years"
_WITH_UNIT = re.compile(rf"(?<![\w.])(-?\d+(?:\.\d+)?)(?=(?:,| to| and| or|,? \d|\d|[ .])*(?:{_UNITS})\b|\s?%)")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")

GOOD: dict[str, Any] = {
    "id": "a-passage", "title": "A title that is long enough",
    "text": "This is a first sentence of a passage that is long enough to be kept. This is a second sentence of it.",
    "topic": "limits", "citations": [{"source": "known"}], "reviewed": "2026-11-22", "reviewer": "project",
}  # fmt: skip
SOURCES: dict[str, Any] = {"known": {"text": "A work that is known to us", "year": 2020}}


def write(folder: Path, *rows: dict[str, Any], sources: dict[str, Any] | None = None) -> Path:
    own = [{key: value for key, value in row.items() if key not in {"reviewed", "reviewer"}} for row in rows]
    file = {"reviewed": "2026-11-22", "reviewer": "project", "passages": own}
    (folder / "some.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
    given = {"sources": SOURCES if sources is None else sources}
    (folder / "_sources.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    return folder


def numbers_of(ident: str) -> set[float]:
    """Numbers that a rule compares with, without their sign."""
    rule = load_rules()[ident]
    if isinstance(rule, Rule):
        return {edge for criterion in rule.criteria for edge in criterion.edges}
    return {limit for name in rule.inputs for limit in rule.limits(name)}


def test_the_corpus_has_the_promised_breadth() -> None:
    assert 80 <= len(CORPUS.passages) <= 160
    topics = {one.topic for one in CORPUS.passages}
    assert {"staging", "threshold", "differential", "resectability", "reporting", "limits", "follow_up"} <= topics
    organs = {organ for one in CORPUS.passages for organ in one.organs}
    assert {"pancreas", "liver", "kidney", "colon", "lung", "spleen", "stomach", "esophagus"} <= organs
    for polarity in ("presence", "absence", "neutral"):
        assert sum(one.polarity == polarity for one in CORPUS.passages) >= 10


@pytest.mark.parametrize("one", CORPUS.passages, ids=lambda one: one.id)
def test_a_passage_names_what_the_ontology_knows(one: Passage) -> None:
    ontology = load_ontology()
    assert set(one.organs) <= set(ontology.structures)
    assert set(one.lesion_types) <= set(ontology.lesion_types)
    for lesion in one.lesion_types:
        own = ontology.lesion_types[lesion].organ
        assert own is None or not one.organs or any(own in {o, ontology.get(o).part_of} for o in one.organs), lesion


@pytest.mark.parametrize("one", CORPUS.passages, ids=lambda one: one.id)
def test_a_passage_says_where_it_is_from(one: Passage) -> None:
    full = CORPUS.cited(one)
    assert full and all(len(text) > 20 for text in full)
    assert len(set(full)) == len(full)


def test_every_source_is_cited_somewhere_and_carries_its_year() -> None:
    graph = (Path(__file__).parents[2] / "retrieval/knowledge/organ_graph.yaml").read_text(encoding="utf-8")
    used = {citation.source for one in CORPUS.passages for citation in one.citations}
    for key, source in CORPUS.sources.items():
        assert key in used or f"source: {key}" in graph, key
        years = [int(found) for found in re.findall(r"\b(?:19|20)\d\d\b", source.text)]
        assert not years or source.year in years, key


@pytest.mark.parametrize("one", [one for one in CORPUS.passages if one.facts], ids=lambda one: one.id)
def test_numbers_that_repeat_a_rule_are_the_rules(one: Passage) -> None:
    for fact in one.facts:
        assert fact.rule in load_rules()
        known = {abs(number) for number in numbers_of(fact.rule)}
        assert {abs(value) for value in fact.values} <= known, fact.rule
    stated = {abs(value) for fact in one.facts for value in fact.values}
    written = {abs(float(found)) for found in _NUMBER.findall(one.text)}
    assert stated <= written
    assert {abs(float(found)) for found in _WITH_UNIT.findall(one.text)} <= stated


def test_numbers_with_units_are_found_in_lists() -> None:
    found = _WITH_UNIT.findall("It is T1 up to 2 cm, limits at 58, 51 and 39 HU, from 0.5 to 20 mm, 75 % or 35 years.")
    assert found == ["2", "58", "51", "39", "0.5", "20", "75", "35"]


def test_no_passage_copies_another() -> None:
    texts = [one.text for one in CORPUS.passages]
    assert len(set(texts)) == len(texts)
    assert len({one.title for one in CORPUS.passages}) == len(texts)


@pytest.mark.parametrize(
    "change",
    [
        {"citations": []},
        {"citations": [{"source": ""}]},
        {"text": "Too short. Yes."},
        {"text": "One sentence alone, however long it may be, is no passage since nothing tells its limits here."},
        {"text": "A sentence. " * 9},
        {"text": "A long sentence that goes on and on. " * 40},
        {"text": GOOD["text"] + " \x1b[31mred"},
        {"id": "Not An Id"},
        {"polarity": "maybe"},
        {"phases": ["later"]},
        {"topic": "gossip"},
        {"reviewer": "nobody"},
        {"facts": [{"rule": "a-rule", "values": []}]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_malformed_passage_is_refused(change: dict[str, Any]) -> None:
    assert Passage.model_validate(GOOD).polarity == "neutral"
    with pytest.raises(ValidationError):
        Passage.model_validate({**GOOD, **change})


def test_files_are_read_in_any_order_and_sorted(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": name} for name in ("c-one", "a-one", "b-one")]
    assert [one.id for one in read_corpus(write(tmp_path, *rows)).passages] == ["a-one", "b-one", "c-one"]


@pytest.mark.parametrize(
    ("rows", "sources", "message"),
    [
        ([GOOD, GOOD], SOURCES, "two passages are called a-passage"),
        ([{**GOOD, "citations": [{"source": "strange"}]}], SOURCES, "cites strange"),
        ([{**GOOD, "topic": "gossip"}], SOURCES, "some.yaml has a wrong topic"),
        ([GOOD], {"known": {"text": "short", "year": 2020}}, r"_sources.yaml has a wrong sources.known.text"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    rows: list[dict[str, Any]], sources: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        read_corpus(write(tmp_path, *rows, sources=sources))


def test_what_is_no_yaml_or_too_large_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD)
    (folder / "some.yaml").write_text("a: [b", encoding="utf-8")
    with pytest.raises(UsageError, match="not readable as YAML"):
        read_corpus(folder)
    (folder / "some.yaml").write_text("!!python/object/apply:os.getcwd []", encoding="utf-8")
    with pytest.raises(UsageError, match="not readable as YAML"):
        read_corpus(folder)
    (folder / "some.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(UsageError, match="larger than"):
        read_corpus(folder)


def test_an_unknown_passage_is_one_sentence() -> None:
    assert isinstance(CORPUS, Corpus)
    assert CORPUS.get(CORPUS.passages[0].id) == CORPUS.passages[0]
    with pytest.raises(UsageError, match="There is no guideline passage 'nonsense'"):
        CORPUS.get("nonsense")
