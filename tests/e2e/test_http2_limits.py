"""Limits on HTTP/2 heads and bodies: refused on their stream, and the connection goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hyperframe.frame import SettingsFrame

from tests.support.bridge import Http2, Speaker, asking, before, bridge, telling
from tests.support.frames import REFUSED_STREAM, Frames, get, speak
from tests.support.proxy import running, web
from tests.support.streams import Fields, Reset
from tests.support.upstream import Upstream, answering
from tests.support.wire import Message

# The listener's defaults.
HEAD_BYTES = 32 * 1024
HEAD_COUNT = 100
TARGET_BYTES = 8 * 1024
# RFC 9113 §6.5.2: what each field counts beside its name and value.
FIELD_OVERHEAD = 32
STREAMS = 100


@asynccontextmanager
async def limited(folder: Path, **limits: object) -> AsyncIterator[tuple[Frames, Upstream]]:
    """A client of a proxy with these limits, before a server that answers all."""
    async with (
        answering() as server,
        running(folder, web(server.address, limits=limits)) as proxy,
        speak(await proxy.port()) as client,
    ):
        yield client, server


async def goes_on(client: Frames, server: Upstream) -> None:
    """The connection still serves, and nothing else reached the upstream."""
    answer = await client.until_end(await client.open(get("/after")))
    assert answer.status == 200
    assert [one.target for one in server.requests] == [b"/after"]


def several(count: int, size: int) -> Fields:
    """So many fields with values of this size."""
    return [(b"x-%d" % number, b"v" * size) for number in range(count)]


TOO_LARGE = {
    "one-field": get("/", (b"x-a", b"v" * HEAD_BYTES)),
    "many-bytes": get("/", *several(50, 1000)),
    "many-fields": get("/", *several(HEAD_COUNT + 50, 1)),
    "many-crumbs": get("/", *[(b"cookie", b"a=%d" % n) for n in range(HEAD_COUNT + 50)]),
}


@pytest.mark.parametrize("head", TOO_LARGE.values(), ids=TOO_LARGE.keys())
async def test_a_head_beyond_its_limit_is_answered_431(tmp_path: Path, head: Fields) -> None:
    async with limited(tmp_path) as (client, server):
        answer = await client.until_end(await client.open(head))
        assert (answer.status, answer.error) == (431, b"request_head_too_large")
        await goes_on(client, server)


async def test_a_head_within_its_limits_passes(tmp_path: Path) -> None:
    fields = several(HEAD_COUNT - 20, (HEAD_BYTES - 8 * 1024) // HEAD_COUNT - FIELD_OVERHEAD)
    async with limited(tmp_path) as (client, server):
        answer = await client.until_end(await client.open(get("/", *fields)))
        assert answer.status == 200
    (heard,) = server.requests
    assert [heard.value(name) for name, _ in fields] == [value for _, value in fields]


async def test_a_target_beyond_its_limit_is_answered_414(tmp_path: Path) -> None:
    async with limited(tmp_path) as (client, server):
        answer = await client.until_end(await client.open(get("/" + "a" * TARGET_BYTES)))
        assert answer.status == 414
        await goes_on(client, server)


@pytest.mark.parametrize("known", [True, False], ids=["length", "no-length"])
async def test_a_body_beyond_its_limit_is_answered_413(tmp_path: Path, known: bool) -> None:
    async with limited(tmp_path, body_bytes="1KiB") as (client, server):
        length = [(b"content-length", b"2000")] if known else []
        ident = await client.open(get("/", *length, method="POST"), end=False)
        await client.data(ident, bytes(2000), end=not known)
        answer = await until_answered(client, ident)
        assert (answer.status, answer.error) == (413, b"request_body_too_large")
        await goes_on(client, server)


async def until_answered(client: Frames, ident: int) -> Message:
    """The answer, whether or not NO_ERROR then stops the rest of the upload (RFC 9113 §8.1)."""
    try:
        return await client.until_end(ident)
    except Reset:
        return client.stream(ident).message


async def test_streams_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    async def story(server: Speaker) -> None:
        await server.wire.rest()

    async with bridge(tmp_path, (2, 1), story) as link:
        assert isinstance(link.client, Http2)
        client = link.client.frames
        while not client.settings:
            await client.frame()
        assert client.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == STREAMS
        idents = [await client.open(get(f"/{number}")) for number in range(STREAMS + 1)]
        with pytest.raises(Reset) as reset:
            await client.until_end(idents[-1])
        # It may come again.
        assert reset.value.code == REFUSED_STREAM
        assert all(client.stream(ident).reset is None for ident in idents[:-1])


@pytest.mark.parametrize("client", [1, 2])
@pytest.mark.parametrize("fields", [several(1, 100_000), several(500, 1)], ids=["bytes", "count"])
async def test_an_answer_with_a_head_beyond_all_limits_is_502(
    tmp_path: Path, client: int, fields: Fields
) -> None:
    async def story(server: Speaker) -> None:
        while True:
            target = (await server.request()).target
            await server.answer(200, *(fields if target == b"/large" else ()))

    async with (
        telling(story, 2) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
    ):
        for target, status in (("/large", 502), ("/small", 200)):
            # Each on its own: an HTTP/1 connection may end with an answer of this kind.
            async with asking(await proxy.port(), client) as link:
                await link.ask(f"GET {target}")
                assert (await link.response())[1].status == status


async def test_more_connections_when_streams_are_used_up(tmp_path: Path) -> None:
    allowed, count = 10, 20
    held: list[list[int]] = []
    scopes: list[trio.CancelScope] = []

    async def take(server: Http2, mine: list[int]) -> None:
        while True:
            ident = await server.frames.opened()
            if len(mine) == allowed:
                # Sent before our SETTINGS were known.
                await server.frames.reset(ident, REFUSED_STREAM)
                continue
            mine.append(ident)
            if sum(len(one) for one in held) == count:
                for scope in scopes:
                    scope.cancel()

    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        held.append([])
        mine = held[-1]
        with trio.CancelScope() as scope:
            scopes.append(scope)
            await take(server, mine)
        for server.ident in mine:
            await server.answer(200, body=b"ok")
        await server.wire.rest()

    async with (
        telling(story, 2, {SettingsFrame.MAX_CONCURRENT_STREAMS: allowed}) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
        speak(await proxy.port()) as client,
    ):
        idents = [await client.open(get(f"/{number}")) for number in range(count)]
        bodies = [(await client.until_end(ident)).body for ident in idents]
        assert bodies == [b"ok"] * count
        assert server.connections >= 2
