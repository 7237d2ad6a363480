"""Facts about the patient that the user declares."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

from agent.errors import UsageError
from agent.patient_facts import check_fact, facts_with_bounds
from agent.query import load_kinds


@cache
def known_facts() -> tuple[str, ...]:
    """Names of all facts that can be declared: those that rules and kinds of questions take, and general ones."""
    steps = (step for kind in load_kinds().values() for step in kind.chain if step.tool == "declared")
    return tuple(sorted(facts_with_bounds() | {str(step.args["fact"]) for step in steps if "fact" in step.args}))


def parse_patient(text: str | None) -> tuple[tuple[str, str], ...]:
    """Facts from ``name=value`` pairs separated by commas, sorted by name.

    Raises:
        UsageError: where it is not of that form, too long, contradicts itself, names what no fact is called, or gives
            a fact a value that it cannot have.
    """
    if not text:
        return ()
    if len(text) > 500:
        raise UsageError("--patient takes a few facts such as age=63,sex=F; this is longer than 500 characters.")
    facts: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip().isidentifier() or not value.strip():
            raise UsageError(
                f"--patient takes name=value pairs separated by commas (age=63,sex=F), not {part.strip()!r}."
            )
        fact = name.strip().lower()
        _check_known(fact)
        check_fact(fact, value.strip())
        if facts.setdefault(fact, value.strip()) != value.strip():
            raise UsageError(f"--patient declares {fact!r} twice, with different values.")
    return tuple(sorted(facts.items()))


def _check_known(fact: str) -> None:
    known = known_facts()
    if fact in known:
        return
    near = get_close_matches(fact, known, 1)
    meant = f" (perhaps {near[0]!r} was meant)" if near else ""
    raise UsageError(f"--patient knows no fact {fact!r}{meant}; it takes {', '.join(known)}.")
