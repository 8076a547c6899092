"""Bodies past filters that change them, and past functions that see them first."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.support import compiler
from tests.support.bridge import BRIDGES, NAMES, Speaker, asking, telling
from tests.support.proxy import Document, running, web
from tests.support.wire import connect

TAIL = Path(__file__).parent.parent / "fixtures/abi/tail.c"
POLICIES = """\
import meshcore


@meshcore.hook(body=8, timeout=5.0)
async def measure(request):
    return meshcore.Continue(set={"x-seen": str(len(request.body))})
"""
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


class Server:
    """Says what it heard; without a body for a HEAD, a 204 and a 304."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, bytes | None]] = []

    async def __call__(self, server: Speaker) -> None:
        while True:
            message = await server.request()
            target = message.target.decode()
            self.heard.append((target, message.body, message.value(b"x-seen")))
            status = int(target[1:]) if target[1:].isdigit() else 200
            bare = status != 200 or target == "/head"
            await server.answer(status, body=b"" if bare else b"heard")


def document(folder: Path, address: str, version: int, hook: dict[str, object]) -> Document:
    (folder / "policies.py").write_text(POLICIES)
    made = web(address, routes=[{"to": "web", "hooks": ["it"]}])
    made["clusters"][0]["protocol"] = f"http{version}"
    made["hooks"] = [{"name": "it", **hook}]
    return made


@bridges
async def test_only_bodies_that_were_announced_pass_filters(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    server, library = Server(), compiler.library(TAIL, tmp_path / "tail.so")
    async with telling(server, versions[1]) as up:
        made = document(tmp_path, up.address, versions[1], {"native": str(library)})
        async with (
            running(tmp_path, made) as proxy,
            asking(await proxy.port(), versions[0]) as client,
        ):
            with trio.fail_after(20):
                # Whatever a filter did wrong would be read as the next message of the connection.
                for _ in range(2):
                    await client.ask("GET /plain")
                    assert (await client.response())[1].body == b"heardTAIL"
                    await client.ask("POST /body", body=b"sent")
                    assert (await client.response())[1].body == b"heardTAIL"
                    await client.ask("POST /long", body=b"x" * 50_000)
                    assert (await client.response())[1].body == b"heardTAIL"
                    await client.ask("GET /204")
                    _, answer = await client.response()
                    assert (answer.status, answer.body) == (204, b"")
                    await client.ask("HEAD /head")
                    _, answer = await client.response("HEAD")
                    assert (answer.status, answer.body) == (200, b"")
    bodies = {target: body for target, body, _ in server.heard}
    assert bodies["/plain"] == bodies["/204"] == bodies["/head"] == b""
    assert bodies["/body"] == b"sentTAIL"
    assert bodies["/long"] == b"x" * 50_000 + b"TAIL"


@bridges
async def test_a_body_that_was_seen_goes_on_whole(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    server = Server()
    async with telling(server, versions[1]) as up:
        made = document(tmp_path, up.address, versions[1], {"python": "policies:measure"})
        async with (
            running(tmp_path, made) as proxy,
            asking(await proxy.port(), versions[0]) as client,
        ):
            with trio.fail_after(20):
                await client.ask("POST /body", body=b"12345678")
                assert (await client.response())[1].status == 200
                await client.ask("GET /none")
                assert (await client.response())[1].status == 200
                await client.ask("POST /long", body=b"123456789")
                assert (await client.response())[1].status == 413
    assert server.heard == [("/body", b"12345678", b"8"), ("/none", b"", b"0")]


async def test_a_client_that_waits_for_a_word_is_told_to_send(tmp_path: Path) -> None:
    server = Server()
    async with telling(server, 1) as up:
        made = document(tmp_path, up.address, 1, {"python": "policies:measure"})
        async with running(tmp_path, made) as proxy, connect(await proxy.port()) as wire:
            head = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
            await wire.send(head, b"Expect: 100-continue\r\n\r\n")
            assert (await wire.head()).status == 100
            await wire.send(b"sent")
            assert (await wire.response()).status == 200
    assert server.heard == [("/body", b"sent", b"4")]
