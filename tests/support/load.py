"""Load from the project's own generator: native, so that a count of a million takes a minute."""

import json
import os
from pathlib import Path
from typing import TypedDict

import trio

ROOT = Path(__file__).parent.parent.parent
GENERATOR = os.environ.get("MESHCORE_LOADGEN", str(ROOT / "target/debug/examples/loadgen"))


class Report(TypedDict):
    """What the generator prints."""

    requests: int
    failures: int
    failure_examples: list[str]
    rps: float
    latency_us: dict[str, float]
    backends: dict[str, int]


async def load(mode: str, port: int, **flags: object) -> Report:
    """Run the generator to its end: `requests=1000, connections=64, host="a"`; its report.

    A flag that is True is a switch. Failures are in the report, not raised.
    """
    command = [GENERATOR, mode, "--target", f"127.0.0.1:{port}"]
    for name, value in flags.items():
        command.append("--" + name.replace("_", "-"))
        if value is not True:
            command.append(str(value))
    done = await trio.run_process(command, capture_stdout=True, check=False)
    assert done.returncode in {0, 1}, command
    report: Report = json.loads(done.stdout.splitlines()[-1])
    return report


def steady(report: Report, requests: int) -> None:
    """Demand that every request was answered."""
    assert report["failures"] == 0, report["failure_examples"]
    assert report["requests"] >= requests, report
