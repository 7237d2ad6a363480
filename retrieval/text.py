"""Search in guideline passages: words by BM25, meaning where an encoder is installed, fused by rank.

Organ, phase and polarity filter by the passages' own fields before anything is ranked: sentence encoders know topics
and not negation, so that "no focal lesion" lies as near to "many metastases" as its opposite does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from agent.errors import UsageError
from retrieval.passages import Corpus, Passage, Phase, Polarity, guidelines_folder, load_corpus, read_yaml
from retrieval.text_encoders import TextEncoder, find_text_encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_QUERY = 500
MAX_HITS = 50
_FUSION = 60
"""Constant of reciprocal rank fusion (Cormack GV et al., SIGIR 2009:758-759, doi:10.1145/1571941.1572114)."""
_LEAST_SIMILAR = 0.2
_TITLE_WEIGHT = 2
_WORD = re.compile(r"[a-z]+\d*[a-z]?|\d+(?:\.\d+)?")
_JOINED = re.compile(r"(?<=[a-z])-(?=\d)")
_STOP = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "has", "have", "how", "i",
     "if", "in", "into", "is", "it", "its", "me", "my", "of", "on", "or", "s", "should", "so", "than", "that", "the",
     "their", "then", "there", "they", "this", "to", "was", "were", "what", "when", "where", "which", "who", "why",
     "will", "with", "would", "you"}
)  # fmt: skip
_ENDINGS = ("ements", "ement", "ings", "ing", "ies", "es", "is", "ed", "s", "y", "e")
_SHORTEST_STEM = 4

_NO_ABSENCE = re.compile(
    r"\b(?:no|without|non)[ -]?(?:iv |oral |intravenous )?(?:contrast|enhance\w*)"
    r"|\bnot? (?:only|assessed|measurable|measured|covered|known|sure|excluded|ruled out|doubt|change)\b"
    r"|\bcan(?:not|n?['’]?t) (?:it |this |they )?(?:be )?(?:exclude|rule|ruled out|resect|operat|remov)\w*"
    r"|(?:\bnot|n['’]t) (?:be )?(?:enhanc|resect|opera[bt]|remov)\w*"
)
_ABSENCE = re.compile(
    r"\b(?:no|not|without|none|absent|absence|free of|negative for|never|neither|nor|exclude[sd]?|rule[sd]? out)\b"
    r"|n['’]t\b"
)
_PRESENCE = re.compile(
    r"\b(?:there (?:is|are)|presence of|shows?|showing|multiple|several|suspicious for|consistent with)\b"
)


@dataclass(frozen=True)
class Hit:
    """A passage that fits a query.

    Attributes:
        passage: the passage.
        score: fused score, the sum over the parts of 1 / (60 + rank).
        ranks: rank in each part that found it, from 1: "words", "meaning", and "polarity" among the passages on
            absence where absence is asked for.
        citations: full references.
    """

    passage: Passage
    score: float
    ranks: Mapping[str, int]
    citations: tuple[str, ...]


def polarity_of(text: str) -> Literal["presence", "absence"] | None:
    """Whether plain words ask about something there or something not there; None where they don't say.

    "Without contrast" names a phase and "cannot be excluded" is no absence.
    """
    plain = _NO_ABSENCE.sub(" ", text.lower())
    if _ABSENCE.search(plain):
        return "absence"
    return "presence" if _PRESENCE.search(plain) else None


def words(text: str) -> list[str]:
    """Stems of a text's words, stop words left out; "LR-5" and "T1a" are words."""
    return [_stem(one) for one in _WORD.findall(_JOINED.sub("", _folded(text))) if one not in _STOP]


def _folded(text: str) -> str:
    """Small letters without accents: a passage has none, a query may."""
    apart = unicodedata.normalize("NFKD", text.lower().replace("_", " ").replace("œ", "oe").replace("æ", "ae"))
    return "".join(one for one in apart if not unicodedata.combining(one))


def _stem(word: str) -> str:
    if word.endswith(("ss", "us")):
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word.removesuffix(ending)
    return word


class Synonyms:
    """Groups of phrases that mean the same; a text gains one further word for each group that it names.

    Args:
        groups: phrases of one meaning each.
    """

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._phrases: dict[tuple[str, ...], list[str]] = {}
        for number, group in enumerate(groups):
            for phrase in group:
                if key := tuple(words(phrase)):
                    named = self._phrases.setdefault(key, [])
                    if (concept := f"={number}") not in named:
                        named.append(concept)
        self._longest = max(map(len, self._phrases), default=0)

    def expand(self, text: str) -> list[str]:
        """Stems of a text, followed by the groups that its phrases belong to."""
        found = words(text)
        concepts: list[str] = []
        for at in range(len(found)):
            for length in range(1, min(self._longest, len(found) - at) + 1):
                concepts += self._phrases.get(tuple(found[at : at + length]), [])
        return found + list(dict.fromkeys(concepts))


def ontology_groups() -> Iterator[list[str]]:
    """Names, abbreviations and adjectives of structures and lesions, one group each."""
    data: dict[str, Any] = read_yaml(files("retrieval").joinpath("knowledge/ontology.yaml"))
    for row in [*data["structures"], *data["lesions"]]:
        named = [*row["names"], *row.get("plurals", []), *row.get("adjectives", [])]
        if plain := [str(one) for one in named if "{" not in str(one)]:
            yield plain


def load_groups() -> list[Sequence[str]]:
    """The ontology's groups, and those of ``_synonyms.yaml``."""
    own = read_yaml(guidelines_folder().joinpath("_synonyms.yaml"))["groups"]
    return [*ontology_groups(), *[[str(one) for one in group] for group in own]]


class PassageIndex:
    """A corpus that can be searched.

    Args:
        corpus: the passages.
        groups: phrases that mean the same.
        encoder: finds by meaning as well; None for words alone.
    """

    def __init__(
        self, corpus: Corpus, groups: Iterable[Sequence[str]] = (), encoder: TextEncoder | None = None
    ) -> None:
        self.corpus = corpus
        self.encoder = encoder
        self._synonyms = Synonyms(groups)
        self._words = self._index_words()
        self._vectors: NDArray[np.float32] | None = None

    def search(
        self,
        query: str,
        *,
        organs: Collection[str] = (),
        phase: Phase | None = None,
        polarity: Polarity | Literal["any"] | None = None,
        limit: int = 5,
    ) -> tuple[Hit, ...]:
        """The passages that fit a query, best first; the same query always gives the same order.

        Args:
            query: plain words.
            organs: keep passages on any of these structures, and those on none in particular; empty for all.
            phase: keep passages that hold in this contrast phase.
            polarity: "presence" drops passages on absence and the other way round, "neutral" keeps only those that
                speak of neither, "any" keeps all. None takes it from the words of the query.
            limit: most hits.

        Raises:
            UsageError: for a query that is empty or too long, or a limit out of range.
        """
        if not query.strip() or len(query) > MAX_QUERY:
            raise UsageError(f"A search needs between 1 and {MAX_QUERY} characters, this one has {len(query)}.")
        if not 1 <= limit <= MAX_HITS:
            raise UsageError(f"A search gives between 1 and {MAX_HITS} passages, not {limit}.")
        wanted = (polarity_of(query) or "any") if polarity is None else polarity
        kept = [
            at for at, one in enumerate(self.corpus.passages)
            if _about(one, organs) and _holds_in(one, phase) and _speaks(one, wanted)
        ]  # fmt: skip
        by_words = self._by_words(query, kept)
        # Most passages speak of presence: only stated absence says much about a passage.
        stated = [at for at in by_words if wanted == self.corpus.passages[at].polarity == "absence"]
        parts = {"words": by_words, "polarity": stated, "meaning": self._by_meaning(query, kept)}
        return tuple(self._fuse(parts)[:limit])

    def _index_words(self) -> Any:
        import bm25s  # noqa: PLC0415

        index = bm25s.BM25()
        index.index([self._synonyms.expand(_searched(one)) for one in self.corpus.passages], show_progress=False)
        return index

    def _by_words(self, query: str, kept: Sequence[int]) -> list[int]:
        known = [one for one in self._synonyms.expand(query) if one in self._words.vocab_dict]
        if not known:
            return []
        scores = self._words.get_scores(known)
        return sorted((at for at in kept if scores[at] > 0), key=lambda at: (-float(scores[at]), at))

    def _by_meaning(self, query: str, kept: Sequence[int]) -> list[int]:
        if self.encoder is None:
            return []
        if self._vectors is None:
            self._vectors = self.encoder.encode([f"{one.title}. {one.text}" for one in self.corpus.passages])
        near = self._vectors @ self.encoder.encode([query])[0]
        return sorted((at for at in kept if near[at] >= _LEAST_SIMILAR), key=lambda at: (-float(near[at]), at))

    def _fuse(self, parts: Mapping[str, Sequence[int]]) -> list[Hit]:
        ranks: dict[int, dict[str, int]] = {}
        for part, order in parts.items():
            for rank, at in enumerate(order[:MAX_HITS], start=1):
                ranks.setdefault(at, {})[part] = rank
        hits = [
            Hit(passage, sum(1 / (_FUSION + rank) for rank in of_one.values()), of_one, self.corpus.cited(passage))
            for at, of_one in ranks.items()
            for passage in (self.corpus.passages[at],)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))


def _searched(one: Passage) -> str:
    fields = [*one.organs, *one.lesion_types, *one.phases, one.topic]
    return " . ".join([*[one.title] * _TITLE_WEIGHT, one.text, *fields])


def _about(one: Passage, organs: Collection[str]) -> bool:
    return not organs or not one.organs or not set(organs).isdisjoint(one.organs)


def _holds_in(one: Passage, phase: Phase | None) -> bool:
    return phase is None or not one.phases or phase in one.phases


def _speaks(one: Passage, wanted: Polarity | Literal["any"]) -> bool:
    return wanted == "any" or one.polarity in {wanted, "neutral"}


@cache
def load_index(*, meaning: bool = False) -> PassageIndex:
    """The index over all passages, built once per process.

    Args:
        meaning: whether an installed encoder takes part; without it the hits are the same on every machine.
    """
    return PassageIndex(load_corpus(), load_groups(), find_text_encoder() if meaning else None)
