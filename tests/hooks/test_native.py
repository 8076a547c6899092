"""Native hooks written in C, in a real proxy: one of the first version, and one that misbehaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support import compiler
from tests.support.proxy import Proxy, running, web
from tests.support.upstream import Upstream, answering
from tests.support.wire import Message, connect

FIXTURES = Path(__file__).parent.parent / "fixtures" / "abi"
# The mood, what a request gets with on_error: deny, and its code.
MOODS = [
    ("answers", 418, None),
    ("refuses", 403, None),
    ("waits", 200, None),
    ("waits and refuses", 451, None),
    ("passes nothing", 409, None),
    ("waits for nonsense", 500, b"hook_failed"),
    ("never comes back", 503, b"hook_unavailable"),
    ("says nonsense", 500, b"hook_failed"),
    ("lies about an answer", 500, b"hook_failed"),
    ("lies about a pause", 500, b"hook_failed"),
    ("forgets its answer", 500, b"hook_failed"),
]
FAULTS = sum(code is not None for _, _, code in MOODS)


async def ask(port: int, *fields: str) -> Message:
    """One request on a connection of its own."""
    async with connect(port) as wire:
        head = ["GET / HTTP/1.1", "Host: a", *fields, "", ""]
        await wire.send("\r\n".join(head).encode())
        return await wire.response()


@asynccontextmanager
async def hooked(
    folder: Path, library: Path, **hook: object
) -> AsyncIterator[tuple[Proxy, int, Upstream]]:
    """A proxy whose only route has this hook, its port, and the server behind it."""
    async with answering() as server:
        document = web(server.address, hooks=["native"])
        document["hooks"] = [{"name": "native", "native": f"./{library.name}", **hook}]
        async with running(folder, document) as proxy:
            yield proxy, await proxy.port(), server


@pytest.mark.e2e
async def test_a_filter_of_the_first_version_still_answers(tmp_path: Path) -> None:
    header = f'-DHEADER="{FIXTURES / "meshcore_abi_1_0.h"}"'
    library = compiler.library(FIXTURES / "filter.c", tmp_path / "liborg.so", header)
    async with hooked(tmp_path, library) as (_, port, server):
        refused = await ask(port)
        passed = await ask(port, "X-Org: acme")
    assert (refused.status, passed.status) == (401, 200)
    assert [request.value(b"x-seen") for request in server.requests] == [b"acme"]


@pytest.mark.e2e
@pytest.mark.parametrize("on_error", ["deny", "allow"])
async def test_moods_of_a_filter(tmp_path: Path, on_error: str) -> None:
    library = compiler.library(FIXTURES / "moods.c", tmp_path / "libmoods.so", "-pthread")
    async with hooked(tmp_path, library, timeout="1s", on_error=on_error) as (proxy, port, _):
        for mood, status, code in MOODS:
            answer = await ask(port, f"X-Mood: {mood}")
            failed = code is not None
            expected = (200, None) if failed and on_error == "allow" else (status, code)
            assert (answer.status, answer.error if failed else None) == expected, mood
            if mood == "answers":
                assert (answer.body, answer.value(b"x-pot")) == (b"short and stout", b"answers")
        counted = await counters(proxy)
        assert counted == (len(MOODS), len(MOODS))
        failures = await proxy.metric("meshcore_hook_failures_total", hook="native")
        timeouts = await proxy.metric("meshcore_hook_timeouts_total", hook="native")
        assert failures + timeouts == FAULTS


@pytest.mark.e2e
async def test_what_a_filter_prepared_and_forgot_is_not_the_next_one_s(tmp_path: Path) -> None:
    compiler.library(FIXTURES / "moods.c", tmp_path / "libmoods.so", "-pthread")
    header = f'-DHEADER="{FIXTURES / "meshcore_abi_1_0.h"}"'
    compiler.library(FIXTURES / "filter.c", tmp_path / "liborg.so", header)
    async with answering() as server:
        document = web(server.address, hooks=["moods", "org"])
        document["hooks"] = [
            {"name": "moods", "native": "./libmoods.so", "on_error": "allow"},
            {"name": "org", "native": "./liborg.so"},
        ]
        async with running(tmp_path, document) as proxy:
            answer = await ask(await proxy.port(), "X-Mood: forgets its answer", "X-Org: acme")
            failures = await proxy.metric("meshcore_hook_failures_total", hook="moods")
    assert (answer.status, failures) == (200, 1)
    assert [request.value(b"x-seen") for request in server.requests] == [b"acme"]


@pytest.mark.e2e
async def test_requests_whose_client_leaves_free_what_was_kept(tmp_path: Path) -> None:
    library = compiler.library(FIXTURES / "moods.c", tmp_path / "libmoods.so", "-pthread")
    async with hooked(tmp_path, library, timeout="30s") as (proxy, port, _):
        for _ in range(4):
            async with connect(port) as wire:
                await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Mood: never comes back\r\n\r\n")
                while (await counters(proxy))[0] == (await counters(proxy))[1]:
                    pass  # each turn waits for an answer of the proxy
                wire.reset()
            with trio.fail_after(10):
                while len(set(await counters(proxy))) == 2:
                    pass
        assert await counters(proxy) == (4, 4)


async def counters(proxy: Proxy) -> tuple[float, float]:
    """Requests that the filter saw, and those whose end it saw."""
    name = "meshcore_hook_counter_total"
    begun = await proxy.metric(name, hook="native", counter="begun")
    return begun, await proxy.metric(name, hook="native", counter="freed")
