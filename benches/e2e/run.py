"""Compares meshcore with a bare relay, HAProxy, nginx and Envoy in one interleaved run.

    python benches/e2e/run.py --meshcore .venv/bin/meshcore
    python benches/e2e/run.py --only http1 --rounds 5 --launches 5
    python benches/e2e/run.py --quick            every scenario once, briefly: does it still work?

Method and figures: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from typing import TYPE_CHECKING

from harness.contest import Bench
from harness.environment import (
    ROOT,
    Tool,
    c_program,
    debian,
    enter_venv,
    envoy,
    generator,
    nginx_stream,
)
from harness.judge import judge, unjudged
from harness.measure import Figures, measure
from harness.peers.envoy import envoy as envoy_peer
from harness.peers.haproxy import haproxy
from harness.peers.meshcore import meshcore
from harness.peers.nginx import nginx
from harness.peers.relay import relay
from harness.picture import draw
from harness.report import markdown, table, verdicts
from harness.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.peers import Peer

#: Foreign work on the proxy's core above this share of the time makes a figure doubtful.
FOREIGN_SHARE = 0.05
#: Peers again, with another configuration: whether everything still works the first ones show too.
TWINS = ("splice", "envoy-mesh", "meshcore-yaml")
#: Nine thousand connections need a file each on both sides of a proxy.
FILES = 65_536


def main() -> int:
    """Run what was asked for; 1 if a bar was missed or a measurement failed, with --strict."""
    arguments = parse()
    enter_venv()
    raise_file_limit()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("the benches need two cores: one for the proxy, one for load and backend")
    os.sched_setaffinity(0, {cores[0]})
    bench = Bench(
        loadgen=generator(arguments.profile),
        backend=c_program("backend"),
        http2_backend=c_program("backend_h2"),
        load_core=str(cores[0]),
        proxy_core=str(cores[1]),
        seconds=0.4 if arguments.quick else arguments.seconds,
        rounds=1 if arguments.quick else arguments.rounds,
    )
    peers = take_part(arguments)
    chosen = [one for one in SCENARIOS if not arguments.only or one.name in arguments.only]
    results: dict[str, list[Figures]] = {one.name: [] for one in chosen}
    for launch in range(1 if arguments.quick else arguments.launches):
        print(f"\nlaunch {launch + 1}: {', '.join(peers)}", flush=True)
        for scenario in chosen:
            figures = measure(bench, scenario, peers)
            results[scenario.name].append(figures)
            print("\n".join(table(scenario, figures)), flush=True)
    return conclude(arguments, bench, peers, results)


def parse() -> argparse.Namespace:
    """Read the command line."""
    names = [one.name for one in SCENARIOS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--meshcore", type=Path, help="the command to measure, inside its virtual environment"
    )
    parser.add_argument(
        "--only", action="append", choices=names, metavar="SCENARIO", help=", ".join(names)
    )
    parser.add_argument("--peers", help="only these peers, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn")
    parser.add_argument(
        "--launches", type=int, default=1, help="start everything anew so many times"
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument(
        "--strict", action="store_true", help="exit 1 if a bar is missed or a peer failed"
    )
    parser.add_argument("--profile", default="release", help="cargo profile of the generator")
    parser.add_argument(
        "--label", default=time.strftime("%Y-%m-%d-%H%M%S"), help="name of the result file"
    )
    parser.add_argument("--picture", type=Path, help="write the README's picture here")
    parser.add_argument(
        "--markdown", action="store_true", help="print the tables of docs/benchmarks.md"
    )
    return parser.parse_args()


def take_part(arguments: argparse.Namespace) -> dict[str, Peer]:
    """Find every peer's program."""
    copier = c_program("relay")
    found = [relay(copier, "copy"), relay(copier, "splice")]
    if tool := debian("haproxy"):
        found.append(haproxy(tool))
    if tool := debian("nginx"):
        found.append(nginx(tool, nginx_stream()))
    found += [envoy_peer(envoy(), mesh=False), envoy_peer(envoy(), mesh=True)]
    if arguments.meshcore:
        command = arguments.meshcore.absolute()
        ours = Tool(command, {"MESHCORE_PYTHON": str(command.with_name("python"))})
        found += [meshcore(ours), meshcore(ours, yaml=True)]
    everyone = [peer.name for peer in found if not (arguments.quick and peer.name in TWINS)]
    wanted = arguments.peers.split(",") if arguments.peers else everyone
    return {peer.name: peer for peer in found if peer.name in wanted}


def conclude(
    arguments: argparse.Namespace,
    bench: Bench,
    peers: Mapping[str, Peer],
    results: Mapping[str, Sequence[Figures]],
) -> int:
    """Print verdicts and notes, write the files."""
    found = list(judge(results))
    print("\n".join(verdicts(found)))
    if arguments.meshcore:
        for bar in unjudged(results):
            print(f"NONE {bar.scenario} {bar.metric} {bar.ours}/{bar.peer}: no figure in this run")
    if bench.foreign:
        high = sum(share > FOREIGN_SHARE for share in bench.foreign)
        print(
            "\nforeign load on the proxy's core:"
            f" median {statistics.median(bench.foreign):.1%}, highest {max(bench.foreign):.1%};"
            f" above {FOREIGN_SHARE:.0%} in {high} of {len(bench.foreign)} turns"
        )
    for note in dict.fromkeys(bench.notes):
        print(f"note: {note}")
    versions = {name: peer.version for name, peer in peers.items()}
    if arguments.markdown:
        print("\n" + "\n".join(markdown(SCENARIOS, results, versions)))
    if not arguments.quick:
        write(arguments, bench, versions, results)
    if arguments.picture:
        draw(results, arguments.picture)
    bad = bench.notes or not all(verdict.holds or verdict.bar.goal for verdict in found)
    return 1 if arguments.strict and bad else 0


def write(
    arguments: argparse.Namespace,
    bench: Bench,
    versions: Mapping[str, str],
    results: Mapping[str, Sequence[Figures]],
) -> None:
    """Keep the run as JSON."""
    target = ROOT / "benches/results" / f"{arguments.label}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = {
        "label": arguments.label,
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "kernel": platform.release()},
        "seconds": arguments.seconds,
        "rounds": arguments.rounds,
        "versions": dict(versions),
        "scenarios": dict(results),
        "foreign": bench.foreign,
        "notes": list(dict.fromkeys(bench.notes)),
    }
    target.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"written: {target.relative_to(ROOT)}")


def cpu_name() -> str:
    """Return what the processor calls itself."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def raise_file_limit() -> None:
    """Allow as many open files as the machine does, and more where we may."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, FILES), max(hard, FILES)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
