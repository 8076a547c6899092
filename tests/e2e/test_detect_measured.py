"""Detection, measured: what it costs a server that speaks first, and that starvation misleads it
never."""

import time
from pathlib import Path

import trio

from tests.support.backend import backends
from tests.support.figures import Figure, quantile, spread
from tests.support.load import Report, load, steady
from tests.support.proxy import Document, running
from tests.support.scale import SCALE, scaled
from tests.support.starving import starving
from tests.support.upstream import answering, upstream
from tests.support.wire import Wire, connect

GREETING = b"220 ready\r\n"
# Seconds over direct; the bar, and what a machine that does other things may need.
BAR = 0.050
GENEROUS = 0.5
# Clients that a greeting server has at once.
GREETED_AT_ONCE = 8

FULL_REQUESTS = 100_000
NO_HTTP = (
    b"hello\r\n",
    b"EHLO here\r\n",
    b"SET key value\r\n",
    b"\0\0\0\x0e",
    b"\x16\x03\x01\0\x05hello",
)
# Seconds of silence before each piece of a client's first bytes, at most: also longer than that
# after which the server is given a chance to speak first.
TRICKLE = 0.03
# A starved proxy takes its time; what is asked is whether it is right.
PATIENT = "60s"
# The ports of one client address would not be enough.
SOURCES = 40


def auto(http: str, tcp: str | None) -> Document:
    """HTTP to one server; everything else to another, or nowhere."""
    listener: dict[str, object] = {
        "name": "web",
        "address": "127.0.0.1:0",
        "protocol": "auto",
        "routes": [{"to": "http"}],
        "timeouts": {"header": PATIENT},
    }
    document: Document = {
        "listeners": [listener | ({"to": "tcp"} if tcp else {})],
        "clusters": [{"name": "http", "endpoints": [http]}],
    }
    if tcp:
        document["clusters"].append({"name": "tcp", "endpoints": [tcp]})
    return document


async def greeting(wire: Wire) -> None:
    """Speak first, then wait for the other side's end."""
    await wire.send(GREETING)
    await wire.rest()


async def greeted(port: int, seconds: list[float]) -> None:
    """Connect, say nothing, and note how long the greeting takes."""
    begun = time.perf_counter()
    async with connect(port) as wire:
        assert await wire.until(b"\r\n") == GREETING
        seconds.append(time.perf_counter() - begun)


async def test_a_greeting_takes_little_longer_than_directly(tmp_path: Path, figure: Figure) -> None:
    direct: list[float] = []
    detected: list[float] = []
    async with (
        answering() as http,
        upstream(greeting) as tcp,
        running(tmp_path, auto(http.address, tcp.address)) as proxy,
    ):
        port = await proxy.port()
        for _ in range(scaled(2_000, 40) // GREETED_AT_ONCE):
            # In turns, so that both meet the same machine.
            for target, seconds in ((tcp.port, direct), (port, detected)):
                async with trio.open_nursery() as nursery:
                    for _ in range(GREETED_AT_ONCE):
                        nursery.start_soon(greeted, target, seconds)
    figure("greeting, directly", spread(direct))
    figure("greeting, through protocol: auto", spread(detected))
    assert quantile(detected, 0.5) - quantile(direct, 0.5) <= (BAR if SCALE >= 1 else GENEROUS)
    assert SCALE < 1 or quantile(detected, 0.99) - quantile(direct, 0.99) <= BAR


async def test_no_starved_request_is_taken_for_tcp(tmp_path: Path, figure: Figure) -> None:
    """The TCP default is a server of HTTP/1 too, so that a wrong decision has an answer."""
    requests = scaled(FULL_REQUESTS, 600) // 2
    reports: dict[str, Report] = {}
    async with (
        backends("HT") as (http, tcp),
        running(tmp_path, auto(http.address, tcp.address), "--workers", "2") as proxy,
    ):
        port = await proxy.port()

        async def drive(mode: str) -> None:
            more: dict[str, object] = {"streams": 1} if mode == "http2" else {}
            reports[mode] = await load(
                mode,
                port,
                requests=requests,
                connections=64,
                fresh=True,
                trickle=TRICKLE,
                sources=SOURCES,
                timeout=60,
                **more,
            )

        with starving(proxy.pid):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drive, "http")
                nursery.start_soon(drive, "http2")
        misled = await proxy.metric("meshcore_cluster_tx_bytes_total", cluster="tcp")
        early = await proxy.metric("meshcore_cluster_connects_total", cluster="tcp")
    taken = reports["http"]["backends"].get("T", 0)
    times = {mode: report["latency_us"]["p99"] / 1e3 for mode, report in reports.items()}
    figure(
        f"{2 * requests:,} HTTP requests, each on a connection of its own",
        f"{taken} taken for TCP, {sum(one['failures'] for one in reports.values())} failed;"
        f" p99 {times['http']:.0f} ms over HTTP/1, {times['http2']:.0f} ms over HTTP/2;"
        f" {early:.0f} times the TCP server was given the chance to speak first",
    )
    for report in reports.values():
        steady(report, requests)
    assert set(reports["http"]["backends"]) == {"H"}
    assert misled == 0


async def test_what_is_no_http_is_refused_where_nothing_else_is_ruled(tmp_path: Path) -> None:
    async with (
        answering() as http,
        running(tmp_path, auto(http.address, None)) as proxy,
    ):
        port = await proxy.port()
        for said in NO_HTTP:
            async with connect(port) as wire:
                await wire.send(said)
                assert await wire.ended()
        async with connect(port) as wire:
            assert (await wire.get()).status == 200
    assert len(http.requests) == 1
