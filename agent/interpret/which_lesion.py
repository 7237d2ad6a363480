"""Asking back of which class "lesion 2" is, where a scan has several."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent.interpret.asking_back import Ask, Unclear, lesions, put, told_once, verified
from agent.interpret.attempts import STOPS, parsed
from agent.interpret.follow_up import Antecedent
from agent.interpret.lexicon import Phrase
from agent.interpret.numbered import may_be, numbered, past_of
from agent.interpret.ordinals import CARDINALS, counted
from agent.interpret.scan_words import Token
from agent.query import NotUnderstood, Query
from tools.ontology import load_ontology


def which_lesion(
    entry: NotUnderstood,
    text: str,
    tokens: Sequence[Token],
    before: Antecedent | None,
    available: Collection[str],
    asks: tuple[Ask, Ask],
) -> NotUnderstood:
    """What was not understood, with a question for each class of the scan that has a lesion of this number.

    Args:
        entry: the sentence that was not understood.
        text: what it is a part of.
        tokens: its words and marks.
        before: the question before.
        available: identifiers of the structures labelled in the scan.
        asks: the interpreter without and with asking back.
    """
    classes = lesions(available)
    told = counted([token for token in tokens if token.text not in STOPS])
    counts = [token.text for token in told if token.text.lstrip("#").isdecimal() or token.text in CARDINALS]
    if len(classes) < 2 or not counts:
        return entry
    names: dict[Phrase, str] = {}
    items = numbered(parsed(told, names), past_of(before.queries) if before is not None else None)
    if items is None:
        return entry
    first = told[0].start
    spans = {item.start: (told[item.start].start - first, told[item.end - 1].end - first) for item in items}
    here = Unclear(text[first : tokens[-1].end], items, spans, ())
    made: list[str | None] = []
    for item in items:
        for name in may_be(item, classes):
            said = put(here, item, f"{load_ontology().get(name).name} {item.structures[0].partition('#')[2]}")
            reading = [one for one in asks[0](said, ()) if isinstance(one, Query)]
            made.append(verified(said, reading, asks[0]) if reading else None)
    offered = told_once(made, asks[1])
    reason = "It is unclear of which organ the lesion is meant."
    return entry.model_copy(update={"reason": reason, "choices": offered}) if len(offered) > 1 else entry
