"""Failing and hanging endpoints behind retries and guards: row 4 of the table."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from tests.support.figures import Figure
from tests.support.moods import Mood, Moody, moody
from tests.support.proxy import Document, running, web
from tests.support.scale import scaled
from tests.support.wire import Ended, Wire, connect

CLIENTS = 8
# What the proxy may take to find out.
SETTLING = 1.0
GUARDS: dict[str, dict[str, object]] = {
    "outlier detection": {
        "outlier_detection": {"max_ejection_percent": 50, "base_ejection_time": "60s"}
    },
    # The window is short: what was well before must not outweigh what hangs for more than a moment.
    "breaker": {"breaker": {"minimum_requests": 5, "window": "500ms", "open_for": "2s"}},
}
MOODS: tuple[tuple[int, Mood], ...] = ((1, "failing"), (3, "hanging"))


def guarded(servers: Sequence[Moody], guard: str) -> Document:
    """GETs with a time for each try, over five endpoints."""
    retries = {"attempts": 2, "per_try_timeout": "250ms", "retry_on": ["5xx"]}
    addresses = [server.address for server in servers]
    document = web(*addresses, routes=[{"to": "web", "retries": retries}])
    document["clusters"][0].update(GUARDS[guard])
    return document


class Clients:
    """Several that ask one after the other, and what they got."""

    def __init__(self, port: int) -> None:
        """Nothing yet."""
        self.port = port
        self.answers = 0
        self.errors = 0

    async def ask(self, requests: int) -> None:
        """All of them ask, so often in sum."""
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(self._one, requests // CLIENTS)

    async def _one(self, requests: int) -> None:
        done = 0
        while done < requests:
            async with connect(self.port) as wire:
                well = True
                while well and done < requests:
                    done += 1
                    well = await self._well(wire)

    async def _well(self, wire: Wire) -> bool:
        try:
            well = (await wire.get("/")).status == 200
        except Ended:
            well = False
        self.answers += 1
        self.errors += not well
        return well


@pytest.mark.parametrize("guard", sorted(GUARDS))
async def test_one_fails_and_then_one_hangs_and_clients_hardly_notice(
    tmp_path: Path, figure: Figure, guard: str
) -> None:
    requests = scaled(40_000, 800)
    async with moody("abcde") as servers:
        document = guarded(servers, guard)
        async with running(tmp_path, document, "--workers", "2") as proxy:
            port = await proxy.port()
            for at, mood in MOODS:
                servers[at].mood = mood
                with trio.move_on_after(SETTLING):
                    await Clients(port).ask(requests * 1_000)
                clients = Clients(port)
                await clients.ask(requests)
                share = clients.errors / clients.answers
                figure(f"{guard}: client errors while one is {mood}", f"{share:.2%}")
                assert clients.answers >= requests - CLIENTS
                assert share <= 0.005
