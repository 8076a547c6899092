"""Outlier detection: who fails where others don't is left out for a while."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from tests.support.moods import Mood, Moody, moody
from tests.support.proxy import Document, Proxy, running, web
from tests.support.wire import Wire, connect

PATIENCE = 20.0
ENFORCED = "meshcore_cluster_outlier_detection_ejections_enforced_total"


def guarded(servers: Sequence[Moody], **outlier: object) -> Document:
    """One cluster with outlier detection."""
    document = web(*(server.address for server in servers))
    document["clusters"][0]["outlier_detection"] = {"interval": "200ms", **outlier}
    return document


async def answers(wire: Wire, count: int) -> Counter[str]:
    """How requests were answered: by whom, or the status."""
    seen: Counter[str] = Counter()
    for _ in range(count):
        answer = await wire.get("/")
        seen[answer.body.decode() if answer.status == 200 else str(answer.status)] += 1
    return seen


async def obstacles(proxy: Proxy) -> dict[str, list[str]]:
    """What stands between requests and each endpoint."""
    (cluster,) = json.loads(await proxy.ask("/clusters?format=json"))
    return {one["address"]: one["obstacles"] for one in cluster["endpoints"]}


@pytest.mark.parametrize("mood", ["failing", "resetting"])
async def test_who_fails_five_times_in_a_row_is_left_out_and_comes_back(
    tmp_path: Path, mood: Mood
) -> None:
    async with moody("abcde") as servers:
        document = guarded(servers, base_ejection_time="1s", max_ejection_percent=50)
        servers[2].mood = mood
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            connect(await proxy.port()) as first,
        ):
            seen = Counter[str]()
            for _ in range(40):
                async with connect(await proxy.port()) as wire:
                    seen += await answers(wire, 1)
            failed = seen["500"] + seen["502"]
            assert (failed, servers[2].requests, seen["c"]) == (5, 5, 0), seen
            assert (await obstacles(proxy))[servers[2].address] == ["ejected"]
            assert await proxy.metric(ENFORCED, cause="consecutive_5xx") == 1
            assert await proxy.metric("meshcore_cluster_membership_healthy") == 4
            servers[2].mood = "well"
            with trio.fail_after(PATIENCE):
                # Each turn waits for answers.
                while not (await answers(first, 5))["c"]:
                    pass
            assert not any((await obstacles(proxy)).values())


async def test_a_tenth_but_one_at_least_is_left_out(tmp_path: Path) -> None:
    async with moody("abc") as servers:
        document = guarded(servers, consecutive_5xx=2)
        servers[0].mood = servers[1].mood = "failing"
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            connect(await proxy.port()) as wire,
        ):
            await answers(wire, 30)
            assert await proxy.metric(ENFORCED) == 1
            name = "meshcore_cluster_outlier_detection_ejections_overflow_total"
            assert await proxy.metric(name) >= 1
            document["clusters"][0].pop("outlier_detection")
            await proxy.change(document)
            assert not any((await obstacles(proxy)).values()), "nobody else would end it"


async def test_where_too_few_are_left_all_are_used(tmp_path: Path) -> None:
    async with moody("ab") as servers:
        document = guarded(servers, consecutive_5xx=1, max_ejection_percent=100)
        async with running(tmp_path, document, "--workers", "1") as proxy:
            for server in servers:
                server.mood = "failing"
            async with connect(await proxy.port()) as wire:
                assert await answers(wire, 2) == {"500": 2}
                answer = await wire.get("/")
                assert (answer.status, answer.error) == (503, b"no_healthy_upstream")
            document["clusters"][0]["panic_threshold"] = 50
            await proxy.change(document)
            async with connect(await proxy.port()) as wire:
                assert await answers(wire, 4) == {"500": 4}
            assert await proxy.metric("meshcore_cluster_healthy_panic_total") == 4
