"""Slow start: who is new, or comes back, gets its share little by little."""

from collections import Counter
from pathlib import Path

import trio

from tests.e2e.test_health_checks import answers, becomes, checked, speakers
from tests.support.proxy import Document, Proxy, running, web
from tests.support.wire import connect

WINDOW = 3
# For three quarters of the window the share is a hundredth, or little more.
SLOW = {"window": f"{WINDOW}s", "min_weight_percent": 1, "aggression": 0.1}


def slow(document: Document) -> Document:
    """The same with slow start."""
    document["clusters"][0]["slow_start"] = SLOW
    return document


async def parts(proxy: Proxy, requests: int) -> Counter[str]:
    """How many requests each gets."""
    async with connect(await proxy.port()) as wire:
        return Counter([(await wire.get()).body.decode() for _ in range(requests)])


async def test_who_is_new_or_comes_back_begins_with_little(tmp_path: Path) -> None:
    async with speakers("abc") as (first, second, third):
        second.sick = True
        document = checked(first.server.address, second.server.address, http={"path": "/healthz"})
        async with running(tmp_path, slow(document), "--workers", "1") as proxy:
            await becomes(proxy, 1)
            # The other has its whole share by then.
            grown = trio.current_time() + WINDOW
            while trio.current_time() < grown:
                assert await answers(proxy, 1) == {"a"}
            second.sick = False
            await becomes(proxy, 2)
            found = await parts(proxy, 100)
            assert found["b"] <= 15, found
            endpoints = [first.server.address, third.server.address]
            document["clusters"][0]["endpoints"] = endpoints
            await proxy.change(document)
            found = await parts(proxy, 100)
            assert found["c"] <= 15, found


async def test_who_are_all_new_share_evenly(tmp_path: Path) -> None:
    async with speakers("abcd") as servers:
        document = slow(web(*(speaker.server.address for speaker in servers)))
        async with running(tmp_path, document, "--workers", "1") as proxy:
            assert await parts(proxy, 400) == dict.fromkeys("abcd", 100)
