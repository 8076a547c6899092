"""A request that waits for a function ends with what it began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.support.bridge import Speaker, asking, telling
from tests.support.proxy import Document, running

if TYPE_CHECKING:
    from pathlib import Path

POLICIES = """\
import pathlib

import meshcore
import trio


@meshcore.hook(timeout=60.0)
async def wait(request):
    go = pathlib.Path(__file__).with_name("go")
    while not go.exists():
        await trio.sleep(0.01)
    return meshcore.Continue(set={"x-told": request.request_id})
"""


def document(**clusters: str) -> Document:
    """The first of the clusters takes all requests."""
    return {
        "listeners": [
            {
                "name": "web",
                "address": "127.0.0.1:0",
                "routes": [{"to": next(iter(clusters)), "hooks": ["wait"]}],
            }
        ],
        "clusters": [{"name": name, "endpoints": [at]} for name, at in clusters.items()],
        "hooks": [{"name": "wait", "python": "policies:wait"}],
    }


@pytest.mark.parametrize("version", [1, 2])
async def test_changes_meanwhile_concern_others(tmp_path: Path, version: int) -> None:
    heard: list[tuple[bytes | None, bytes | None]] = []

    async def first(server: Speaker) -> None:
        while True:
            message = await server.request()
            heard.append((message.value(b"x-request-id"), message.value(b"x-told")))
            await server.answer(200, body=b"first")

    async def other(server: Speaker) -> None:
        while True:
            await server.request()
            await server.answer(200, body=b"other")

    (tmp_path / "policies.py").write_text(POLICIES)
    async with telling(first, 1) as one, telling(other, 1) as two:
        before = document(old=one.address)
        async with (
            running(tmp_path, before) as proxy,
            asking(await proxy.port(), version) as client,
        ):
            with trio.fail_after(60):
                await client.ask("GET /")
                while not await proxy.metric("meshcore_hook_calls_total"):
                    pass
                await proxy.change(document(new=two.address))
                # It takes the place that `old` had among the engine's clusters.
                await proxy.change(document(new=two.address, third=two.address))
                (tmp_path / "go").touch()
                _, answer = await client.response()
                assert (answer.status, answer.body) == (200, b"first")
    ((given, told),) = heard
    assert given == told
