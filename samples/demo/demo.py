"""Three real HTTP servers, `meshcore proxy` before them, load, and changes under load.

Run it by `make demo`. It needs nginx and the load generator of the benches, talks to loopback
alone, and ends everything that it started.
"""

import argparse
import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypedDict

ALGORITHMS = ("round_robin", "random", "least_request", "p2c_ewma")
SECONDS = 2
CHANGE_SECONDS = 5
# Requests per second for the comparison with and without the proxy: far below what either can do.
RATE = 1000
CONNECTIONS = 16
ROUNDS = 5
START_PATIENCE = 20.0

NGINX = """
daemon off; master_process off; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi; uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ add_header x-backend {name}; return 200 "{body}"; }}
  }}
}}
"""


class Report(TypedDict):
    """What the generator prints."""

    requests: int
    failures: int
    failure_examples: list[str]
    rps: float
    latency_us: dict[str, float]
    backends: dict[str, int]


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def started(command: list[str], ready: str, end: signal.Signals) -> Iterator[None]:
    """A program, from the moment when the address `ready` answers until it has ended."""
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + START_PATIENCE
        while not answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} doesn't answer on {ready}")
            time.sleep(0.01)
        yield
    finally:
        process.send_signal(end)
        status = process.wait(timeout=60)
    if end is signal.SIGTERM and status != 0:
        raise SystemExit(f"{command[0]} ended with {status}")


def answers(url: str) -> bool:
    """Whether something answers there with a success."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def nginx(folder: Path, name: str) -> Iterator[str]:
    """A real server that names itself; its address."""
    port = free_port()
    configuration = folder / f"{name}.conf"
    body = "x" * 1024
    configuration.write_text(NGINX.format(folder=folder, name=name, port=port, body=body))
    command = ["nginx", "-e", f"{folder}/{name}.log", "-c", str(configuration)]
    with started(command, f"http://127.0.0.1:{port}/", signal.SIGQUIT):
        yield f"127.0.0.1:{port}"


class Demo:
    """The running pieces."""

    def __init__(self, generator: Path, document: Path, servers: dict[str, str]) -> None:
        """Nothing runs yet but the servers."""
        self.generator = generator
        self.document = document
        self.servers = servers
        self.port = free_port()
        self.admin = free_port()
        self.failures = 0

    def configure(self, balance: str, endpoints: list[str], turn: int = 0) -> None:
        """Write the document in one step; the running proxy sees it change."""
        routes = [{"match": {"path": {"prefix": f"/turn-{turn}"}}, "to": "web"}, {"to": "web"}]
        document = {
            "listeners": [
                {"name": "web", "address": f"127.0.0.1:{self.port}", "routes": routes},
            ],
            "clusters": [{"name": "web", "balance": balance, "endpoints": endpoints}],
            "admin": {"address": f"127.0.0.1:{self.admin}"},
        }
        beside = self.document.with_suffix(".new")
        beside.write_text(json.dumps(document, indent=2))
        beside.replace(self.document)

    def generation(self) -> int:
        """The number of the snapshot that every worker runs."""
        url = f"http://127.0.0.1:{self.admin}/config_dump"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(json.load(answer)["generation"])

    def apply(self, balance: str, endpoints: list[str], turn: int = 0) -> None:
        """Change the document and wait until the change is in force."""
        before = self.generation()
        self.configure(balance, endpoints, turn)
        while self.generation() == before:
            time.sleep(0.005)

    def load(self, address: str, **flags: object) -> Report:
        """One run of the generator."""
        command = [str(self.generator), "http", "--target", address]
        for name, value in flags.items():
            command += ["--" + name, str(value)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        report: Report = json.loads(done.stdout.splitlines()[-1])
        self.failures += report["failures"]
        for example in report["failure_examples"]:
            print("   failed:", example)
        return report

    @property
    def address(self) -> str:
        """Where the proxy listens."""
        return f"127.0.0.1:{self.port}"

    def show_balancing(self) -> None:
        """Each algorithm in turn, put in force on the running proxy."""
        print(f"\nRequests per endpoint, {SECONDS} s over 64 connections")
        names = sorted(self.servers)
        print(f"  {'':14}", *(f"{name:>9}" for name in names), f"{'failed':>9} {'req/s':>9}")
        for balance in ALGORITHMS:
            self.apply(balance, list(self.servers.values()))
            report = self.load(self.address, duration=SECONDS, connections=64)
            counts = (f"{report['backends'].get(name, 0):>9}" for name in names)
            print(f"  {balance:14}", *counts, f"{report['failures']:>9} {report['rps']:>9.0f}")

    def show_change(self) -> None:
        """Endpoints, routes and algorithms change while requests run."""
        reports: list[Report] = []
        flags = {"duration": CHANGE_SECONDS, "connections": 64}
        runner = threading.Thread(target=lambda: reports.append(self.load(self.address, **flags)))
        runner.start()
        addresses = list(self.servers.values())
        turn = 0
        while runner.is_alive():
            turn += 1
            without = addresses[: turn % 3] + addresses[turn % 3 + 1 :]
            self.apply(ALGORITHMS[turn % len(ALGORITHMS)], without, turn)
        runner.join()
        (report,) = reports
        print(f"\n{turn} changes under load, each taking one server out and another one in")
        print(f"  requests {report['requests']}, failed {report['failures']}")

    def show_latency(self) -> None:
        """What the proxy adds, at a fixed rate."""
        self.apply("round_robin", list(self.servers.values()))
        flags = {"duration": 1, "rate": RATE, "connections": CONNECTIONS, "warmup": 0.5}
        ways = {"direct": next(iter(self.servers.values())), "through": self.address}
        # One after the other, several times: what else the machine does hits both alike.
        rounds = [
            {name: self.load(to, **flags)["latency_us"] for name, to in ways.items()}
            for _ in range(ROUNDS)
        ]
        direct, through = (
            {key: statistics.median(one[name][key] for one in rounds) for key in ("p50", "p99")}
            for name in ways
        )
        print(f"\nLatency at {RATE} requests/s over {CONNECTIONS} connections, in microseconds")
        print(f"  {'':14} {'p50':>9} {'p99':>9}")
        for name, figures in (("direct", direct), ("through", through)):
            print(f"  {name:14} {figures['p50']:>9.0f} {figures['p99']:>9.0f}")
        added = {key: through[key] - direct[key] for key in ("p50", "p99")}
        print(f"  {'added':14} {added['p50']:>9.0f} {added['p99']:>9.0f}")


def main() -> int:
    """Start everything, show it, end everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load-generator", type=Path, required=True)
    arguments = parser.parse_args()
    meshcore = shutil.which("meshcore")
    if meshcore is None:
        raise SystemExit("the command meshcore isn't there: run `make demo`")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meshcore-demo-")))
        servers = {name: stack.enter_context(nginx(folder, name)) for name in ("a", "b", "c")}
        demo = Demo(arguments.load_generator, folder / "proxy.json", servers)
        # Not what is shown first: a document that says the same is no change.
        demo.configure(ALGORITHMS[-1], list(servers.values()), turn=-1)
        command = [meshcore, "proxy", "-c", str(demo.document)]
        print("three nginx:", *servers.values())
        print("one proxy:  ", demo.address, "admin", f"http://127.0.0.1:{demo.admin}")
        ready = f"http://127.0.0.1:{demo.admin}/ready"
        with started(command, ready, signal.SIGTERM):
            demo.show_balancing()
            demo.show_change()
            demo.show_latency()
    print(f"\nfailures in all: {demo.failures}")
    return 1 if demo.failures else 0


if __name__ == "__main__":
    sys.exit(main())
