"""Counts instructions per request with callgrind, and keeps and guards the history.

    callgrind.py --label 0.1.0 -- …/engine_http 127.0.0.1:{listen} 127.0.0.1:{backend} 1 {protocol}
    callgrind.py --check -- …          exit 1 if it is 3 % above the last entry of the history
    callgrind.py --append --label … -- …

The command after `--` serves HTTP on 127.0.0.1:{listen}, sends to 127.0.0.1:{backend}, where it
speaks {protocol}, and ends at SIGTERM. It runs twice under valgrind, with a short and a long run
of the same requests, one after the other on one connection; the difference over the difference in
requests has no start-up in it, and repeats to within a tenth of a percent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.contest import Bench, backend
from harness.environment import ROOT, c_program, generator, library
from harness.processes import Child, free_port
from harness.scenarios import UNARY

HISTORY = ROOT / "benches/history.jsonl"
#: More instructions than this factor times the last entry's fail the check.
ALLOWED = 1.03
#: So much more may the policies cost than the bare proxy of the same run.
POLICIES_ALLOWED = 1.10
#: A native hook, and the same requests without it.
HOOKS = {"get_1k_no_op_hook": "get_1k", "get_1k_api_key_hook": "get_1k_api_key_bare"}
#: Counted only when asked for.
WHEN_NAMED = ("get_1k_api_key_bare", "get_1k_api_key_hook")
SHORT, LONG = 500, 2_500


@dataclass(frozen=True, slots=True)
class Script:
    """The requests of one count, and what they are spoken in on both sides."""

    load: tuple[str, ...]
    protocol: Literal["http", "http2"] = "http"
    backend: Literal["http", "http2", "grpc"] = "http"
    #: What the proxy is told besides: `policies` are a rate limit, circuit limits, a breaker,
    #: outlier detection and routing by fields; `hook` stands for the library of the native hook.
    more: tuple[str, ...] = ()


#: One request at a time: how many of them share a read would differ from run to run.
ONE_STREAM = ("--streams", "1")
#: A key as customers get them.
KEY = "mk_live_4f1d6a0c9be24c5f8a7e6d5c4b3a2918"
WITH_KEY = ("--path", "/1k", "--expect-length", "1024", "--header", f"x-api-key: {KEY}")
#: What is counted: each is a path of the proxy with a cost of its own.
SCRIPTS = {
    "get_1k": Script(("--path", "/1k", "--expect-length", "1024")),
    "get_1k_policies": Script(("--path", "/1k", "--expect-length", "1024"), more=("policies",)),
    "get_1k_no_op_hook": Script(("--path", "/1k", "--expect-length", "1024"), more=("hook",)),
    "get_1k_api_key_bare": Script(WITH_KEY),
    "get_1k_api_key_hook": Script(WITH_KEY, more=("hook", KEY)),
    "get_64k": Script(("--path", "/64k", "--expect-length", "65536")),
    "post_4k": Script(("--method", "POST", "--body-size", "4096", "--expect-length", "1024")),
    "chunked": Script(("--path", "/chunked/4096", "--expect-length", "4096")),
    "h2_get_1k": Script(
        (*ONE_STREAM, "--path", "/1k", "--expect-length", "1024"), "http2", "http2"
    ),
    "h2_grpc": Script((*ONE_STREAM, *UNARY), "http2", "grpc"),
}


def main() -> int:
    """Measure; 1 if the check fails."""
    arguments = parse()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is missing (Debian: apt-get install valgrind)")
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    bench = Bench(
        loadgen=generator(arguments.profile),
        backend=c_program("backend"),
        http2_backend=c_program("backend_h2"),
        load_core=cores[0],
        proxy_core=cores[-1],
        seconds=1,
        rounds=1,
    )
    found: dict[str, int] = {}
    for name in arguments.script or (name for name in SCRIPTS if name not in WHEN_NAMED):
        short, long = (count(bench, arguments.command, SCRIPTS[name], n) for n in (SHORT, LONG))
        found[name] = round((long - short) / (LONG - SHORT))
        print(f"{name}: {found[name]:,} instructions per request", flush=True)
    entry: dict[str, object] = {"label": arguments.label, "instructions_per_request": found}
    if arguments.results:
        entry["medians"] = medians(arguments.results)
    last = newest()
    if arguments.append:
        with HISTORY.open("a") as history:
            history.write(json.dumps(entry) + "\n")
    return guard(found, last) if arguments.check else 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--label", default="working tree", help="version that is measured")
    parser.add_argument("--script", action="append", choices=SCRIPTS, help="only this one")
    parser.add_argument("--append", action="store_true", help="add to benches/history.jsonl")
    parser.add_argument("--check", action="store_true", help="compare with the last entry")
    parser.add_argument("--results", type=Path, help="a result of run.py to keep with the entry")
    parser.add_argument("--profile", default="release", help="cargo profile of the generator")
    parser.add_argument("command", nargs="+", help="what serves, with {listen} and {backend}")
    return parser.parse_args()


def count(bench: Bench, command: list[str], script: Script, requests: int) -> int:
    """Return the instructions of one whole run."""
    listen = free_port()
    with tempfile.TemporaryDirectory() as folder, backend(bench) as behind:
        places = {"listen": listen, "backend": getattr(behind, script.backend)}
        words = [word.format(protocol=script.protocol, **places) for word in command]
        words += [str(library("api_key")) if word == "hook" else word for word in script.more]
        grind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        log = Path(folder) / "log"
        child = Child([*grind, *words], cores=bench.proxy_core, log=log, env={})
        try:
            child.wait_for(listen)
            load = [
                *("taskset", "-c", bench.load_core, str(bench.loadgen), script.protocol),
                *("--target", f"127.0.0.1:{listen}", "--connections", "1"),
                *("--requests", str(requests), "--timeout", "60", *script.load),
            ]
            subprocess.run(load, check=True, stdout=subprocess.DEVNULL)
        finally:
            child.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(60)
            child.stop()
        total = re.search(r"Collected : (\d+)", log.read_text(errors="replace"))
        if total is None:
            raise SystemExit(f"callgrind counted nothing:\n{child.last_words()}")
        return int(total.group(1))


def medians(path: Path) -> dict[str, dict[str, float]]:
    """Return meshcore's medians of a result of run.py, scenario by scenario."""
    kept: dict[str, dict[str, list[float]]] = {}
    for scenario, launches in json.loads(path.read_text())["scenarios"].items():
        for launch in launches:
            for metric, values in launch.get("meshcore", {}).items():
                kept.setdefault(scenario, {}).setdefault(metric, []).extend(values)
    return {
        scenario: {metric: statistics.median(values) for metric, values in metrics.items()}
        for scenario, metrics in kept.items()
    }


def newest() -> dict[str, int]:
    """Return the last entry's figures."""
    if not HISTORY.exists():
        return {}
    for line in reversed(HISTORY.read_text().splitlines()):
        found = json.loads(line).get("instructions_per_request")
        if isinstance(found, dict):
            return {str(name): int(value) for name, value in found.items()}
    return {}


def guard(found: dict[str, int], last: dict[str, int]) -> int:
    """Compare with the last entry; 1 if anything became dearer than allowed."""
    worse = 0
    for name, value in found.items():
        if name not in last:
            print(f"{name}: nothing to compare with")
            continue
        ratio = value / last[name]
        worse += ratio > ALLOWED
        print(f"{name}: {ratio:.3f} of {last[name]:,}{'  TOO MUCH' if ratio > ALLOWED else ''}")
    if {"get_1k", "get_1k_policies"} <= found.keys():
        ratio = found["get_1k_policies"] / found["get_1k"]
        worse += ratio > POLICIES_ALLOWED
        too_much = "  TOO MUCH" if ratio > POLICIES_ALLOWED else ""
        print(f"policies: {ratio:.3f} of the bare proxy's{too_much}")
    for hook, bare in HOOKS.items():
        if {hook, bare} <= found.keys():
            print(f"{hook}: {found[hook] - found[bare]:,} instructions more than without")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
