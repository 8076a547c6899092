"""What the proxy adds to a head, takes from it, and keeps."""

from pathlib import Path

import pytest

from tests.support.proxy import talking, web
from tests.support.upstream import answering, ok, upstream
from tests.support.wire import Message, Wire


async def forwarded(tmp_path: Path, head: bytes, **listener: object) -> Message:
    """The one request that the upstream saw after a client sent `head`."""
    async with answering() as server, talking(tmp_path, web(server.address, **listener)) as wire:
        await wire.send(head)
        assert (await wire.response()).status == 200
    assert len(server.requests) == 1
    return server.requests[0]


async def test_hop_headers_stay_on_their_hop(tmp_path: Path) -> None:
    request = await forwarded(
        tmp_path,
        b"GET / HTTP/1.1\r\nHost: t\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\n"
        b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n"
        b"X-Theirs: 2\r\n\r\n",
    )
    for name in (b"x-mine", b"keep-alive", b"proxy-connection"):
        assert request.values(name) == [], name
    assert request.value(b"x-theirs") == b"2"


async def test_hop_headers_of_answers_stay_too(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(ok(b"", b"Connection: x-secret", b"X-Secret: 1", b"X-Open: 2"))

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        response = await wire.get()
    assert (response.values(b"x-secret"), response.value(b"x-open")) == ([], b"2")


async def test_our_own_fields_cant_be_named_away(tmp_path: Path) -> None:
    request = await forwarded(
        tmp_path,
        b"GET / HTTP/1.1\r\nHost: t\r\nConnection: x-forwarded-for, x-request-id, host\r\n\r\n",
    )
    assert request.value(b"x-forwarded-for") == b"127.0.0.1"
    assert request.value(b"x-request-id")
    assert request.value(b"host") == b"t"


async def test_what_a_stranger_says_of_itself_is_replaced(tmp_path: Path) -> None:
    request = await forwarded(
        tmp_path,
        b"GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
        b"X-Request-Id: forged\r\n\r\n",
    )
    assert request.value(b"x-forwarded-for") == b"127.0.0.1"
    assert request.value(b"x-forwarded-proto") == b"http"
    assert request.value(b"x-request-id") not in {None, b"forged"}
    assert request.values(b"via") == []


async def test_what_a_trusted_hop_says_is_kept(tmp_path: Path) -> None:
    request = await forwarded(
        tmp_path,
        b"GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
        b"X-Request-Id: theirs\r\n\r\n",
        http={"trusted_hops": 1},
    )
    assert request.value(b"x-forwarded-for") in {b"9.9.9.9, 127.0.0.1", b"9.9.9.9,127.0.0.1"}
    assert request.value(b"x-forwarded-proto") == b"https"
    assert request.value(b"x-request-id") == b"theirs"


async def test_every_request_has_an_id_of_its_own(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        for _ in range(50):
            await wire.get()
    ids = {request.value(b"x-request-id") for request in server.requests}
    assert len(ids) == 50


async def test_via_stands_where_it_was_asked_for(tmp_path: Path) -> None:
    request = await forwarded(tmp_path, b"GET / HTTP/1.1\r\nHost: t\r\n\r\n", http={"via": "front"})
    assert request.value(b"via") == b"1.1 front"


async def test_an_absolute_target_rules_over_host(tmp_path: Path) -> None:
    request = await forwarded(
        tmp_path, b"GET http://Real.test/a?b HTTP/1.1\r\nHost: other.test\r\n\r\n"
    )
    assert request.target == b"/a?b"
    assert (request.value(b"host") or b"").lower() == b"real.test"


async def test_connect_is_refused_unless_allowed(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(b"CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n")
        response = await wire.response()
        assert (response.status, response.error) == (405, b"connect_not_allowed")
    assert server.requests == []


async def test_an_allowed_connect_is_a_tunnel_to_an_endpoint_of_the_route(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        # The proxy ends the CONNECT: the endpoint speaks its own protocol, here none.
        assert await wire.exactly(4) == b"ping"
        await wire.send(b"pong")
        await wire.rest()

    document = web("127.0.0.1:1", http={"allow_connect": True})
    async with upstream(script) as server:
        document["clusters"][0]["endpoints"] = [server.address]
        async with talking(tmp_path, document) as wire:
            await wire.send(b"CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n")
            assert (await wire.response("CONNECT")).status == 200
            await wire.send(b"ping")
            assert await wire.exactly(4) == b"pong"


@pytest.mark.parametrize(("mode", "seen"), [("drop", []), ("keep", [b"1"])])
async def test_underscores_as_the_listener_says(
    tmp_path: Path, mode: str, seen: list[bytes]
) -> None:
    request = await forwarded(
        tmp_path, b"GET / HTTP/1.1\r\nHost: t\r\nX_Y: 1\r\n\r\n", http={"underscores": mode}
    )
    assert request.values(b"x_y") == seen


async def test_local_replies_say_why(tmp_path: Path) -> None:
    document = web("127.0.0.1:1")
    document["listeners"][0]["routes"] = [{"match": {"host": "only.test"}, "to": "web"}]
    async with talking(tmp_path, document) as wire:
        response = await wire.get("/", "other.test")
        assert (response.status, response.error) == (404, b"no_route")
        # It is an answer like any other: the connection goes on.
        assert (await wire.get("/", "other.test")).status == 404
