"""gRPC calls for as long as standard input is open: `python -m tests.support.grpc_load PORT`.

A process of its own, so that grpcio's threads don't wait for the test's interpreter. No call is
tried again that has left the client. Prints one JSON object at its end.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import trio

from tests.support.grpc_echo import DEADLINE, Client, client

ROOT = Path(__file__).parent.parent.parent
CHANNELS = 2
# Callers that share a channel.
CALLERS = 4
MESSAGE = b"m" * 100
# Messages of each streamed answer, and every how many calls one is made.
STREAMED = 20
STREAM_EVERY = 10
# Kinds of failures that are told.
TOLD = 5


@dataclass(slots=True)
class Calls:
    """What became of the calls."""

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)


def call(calls: Client, number: int) -> None:
    """A unary call, or now and then one whose answer goes on for a while."""
    if number % STREAM_EVERY:
        assert calls.unary()(MESSAGE, timeout=DEADLINE) == MESSAGE
    else:
        answer = calls.count(b"%d" % STREAMED, timeout=DEADLINE)
        assert len(list(answer)) == STREAMED


def told(error: grpc.RpcError) -> str:
    """Status and message of a call that failed."""
    assert isinstance(error, grpc.Call)
    return f"{error.code()}: {error.details()}"


def drive(calls: Client, over: threading.Event, done: Calls) -> None:
    """Call until it is over."""
    number = 0
    while not over.is_set():
        number += 1
        try:
            call(calls, number)
        except grpc.RpcError as error:
            done.failures[told(error)] += 1
        done.requests += 1


def main(port: int) -> None:
    """Call until standard input ends."""
    over = threading.Event()
    done = [Calls() for _ in range(CHANNELS * CALLERS)]
    with client(port, resends=True) as one, client(port, resends=True) as other:
        threads = [
            threading.Thread(target=drive, args=((one, other)[number % CHANNELS], over, calls))
            for number, calls in enumerate(done)
        ]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        over.set()
        for thread in threads:
            thread.join()
    failures: Counter[str] = Counter()
    for calls in done:
        failures.update(calls.failures)
    report = {
        "requests": sum(calls.requests for calls in done),
        "failures": failures.total(),
        "failure_examples": [f"{n} x {what}" for what, n in failures.most_common(TOLD)],
    }
    print(json.dumps(report))


@dataclass(slots=True)
class Calling:
    """A running caller, and at its end what it reports."""

    requests: int = 0
    failures: int = 0
    failure_examples: list[str] = field(default_factory=list)


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Calling]:
    """Call through `port` for as long as the block runs; its figures are there afterwards."""
    command = [sys.executable, "-m", "tests.support.grpc_load", str(port)]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    found = Calling()
    try:
        yield found
        await process.stdin.aclose()
        said = b""
        with trio.fail_after(2 * DEADLINE):
            async for data in process.stdout:
                said += data
        report = json.loads(said)
        found.requests, found.failures = report["requests"], report["failures"]
        found.failure_examples = report["failure_examples"]
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdin.aclose()
            await process.stdout.aclose()


if __name__ == "__main__":
    main(int(sys.argv[1]))
