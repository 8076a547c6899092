"""Runs an issue's table at full counts and writes what came of it: `make prove ISSUE=2`."""

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
# Seconds.
HANGS_AFTER = 3600


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an issue's table and the tests that show it."""

    number: str
    what: str
    tests: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


ISSUES = {
    "2": (
        Row("5", "1,000,000 requests, 1,000 applies, 100 replacements: 0 failed",
            ("tests/e2e/test_change.py",)),
        Row("6", "bad input: every problem with its place; ambiguous heads never forwarded",
            ("tests/e2e/test_bad_input.py", "tests/e2e/test_strict.py")),
        Row("7", "10,000 idle connections, a slow reader, no descriptors, 10 GiB bodies",
            ("tests/e2e/test_limits.py", "tests/e2e/test_streaming.py")),
        Row("8", "two workers over 2 and 64 connections; limits exact; one owner of a port",
            ("tests/e2e/test_workers.py",)),
        Row("9", "embed: conversions, errors, several engines, cancellation, no leaks, GIL held",
            ("tests/border",)),
        Row("10", "balancing: exact, fair, random by chi-square, true minimum",
            ("tests/e2e/test_balance.py",)),
        Row("11", "the wheel: ≤ 15 MiB, installed in ≤ 30 s without a toolchain, answers in ≤ 1 s",
            command=(sys.executable, "-m", "tests.wheel", "dist")),
        Row("§2", "HTTP/1, headers, upgrades, faults, TCP, TLS, routing, admin, real programs",
            tuple(f"tests/e2e/test_{name}.py" for name in (
                "http1", "headers", "upgrade", "faults", "tcp", "tls", "routing", "admin",
                "real_programs"))),
        # Last: it puts another build of the extension in place.
        Row("1", "`make demo`: builds, balances, changes under load, 0 failures",
            command=("make", "demo")),
    ),
    "3": (
        Row("conformance", "h2spec strict: h2c and TLS, upstreams of HTTP/1 and HTTP/2",
            ("tests/conformance",)),
        Row("bridges", "1→1, 1→2, 2→1, 2→2: heads, trailers, 1xx, bodies of 16 MiB",
            ("tests/e2e/test_http2_bridges.py",)),
        Row("HTTP/2", "preface, ALPN, streams beside each other, heads, flow control, limits",
            tuple(f"tests/e2e/test_http2{name}.py" for name in ("", "_flow", "_limits"))),
        Row("faults", "GOAWAY, REFUSED_STREAM and resets, both ways; drain and connection age",
            ("tests/e2e/test_http2_faults.py", "tests/e2e/test_http2_drain.py")),
        Row("abuse", "floods, bombs, rapid reset: ended, ≤ 32 MiB, others unharmed",
            ("tests/e2e/test_http2_abuse.py",)),
        Row("3", "beside each flood: no error, p99 ≤ twice that without; storms of 1xx heads",
            ("tests/e2e/test_http2_neighbour.py", "tests/e2e/test_interim_storm.py")),
        Row("6", "a client leaves, its upstream hears of it: p99 ≤ 10 ms in all bridges",
            ("tests/e2e/test_cancellation.py",)),
        Row("7", "100,000 requests of HTTP/1, HTTP/2 and gRPC, 100 drains and applies: 0 failed",
            ("tests/e2e/test_drain_under_load.py",)),
        Row("8", "servers that speak first ≤ 50 ms over direct; 100,000 starved: 0 taken for TCP",
            ("tests/e2e/test_detect_measured.py",)),
        Row("gRPC", "all kinds of calls, deadlines, cancellation, statuses, balance per call",
            ("tests/e2e/test_grpc.py", "tests/e2e/test_grpc_frames.py")),
        Row("WebSocket", "upgrade and extended CONNECT on either side",
            ("tests/e2e/test_websocket.py", "tests/e2e/test_upgrade.py")),
        Row("detection", "who speaks first decides; slow clients are taken for what they speak",
            ("tests/e2e/test_detect.py",)),
        Row("programs", "curl, nghttp, h2load, httpx2; hypercorn and nghttpd behind",
            ("tests/e2e/test_http2_clients.py",)),
    ),
    "4": (
        Row("1", "Istio's documents: each field supported or refused with its line; ≥ 90 %",
            ("tests/config/istio", "tests/e2e/test_istio.py")),
        Row("4a", "health checks by HTTP, gRPC, TCP; slow start; Retry-After and push-back",
            ("tests/e2e/test_health_checks.py", "tests/e2e/test_slow_start.py",
             "tests/e2e/test_retry_after.py")),
        Row("2", "splits: 90/10 over 10,000 requests within ±1 point",
            ("tests/e2e/test_routing.py",)),
        Row("2", "mirrors: a hanging, breaking or failing one adds no failure; percentages",
            ("tests/e2e/test_mirrors.py",)),
        Row("2", "mirrors: ≤ 5 % added to p99 by one that hangs, breaks or fails",
            ("tests/e2e/test_mirrors_measured.py",)),
        Row("3", "no POST done twice; 64 callers at 100 % failure: load ≤ 1.25",
            ("tests/e2e/test_retries.py",)),
        Row("10", "hedges within the budget, losers cancelled within 10 ms, no POST",
            ("tests/e2e/test_hedging.py",)),
        Row("4", "one of five fails, then one hangs: client errors ≤ 0.5 % from 1 s on",
            ("tests/e2e/test_resilience.py",)),
        Row("4", "a dead cluster answers in ≤ 1 ms and recovers within a probe interval",
            ("tests/e2e/test_breaker.py", "tests/e2e/test_outlier.py")),
        Row("4b", "limits of clusters and endpoints, exact over the workers",
            ("tests/e2e/test_cluster_limits.py",)),
        Row("5", "limits: within ±1 % of the rate over two workers, told in x-ratelimit-*",
            ("tests/e2e/test_route_limits.py",)),
        Row("5", "limits of three proxies on one Redis: overshoot ≤ 2 %; killed, frozen and back",
            ("tests/e2e/test_shared_limits.py",)),
        Row("5", "limits: Envoy's rate limit service as a client",
            ("tests/e2e/test_rate_limit_service.py",)),
        Row("6", "faults: percentages within ±1 point, others' p99 left alone",
            ("tests/e2e/test_route_faults.py",)),
        Row("6", "faults of TCP: delay, reset, bandwidth; percentages within ±1 point",
            ("tests/e2e/test_tcp_faults.py",)),
        Row("7", "twice the capacity for 60 s: goodput ≥ 90 %, p99 at most thrice, recovery ≤ 2 s",
            ("tests/e2e/test_adaptive_concurrency.py",)),
        Row("7", "stages of overload: memory, files, requests; the low refused first",
            ("tests/e2e/test_overload.py",)),
        Row("8", "all accounting on: ≤ 10 % more instructions than the bare proxy",
            command=("make", "callgrind")),
        Row("9", "explain equals the engine on 10,000 requests; each code explained and met",
            ("tests/e2e/test_explain.py", "tests/cli/test_explain.py", "tests/cli/test_analyze.py",
             "tests/test_pages.py")),
        Row("11", "keys: one endpoint each over versions, workers, restarts; few move; bounded",
            ("tests/e2e/test_hashing.py",)),
        Row("sessions", "a client comes back to its endpoint; strict; drained ones keep theirs",
            ("tests/e2e/test_sessions.py",)),
        Row("locality", "the nearest answer, others take over; shares within ±1 point; draining",
            ("tests/e2e/test_locality.py",)),
    ),
    "5": (
        Row("1, 2", "native no-op ≤ 50 ns, API key ≤ 300 ns, remembered verdict ≤ 1 µs, beside"
            " a held GIL too; a function p50 ≤ 150 µs; others' p99 left alone",
            command=(sys.executable, "benches/e2e/hooks.py", "--check")),
        Row("3", "hooks that raise, hang, say nonsense, flood or don't load; samples, bodies",
            ("tests/hooks",)),
        Row("4", "a stranger's path with the wheel: new, install, use: ≤ five minutes",
            ("tests/hooks/test_stranger.py",)),
        Row("5", "the header in C11 and C++17, sizes and layouts, filters of older headers",
            ("tests/hooks/test_abi.py",)),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row."""

    row: Row
    passed: int
    failed: tuple[str, ...]
    seconds: float
    figures: tuple[str, ...] = ()


def run(row: Row) -> Outcome:
    """Run a row's tests, or its command; tests that don't exist count as failed."""
    if row.command:
        begun = time.monotonic()
        status = subprocess.run(row.command, cwd=ROOT, check=False).returncode
        failed = (f"{' '.join(row.command)} ended with {status}",) if status else ()
        return Outcome(row, int(status == 0), failed, time.monotonic() - begun)
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", *row.tests, f"--junit-xml={report}"]
        # What the tests measured stands only in the older form of the report.
        command += ["-o", "junit_family=xunit1"]
        # A test may run for minutes at full counts.
        command += ["-o", f"faulthandler_timeout={HANGS_AFTER}"]
        subprocess.run(command, cwd=ROOT, check=False)
        if not report.exists():
            return Outcome(row, 0, ("no test ran",), 0.0)
        cases = list(ET.parse(report).iter("testcase"))
    bad = ("failure", "error", "skipped")
    broken = tuple(
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if any(case.find(kind) is not None for kind in bad)
    )
    seconds = sum(float(case.get("time", "0")) for case in cases)
    figures = tuple(measured(cases))
    if not cases:
        return Outcome(row, 0, ("none",), seconds)
    return Outcome(row, len(cases) - len(broken), broken, seconds, figures)


def measured(cases: list[ET.Element]) -> Iterator[str]:
    """What the tests noted with the fixture `figure`."""
    for case in cases:
        for figure in case.iter("property"):
            yield f"`{case.get('name')}`: {figure.get('name')}: {figure.get('value')}"


def machine() -> str:
    """Processor, cores, kernel."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    name = models[0] if models else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def page(issue: str, outcomes: list[Outcome]) -> str:
    """The page for docs/proof."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    scale = os.environ.get("MESHCORE_SCALE", "0.01")
    lines = [
        f"# Proof of issue {issue}",
        "",
        f"`make prove ISSUE={issue}` at {scale} of the full counts, commit {commit},"
        f" {dt.datetime.now(dt.UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        "",
        "| row | what | tests passed | failed | seconds |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {o.row.number} | {o.row.what} | {o.passed} | {len(o.failed)} | {o.seconds:.0f} |"
        for o in outcomes
    ]
    lines += [f"- failed: `{name}`" for o in outcomes for name in o.failed]
    if figures := [f"- {line}" for o in outcomes for line in o.figures]:
        lines += ["", "Measured:", "", *figures]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the rows of one issue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issue", required=True, choices=sorted(ISSUES))
    parser.add_argument("--write", type=Path, required=True)
    arguments = parser.parse_args()
    outcomes = [run(row) for row in ISSUES[arguments.issue]]
    text = page(arguments.issue, outcomes)
    arguments.write.write_text(text)
    print(text)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
