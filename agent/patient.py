"""Facts about the patient that the user declares."""

from __future__ import annotations

from agent.errors import UsageError


def parse_patient(text: str | None) -> tuple[tuple[str, str], ...]:
    """Facts from ``name=value`` pairs separated by commas, sorted by name.

    Raises:
        UsageError: where it is not of that form, too long, or contradicts itself.
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
        if facts.setdefault(fact, value.strip()) != value.strip():
            raise UsageError(f"--patient declares {fact!r} twice, with different values.")
    return tuple(sorted(facts.items()))
