"""The circuit breaker: what fails is left alone, and tried again with a few real requests."""

from pathlib import Path
from statistics import median

import trio

from tests.support.figures import Figure
from tests.support.moods import moody
from tests.support.proxy import Proxy, running, web
from tests.support.scale import SCALE, scaled
from tests.support.wire import Message, connect

PATIENCE = 20.0
BREAKER = {
    "window": "2s",
    "minimum_requests": 5,
    "open_for": "300ms",
    "max_open_for": "600ms",
    "probes": 2,
}


async def f(proxy: Proxy, scope: str) -> float:
    """F(t), as it is exported."""
    value = await proxy.metric(f"meshcore_{scope}_breaker_open")
    assert value in {0, 1}
    return value


async def ask(port: int) -> tuple[Message, float]:
    """An answer, and how long it took. Answers of ours close the connection: each has its own."""
    async with connect(port) as wire:
        begun = trio.current_time()
        answer = await wire.get("/")
        return answer, trio.current_time() - begun


async def statuses(port: int, count: int) -> list[int]:
    """How requests were answered."""
    return [(await ask(port))[0].status for _ in range(count)]


async def test_a_dead_cluster_answers_at_once_and_recovers_with_its_first_probes(
    tmp_path: Path, figure: Figure
) -> None:
    async with moody("ab") as servers:
        document = web(*(server.address for server in servers))
        document["clusters"][0]["breaker"] = {**BREAKER, "scope": "cluster"}
        for server in servers:
            server.mood = "failing"
        async with running(tmp_path, document, "--workers", "2") as proxy:
            port = await proxy.port()
            assert await statuses(port, 5) == [500] * 5
            assert await f(proxy, "cluster") == 1
            took = []
            for _ in range(scaled(1_000, 20)):
                answer, seconds = await ask(port)
                if answer.error is not None:
                    took.append(seconds)
                    assert (answer.status, answer.error) == (503, b"circuit_open")
            # What the client and the wire take is in it; a busy machine gets a reserve.
            figure("answer of a dead cluster, median", f"{median(took) * 1e3:.2f} ms")
            assert median(took) <= (0.001 if SCALE >= 1 else 0.02)
            for server in servers:
                server.mood = "well"
            begun = trio.current_time()
            with trio.fail_after(PATIENCE):
                while await f(proxy, "cluster"):
                    await ask(port)
            recovered = trio.current_time() - begun
            figure("from the upstream's recovery to the circuit's", f"{recovered:.2f} s")
            assert recovered <= 0.6 + (0.1 if SCALE >= 1 else 2)
            assert await statuses(port, 10) == [200] * 10


async def test_an_endpoints_requests_go_to_others_until_its_probes_succeed(tmp_path: Path) -> None:
    async with moody("abc") as servers:
        document = web(*(server.address for server in servers))
        document["clusters"][0]["breaker"] = BREAKER
        servers[1].mood = "failing"
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            connect(await proxy.port()) as wire,
        ):
            failed = [(await wire.get("/")).status for _ in range(30)].count(500)
            # Five open it; a machine that takes its time may see a probe.
            assert 5 <= failed <= 7
            assert await f(proxy, "endpoint") == 1
            assert await f(proxy, "cluster") == 0
            assert '"breaker_open"' in await proxy.ask("/clusters?format=json")
            servers[1].mood = "well"
            with trio.fail_after(PATIENCE):
                while await f(proxy, "endpoint"):
                    assert (await wire.get("/")).status == 200
            before = servers[1].requests
            assert [(await wire.get("/")).status for _ in range(6)] == [200] * 6
            assert servers[1].requests == before + 2
            opened = await proxy.metric("meshcore_cluster_breaker_opened_total")
            closed = await proxy.metric("meshcore_cluster_breaker_closed_total")
            assert (opened, closed) == (1, 1)


async def test_a_circuit_that_nobody_wants_any_more_closes(tmp_path: Path) -> None:
    async with moody("a") as servers:
        document = web(servers[0].address)
        document["clusters"][0]["breaker"] = {**BREAKER, "open_for": "1h", "max_open_for": "1h"}
        servers[0].mood = "failing"
        async with running(tmp_path, document, "--workers", "1") as proxy:
            port = await proxy.port()
            assert await statuses(port, 6) == [500] * 5 + [503]
            document["clusters"][0].pop("breaker")
            await proxy.change(document)
            assert await statuses(port, 1) == [500]
