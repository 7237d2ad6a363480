"""Sixteen questions at once on one model server, against one after another; and how often its prefix cache hits.

    python -m evals.bench.serving [URL[#NAME]] [--questions 16] [--passes 2]

Without a URL it takes the one in ``TUMORTRACE_VLLM_URL``. Both ways ask the same questions, of synthetic patients of
equal make, a new one every time, so that neither finds the evidence of the other in the server's cache; one question
before all warms up what they share, the instructions. The baseline, one after another, is measured in turns with the
other way, so that a machine that gets slower or faster meanwhile does so for both. The cache's queries and hits come
from the server's own metrics, read before and after every conclusion of the baseline and put down to its round.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from agent.cases import CaseFiles, open_case
from agent.commands.options import choose_model
from agent.engine import Engine
from agent.errors import UsageError
from agent.models.protocol import Heard, Images, ReasoningModel
from agent.models.usage import Call, Usage
from agent.query import NotUnderstood, Query
from agent.report_model import Report
from agent.settings import Settings
from agent.state import Conclusion, Objection, Request, RunState, Task
from evals.phantom import make_phantom
from evals.phantom_io import write_phantom
from evals.phantom_options import PhantomOptions
from tools.base import Case

QUESTIONS = [
    *(f"What is the volume of the {name}?" for name in (
        "liver", "spleen", "pancreas", "gallbladder", "left kidney", "right kidney", "stomach", "urinary bladder",
    )),
    "Is the spleen enlarged?", "How many liver lesions are there?", "Is there fatty liver?",
    "What is the mean HU of the liver?", "What is the mean HU of the spleen?", "Which kidney is larger?",
    "Are there any kidney cysts?", "What is the largest diameter of the aorta?",
]  # fmt: skip
WARM_UP = "What is the volume of the colon?"
METRIC = re.compile(r"^vllm:prefix_cache_(queries|hits)(?:_total)?\{[^}]*\} (\S+)$", re.MULTILINE)
MAX_METRICS_BYTES = 8 * 2**20


@dataclass
class Hits:
    """Tokens looked up in the server's prefix cache, and found there, by round.

    Attributes:
        url: the server's API.
        queries, hits: round → tokens.
    """

    url: str
    queries: Counter[int] = field(default_factory=Counter)
    hits: Counter[int] = field(default_factory=Counter)

    def read(self) -> tuple[float, float]:
        """Queries and hits since the server started.

        Raises:
            UsageError: the server doesn't tell.
        """
        address = self.url.partition("#")[0].rstrip("/").removesuffix("/v1") + "/metrics"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  (the user's own address)
                text = answer.read(MAX_METRICS_BYTES).decode(errors="replace")
        except OSError as error:
            raise UsageError(f"The metrics of the server can't be read at {address}.") from error
        found: Counter[str] = Counter()
        for name, value in METRIC.findall(text):
            found[name] += float(value)  # type: ignore[assignment]  # one row for each engine
        if not found:
            raise UsageError("The server tells nothing of a prefix cache in its metrics.")
        return found["queries"], found["hits"]

    def during(self, number: int, work: Callable[[], Conclusion]) -> Conclusion:
        """Do the work of a round, and put down to it what the server looked up meanwhile."""
        before = self.read()
        done = work()
        after = self.read()
        self.queries[number] += round(after[0] - before[0])
        self.hits[number] += round(after[1] - before[1])
        return done

    def share(self, rounds: Callable[[int], bool]) -> float | None:
        """Share of the tokens that were found, over some rounds; None where nothing was looked up."""
        asked = sum(count for number, count in self.queries.items() if rounds(number))
        return sum(count for number, count in self.hits.items() if rounds(number)) / asked if asked else None


class Watched:
    """A model whose conclusions are watched through the server's metrics; in all else the model itself."""

    def __init__(self, model: ReasoningModel, hits: Hits) -> None:
        self._model, self._hits = model, hits
        self.name, self.deterministic = model.name, model.deterministic

    def begin(self, spent: Usage, heard: Heard | None = None) -> ReasoningModel:
        """The watched model of one run."""
        return Watched(self._model.begin(spent, heard), self._hits)

    def calls(self) -> list[Call]:
        """As the model."""
        return self._model.calls()

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        """As the model."""
        return self._model.interpret(request, available)

    def plan(self, state: RunState) -> list[Task]:
        """As the model."""
        return self._model.plan(state)

    def conclude(self, state: RunState, images: Images) -> Conclusion:
        """As the model, watched."""
        return self._hits.during(state.round, lambda: self._model.conclude(state, images))

    def critique(self, state: RunState) -> list[Objection]:
        """As the model."""
        return self._model.critique(state)

    def reply(self, sentences: Sequence[str], question: str) -> list[int]:
        """As the model."""
        return self._model.reply(sentences, question)


def case_of(folder: Path, seed: int) -> Case:
    """A coarse synthetic patient."""
    files = write_phantom(make_phantom(PhantomOptions(seed=seed, spacing=(5, 5, 5))), folder)
    return open_case(CaseFiles(files.scan, (files.labels, files.parts)))


def ask_all(model: ReasoningModel, case: Case, questions: Sequence[str], home: Path, at_once: int) -> list[Report]:
    """Ask all the questions of one case, so many at once."""
    settings = Settings(home=home / "home", cache=home / "cache")

    def one(question: str) -> Report:
        return Engine(settings, model).ask(case, question)[0]

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, questions))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", nargs="?", default=os.environ.get("TUMORTRACE_VLLM_URL"), help="URL[#NAME] of the API")
    parser.add_argument("--questions", type=int, default=len(QUESTIONS), help="how many of the questions to ask")
    parser.add_argument("--passes", type=int, default=2, help="how often each way is measured")
    given = parser.parse_args()
    if not given.url:
        parser.error("give the URL of a model server, or set TUMORTRACE_VLLM_URL")
    questions = QUESTIONS[: given.questions]
    model, hits, console = choose_model(given.url), Hits(given.url), Console(highlight=False)
    hits.read()
    # New patients every time: a server that was measured before must not know them.
    first = time.time_ns() % 1_000_000_000
    one_by_one, at_once = [], []
    reports: list[Report] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        ask_all(model, case_of(home / "warm-case", first), [WARM_UP], home / "warm", 1)
        for number in range(given.passes):
            one, other = (case_of(home / f"case-{at}", first + at) for at in (2 * number + 1, 2 * number + 2))
            begin = time.perf_counter()
            ask_all(Watched(model, hits), one, questions, home / f"after-{number}", 1)
            middle = time.perf_counter()
            reports += ask_all(model, other, questions, home / f"at-once-{number}", len(questions))
            one_by_one.append(middle - begin)
            at_once.append(time.perf_counter() - middle)
    console.print(f"{len(questions)} questions one after another: {_seconds(one_by_one)} (baseline)")
    console.print(f"{len(questions)} questions at once: {_seconds(at_once)}")
    pairs = ", ".join(f"{one / other:.1f}" for one, other in zip(one_by_one, at_once, strict=True))
    console.print(f"at once {sum(one_by_one) / sum(at_once):.1f} times faster (by pass: {pairs})")
    for label, rounds in (("in the first round", (1, 1)), ("from the second round on", (2, 10**6))):
        share = hits.share(lambda number, span=rounds: span[0] <= number <= span[1])  # type: ignore[misc]
        told = "nothing was asked" if share is None else f"{100 * share:.0f} % of the tokens read"
        console.print(f"prefix cache hits {label}: {told}")
    console.print(f"rounds at once: {dict(sorted(Counter(report.rounds for report in reports).items()))}")


def _seconds(times: Sequence[float]) -> str:
    return ", ".join(f"{one:.1f} s" for one in times)


if __name__ == "__main__":
    main()
