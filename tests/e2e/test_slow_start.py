"""Slow start: who is new, or comes back, gets its share little by little."""

import math
from collections import Counter
from pathlib import Path

import pytest
import trio

from tests.e2e.test_health_checks import answers, becomes, checked, speakers
from tests.support.proxy import Document, Proxy, running, web
from tests.support.scale import scaled
from tests.support.wire import connect

# So long that nothing grows while the test runs: a tenth of a share stays one.
WINDOW = {"window": "1h", "min_weight_percent": 10}
REQUESTS = scaled(40_000, 400)


def slow(document: Document, balance: str = "round_robin") -> Document:
    """The same with slow start."""
    document["clusters"][0] |= {"slow_start": WINDOW, "balance": balance}
    return document


async def parts(proxy: Proxy, who: str) -> dict[str, float]:
    """What part of many requests each gets."""
    async with connect(await proxy.port()) as wire:
        names = [(await wire.get()).body.decode() for _ in range(REQUESTS)]
    counts = Counter(names)
    return {name: counts[name] / REQUESTS for name in who}


def near(found: float, share: float) -> bool:
    """Within five standard deviations of a share that is drawn."""
    return abs(found - share) <= 5 * math.sqrt(share * (1 - share) / REQUESTS)


@pytest.mark.parametrize("balance", ["round_robin", "random"])
async def test_a_new_endpoint_begins_with_little(tmp_path: Path, balance: str) -> None:
    async with speakers("abc") as servers:
        addresses = [speaker.server.address for speaker in servers]
        async with running(tmp_path, slow(web(*addresses[:1]), balance)) as proxy:
            assert await parts(proxy, "a") == {"a": 1.0}
            await proxy.change(slow(web(*addresses), balance))
            found = await parts(proxy, "abc")
    # A tenth each, beside one whole.
    assert all(near(found[name], 0.1 / 1.2) for name in "bc"), found


async def test_who_are_all_new_share_evenly(tmp_path: Path) -> None:
    async with speakers("abcd") as servers:
        document = slow(web(*(speaker.server.address for speaker in servers)))
        async with running(tmp_path, document, "--workers", "1") as proxy:
            assert await parts(proxy, "abcd") == dict.fromkeys("abcd", 0.25)


async def test_who_comes_back_begins_with_little(tmp_path: Path) -> None:
    async with speakers("ab") as (first, second):
        second.sick = True
        document = checked(first.server.address, second.server.address, http={"path": "/healthz"})
        document["clusters"][0]["slow_start"] = {"window": "3s"}
        async with running(tmp_path, document, "--workers", "1") as proxy:
            await becomes(proxy, 1)
            # The other has its whole share by then.
            grown = trio.current_time() + 3
            while trio.current_time() < grown:
                assert await answers(proxy, 1) == {"a"}
            second.sick = False
            await becomes(proxy, 2)
            async with connect(await proxy.port()) as wire:
                names = [(await wire.get()).body for _ in range(100)]
    # Some 10 of a hundred; 30 a second later.
    assert 1 <= names.count(b"b") <= 35, names
