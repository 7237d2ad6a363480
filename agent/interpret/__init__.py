"""From free English to typed questions, and from values to the options of a multiple choice.

A question is understood only if every word of it is accounted for; what is left over makes it `NotUnderstood`,
with the words named, and nothing else is answered in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.errors import UsageError
from agent.interpret.asking_back import Ask, Unclear, choices, lesions, unlocated
from agent.interpret.attempts import STOPS, Attempt, attempts, parsed
from agent.interpret.categories import is_wanted
from agent.interpret.clauses import Piece, sentence
from agent.interpret.follow_up import Antecedent, last_question
from agent.interpret.for_options import for_options, offered_structures
from agent.interpret.items import Item
from agent.interpret.lexicon import Phrase
from agent.interpret.match import Fit, Misfit
from agent.interpret.nearest import likely_typo, nearest_questions
from agent.interpret.numbered import spoken_of
from agent.interpret.options import OptionChoice, choose_option
from agent.interpret.other_side import with_side
from agent.interpret.reading import user_names
from agent.interpret.refusals import no_diagnosis
from agent.interpret.scan_words import Token, tokenise
from agent.interpret.short_names import short_names
from agent.interpret.which_lesion import which_lesion
from agent.query import NotUnderstood, Query

__all__ = ["OptionChoice", "choose_option", "interpret", "is_wanted"]

MAX_CHARACTERS = 2000
MAX_QUESTIONS = 12
_ECHOES = frozenset({"does he", "does she", "does it", "do they", "is it", "is there", "are there", "has he"})
_SHORT_NUMBER = frozenset({"no", "nr", "num"})
_SAYS_NOTHING = ("polite", "joint", "mark", "tag")


def interpret(
    text: str, *, previous: Sequence[Query] = (), available: Collection[str] = (), options: Sequence[str] = ()
) -> list[Query | NotUnderstood]:
    """Understand the questions of a text.

    Args:
        text: one or several questions in English.
        previous: what was asked before in the same dialogue, the last one last; follow-ups complete themselves
            from its last question.
        available: identifiers of the structures labelled in the scan: names that only the user knows are
            found by them, and the nearest questions speak of them. They change what is understood only where a
            question may mean several of them ("the lesion"): then it is not, and its choices name them.
        options: choices of a multiple-choice question: they may name the structures that are compared, and tell
            which of two kinds of answer is meant.

    Returns:
        in the order of the text, a query per question (one per structure where several are asked about), or
        why a question was not understood, with what it may mean where only that is unclear.

    Raises:
        UsageError: a text too long, or with too many questions.
    """
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"The question has {len(text)} characters; please ask in at most {MAX_CHARACTERS}.")
    return _interpret(text, previous, available, options, Help(available, not options))


@dataclass(frozen=True)
class Help:
    """What is offered in place of questions that are not answered.

    Attributes:
        available: identifiers of the structures labelled in the scan.
        asks: whether questions that may mean several of them are asked back; the options of a multiple choice tell.
    """

    available: Collection[str]
    asks: bool


def _interpret(
    text: str, previous: Sequence[Query], available: Collection[str], options: Sequence[str], help_: Help | None
) -> list[Query | NotUnderstood]:
    def ask(said: str, before: Sequence[Query]) -> list[Query | NotUnderstood]:
        return _interpret(said, before, available, (), None)

    def ask_back(said: str, before: Sequence[Query]) -> list[Query | NotUnderstood]:
        return _interpret(said, before, available, (), help_)

    names = user_names(available)
    entries: list[Query | NotUnderstood] = []
    before = last_question(spoken_of(previous), names)
    scene = _Scene(text, names, offered_structures(options), lesions(available))
    sentences = _sentences(tokenise(text))
    if len(sentences) > MAX_QUESTIONS * 4:
        raise UsageError(f"Please ask at most {MAX_QUESTIONS} questions at once.")
    for said in sentences:
        tokens = with_side(said, before.structures) if before else said
        words = [token for token in tokens if token.text not in STOPS]
        if entries and " ".join(token.text for token in words) in _ECHOES:
            continue
        found = _read(scene, tokens, before)
        if found is None:
            continue
        tokens, pieces = found
        for piece in pieces:
            past = before.queries if before else ()
            here = Unclear(_slice(text, tokens, piece.items), piece.items, _spans(tokens, piece.items), past)
            unclear = None
            if isinstance(piece.found, Fit) and help_ is not None and help_.asks:
                unclear = unlocated(here, piece.found.queries, available, ask, ask_back)
            if unclear is not None:
                entries.append(NotUnderstood(text=here.text, reason=f"{unclear[0]}.", choices=unclear[1]))
                before = None
            elif isinstance(piece.found, Fit):
                entries += (
                    [for_options(query, options) for query in piece.found.queries] if options else piece.found.queries
                )
                before = Antecedent(piece.found.queries, piece.said)
            else:
                entry = _not_understood(piece.found, here, names, help_, (ask, ask_back))
                if help_ is not None and help_.asks and len(pieces) == 1:
                    entry = which_lesion(entry, text, tokens, before, available, (ask, ask_back))
                entries.append(entry)
                before = None
        if len(entries) > MAX_QUESTIONS:
            raise UsageError(f"Please ask at most {MAX_QUESTIONS} questions at once.")
    if not entries:
        nothing = Misfit("There is no question in it")
        entries.append(_not_understood(nothing, Unclear(text.strip(), (), {}, ()), names, help_, (ask, ask_back)))
    return entries


@dataclass(frozen=True)
class _Scene:
    """What all sentences of a text are read with.

    Attributes:
        text: the text.
        names: names of structures that only this scan has.
        offered: structures that the options of a multiple choice name.
        classes: lesion classes of the scan.
    """

    text: str
    names: dict[Phrase, str]
    offered: Sequence[str]
    classes: Sequence[str]


def _read(
    scene: _Scene, tokens: Sequence[Token], before: Antecedent | None
) -> tuple[list[Token], Sequence[Piece]] | None:
    """The first reading of a sentence of which every part is understood, else the plain one; None if it says nothing.

    Returns:
        the words that the reading is of, and its parts.
    """
    names = {**(short_names(before.structures) if before else {}), **scene.names}
    plain: tuple[list[Token], Sequence[Piece]] | None = None
    for one in attempts(tokens, before, names, scene.classes):
        if not one.items or all(item.role == "filler" and item.is_filler(*_SAYS_NOTHING) for item in one.items):
            if one.plain:
                return None
            continue
        pieces = _pieces(scene, one, before)
        if one.plain:
            plain = (one.tokens, pieces)
        fits = [piece.found for piece in pieces if isinstance(piece.found, Fit)]
        kinds = {query.kind for fit in fits for query in fit.queries}
        if len(fits) == len(pieces) and (not one.only or kinds <= one.only):
            return one.tokens, pieces
    if plain is not None:
        return plain
    items = parsed(tokens, names)
    return list(tokens), [Piece(tuple(items), Misfit("I know these words, but not what all of them mean together"))]


def _pieces(scene: _Scene, one: Attempt, before: Antecedent | None) -> list[Piece]:
    def text_of(part: Sequence[Item]) -> str:
        return _slice(scene.text, one.tokens, part)

    return sentence(one.items, before, text_of, scene.offered)


def _sentences(tokens: Sequence[Token]) -> list[list[Token]]:
    sentences: list[list[Token]] = [[]]
    for n, token in enumerate(tokens):
        if token.text == "." and n and tokens[n - 1].text in _SHORT_NUMBER and _is_number(tokens[n + 1 : n + 2]):
            continue
        sentences[-1].append(token)
        if token.text in STOPS:
            sentences.append([])
    return [one for one in sentences if any(token.text not in STOPS for token in one)]


def _is_number(tokens: Sequence[Token]) -> bool:
    return bool(tokens) and tokens[0].text.isdecimal()


def _slice(text: str, tokens: Sequence[Token], items: Sequence[Item]) -> str:
    """The words of some items as the user put them, with the mark that ends the sentence."""
    words = [token for token in tokens if token.text not in STOPS]
    if not items:
        return ""
    end = words[items[-1].end - 1].end
    if items[-1].end == len(words):
        end = tokens[-1].end
    return text[words[items[0].start].start : end].strip()


def _spans(tokens: Sequence[Token], items: Sequence[Item]) -> dict[int, tuple[int, int]]:
    """First character, and one past the last, of each item in the words of all of them."""
    words = [token for token in tokens if token.text not in STOPS]
    first = words[items[0].start].start if items else 0
    return {item.start: (words[item.start].start - first, words[item.end - 1].end - first) for item in items}


def _not_understood(
    found: Misfit, asked: Unclear, names: dict[tuple[str, ...], str], help_: Help | None, asks: tuple[Ask, Ask]
) -> NotUnderstood:
    undiagnosed = no_diagnosis(asked.text)
    reason = undiagnosed or found.reason
    if help_ is None:
        return NotUnderstood(text=asked.text, reason=f"{reason}.")
    typos = {word: known for word in found.unknown if (known := likely_typo(word))}
    if typos:
        meant = ", ".join(f'"{known}" for "{word}"' for word, known in typos.items())
        reason += f" (perhaps {meant})"
    questions = nearest_questions(asked.text, found.concepts, found.structures, help_.available, names)
    offered = choices(asked, found, help_.available, *asks) if help_.asks and asked.items else ()
    if offered and found.unknown and undiagnosed is None:
        reason = "It is unclear which one is meant"
    return NotUnderstood(text=asked.text, reason=reason + ".", nearest=questions, choices=offered)
