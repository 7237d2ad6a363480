"""Where the time and the memory of a run went."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.services import Profile


def summarise(profile: Profile) -> dict[str, float]:
    """Seconds by part: load, measure, report (with pictures), and graph, which is everything else of the run.

    The graph's own time contains the tools, the pictures and the report; they are taken out of it.
    """
    seconds = profile.seconds
    load = sum(value for name, value in seconds.items() if name.startswith("load"))
    measure = seconds.get("tools", 0.0)
    made = seconds.get("pictures", 0.0) + seconds.get("report", 0.0)
    graph = max(0.0, seconds.get("graph", 0.0) - measure - made) + seconds.get("trace and checkpoints", 0.0)
    return {"load": load, "measure": measure, "graph": graph, "report": made}


def print_profile(profile: Profile, console: Console) -> None:
    """Print the parts with their shares, each tool, and the peak of resident memory."""
    parts = summarise(profile)
    total = sum(parts.values()) or 1.0
    table = Table("part", "seconds", "share")
    for name, value in parts.items():
        table.add_row(name, f"{value:.3f}", f"{100 * value / total:.1f} %")
    for name, value in sorted(profile.seconds.items()):
        if name.startswith(("tool: ", "load ")):
            table.add_row(f"  {name}", f"{value:.3f}", "")
    console.print(table)
    console.print(f"peak memory {peak_mib():.0f} MiB")


def peak_mib() -> float:
    """Peak of resident memory of this process in MiB.

    Linux keeps it in ``/proc``; elsewhere getrusage has it, which may count what the parent held before the fork.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found is not None:
        return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
