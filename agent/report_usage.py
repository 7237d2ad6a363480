"""What a served model took, in one line."""

from __future__ import annotations

from agent.models.usage import Usage


def usage_text(usage: Usage | None) -> str:
    """Requests, tokens, seconds and cost; empty where no served model was asked."""
    if usage is None or not usage.calls:
        return ""
    requests = "request" if usage.calls == 1 else "requests"
    cached = f" ({100 * usage.cached_tokens / usage.prompt_tokens:.0f} % cached)" if usage.prompt_tokens else ""
    cost = "" if usage.cost is None else f", cost {usage.cost:.4g}"
    return (
        f"{usage.calls} {requests}, {usage.prompt_tokens} tokens read{cached}, {usage.output_tokens} written, "
        f"{usage.seconds:.1f} s{cost}"
    )
