"""Session affinity: a client comes back to the endpoint that answered it, while that is there."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.backend import backends
from tests.support.bridge import asking
from tests.support.proxy import Document, Proxy, running, web
from tests.support.wire import Message, connect

COOKIE: dict[str, object] = {"cookie": {"name": "sticky", "ttl": "1h"}}
HEADER: dict[str, object] = {"header": "x-session"}
DEAD = "127.0.0.1:1"


def sticky(endpoints: list[object], affinity: dict[str, object]) -> Document:
    """One listener before a cluster whose sessions are kept."""
    document = web(routes=[{"to": "web", "session_affinity": affinity}])
    document["clusters"][0]["endpoints"] = endpoints
    return document


async def answer(proxy: Proxy, *fields: str) -> Message:
    """The answer on a connection of its own."""
    async with connect(await proxy.port()) as wire:
        return await wire.get("/1k", "test", *fields)


def name_of(message: Message) -> bytes | None:
    """The backend that answered."""
    assert message.status == 200, message
    return message.value(b"x-backend")


def given(message: Message) -> str:
    """The cookie that an answer gives, as a request has it."""
    (told,) = message.values(b"set-cookie")
    pair, _, attributes = told.decode().partition("; ")
    assert attributes == "Max-Age=3600; Path=/"
    assert pair.startswith("sticky=")
    return f"Cookie: a=1; {pair}"


def encoded(address: str) -> str:
    """As a client carries it."""
    return base64.b64encode(address.encode()).decode()


@asynccontextmanager
async def three() -> AsyncIterator[list[str]]:
    """The addresses of the backends A, B and C."""
    async with backends("ABC") as servers:
        yield [server.address for server in servers]


@pytest.mark.parametrize("version", [1, 2])
async def test_a_session_keeps_to_its_endpoint(tmp_path: Path, version: int) -> None:
    async with three() as addresses:
        document = sticky([*addresses], COOKIE)
        async with running(tmp_path, document, "--workers", "2") as proxy:
            for _ in range(6):
                first = await answer(proxy)
                _, _, pair = given(first).partition("; ")
                for _ in range(3):
                    async with asking(await proxy.port(), version) as client:
                        await client.ask("GET /1k", (b"cookie", pair.encode()))
                        _, again = await client.response()
                    assert name_of(again) == name_of(first)
                    # What it carries is right still.
                    assert again.values(b"set-cookie") == []


async def test_a_header_carries_a_session_too(tmp_path: Path) -> None:
    async with three() as addresses, running(tmp_path, sticky([*addresses], HEADER)) as proxy:
        first = await answer(proxy)
        carried = (first.value(b"x-session") or b"").decode()
        assert base64.b64decode(carried).decode() in addresses
        for _ in range(6):
            again = await answer(proxy, f"X-Session: {carried}")
            assert name_of(again) == name_of(first)
            assert again.value(b"x-session") is None


async def test_another_endpoint_takes_over_and_is_kept_to(tmp_path: Path) -> None:
    async with three() as addresses:
        async with running(tmp_path, sticky([*addresses], COOKIE)) as proxy:
            first = await answer(proxy)
            at = [b"A", b"B", b"C"].index(name_of(first) or b"")
            others = addresses[:at] + addresses[at + 1 :]
            await proxy.change(sticky([*others], COOKIE))
            second = await answer(proxy, given(first))
            assert name_of(second) != name_of(first)
            third = await answer(proxy, given(second))
            assert name_of(third) == name_of(second)
            assert third.values(b"set-cookie") == []
        # It stands there, but doesn't answer: as good as gone.
        async with running(tmp_path, sticky([DEAD, *others], COOKIE)) as proxy:
            fourth = await answer(proxy, f"Cookie: sticky={encoded(DEAD)}")
            assert name_of(fourth)
            assert given(fourth)


async def test_a_strict_session_has_no_other_endpoint(tmp_path: Path) -> None:
    async with three() as addresses:
        strict = {**COOKIE, "strict": True}
        async with running(tmp_path, sticky([DEAD, *addresses], strict)) as proxy:
            for gone in (DEAD, "127.0.0.1:2"):
                refused = await answer(proxy, f"Cookie: sticky={encoded(gone)}")
                assert refused.status == 503
                assert refused.values(b"set-cookie") == []
            # Who has no session gets one.
            first = await answer(proxy)
            assert name_of(await answer(proxy, given(first))) == name_of(first)


async def test_who_drains_keeps_its_sessions_and_gets_no_new_ones(tmp_path: Path) -> None:
    async with three() as addresses:
        drained = {"address": addresses[0], "draining": True}
        async with running(tmp_path, sticky([drained, *addresses[1:]], COOKIE)) as proxy:
            for _ in range(6):
                assert name_of(await answer(proxy)) != b"A"
                kept = await answer(proxy, f"Cookie: sticky={encoded(addresses[0])}")
                assert name_of(kept) == b"A"
                assert kept.values(b"set-cookie") == []


async def test_a_session_decides_among_clusters_before_weights_do(tmp_path: Path) -> None:
    async with three() as addresses:
        to = [{"cluster": name, "weight": weight} for name, weight in (("a", 99), ("b", 1))]
        document: Document = {
            "listeners": [
                {
                    "name": "web",
                    "address": "127.0.0.1:0",
                    "routes": [{"to": to, "session_affinity": COOKIE}],
                }
            ],
            "clusters": [
                {"name": "a", "endpoints": addresses[:2]},
                {"name": "b", "endpoints": addresses[2:]},
            ],
        }
        async with running(tmp_path, document) as proxy:
            for _ in range(8):
                kept = await answer(proxy, f"Cookie: sticky={encoded(addresses[2])}")
                assert name_of(kept) == b"C"


async def test_a_client_chooses_among_the_clusters_endpoints_alone(tmp_path: Path) -> None:
    async with three() as addresses:
        document = sticky([*addresses[:2]], COOKIE)
        async with running(tmp_path, document) as proxy:
            for carried in (encoded(addresses[2]), "!", encoded("169.254.169.254:80")):
                answered = await answer(proxy, f"Cookie: sticky={carried}")
                assert name_of(answered) in {b"A", b"B"}
                assert given(answered)
