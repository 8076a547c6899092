"""One story through all four bridges: HTTP/1 and HTTP/2 on either side of the proxy."""

from pathlib import Path

import pytest

from tests.support.bridge import BRIDGES, NAMES, Bridge, Speaker, bridge
from tests.support.wire import Message

MIB = 1 << 20
LARGE = 16 * MIB
# Prime to every buffer size, so that a piece lost, doubled or exchanged shows.
PATTERN = bytes(range(251))
HINT = (b"link", b"</style.css>; rel=preload")

bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


def pattern(size: int) -> bytes:
    """So many bytes of the pattern."""
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


def without(message: Message, *names: bytes) -> list[tuple[bytes, bytes]]:
    """A message's fields as an end sees them: lower case, without pseudo-fields and `names`."""
    pairs = [(name.lower(), value) for name, value in message.fields]
    return [pair for pair in pairs if pair[0][:1] != b":" and pair[0] not in names]


async def exchange(link: Bridge, head: str, *, body: bytes | None = None) -> Message:
    """Ask, and read the answer."""
    await link.client.ask(head, body=body)
    return (await link.client.response(head.split()[0]))[1]


@bridges
async def test_an_exchange_after_the_other(tmp_path: Path, versions: tuple[int, int]) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        while True:
            heard.append(await server.request())
            await server.answer(200, (b"x-answer", b"1"), (b"set-cookie", b"a"), body=b"hello")

    async with bridge(tmp_path, versions, story) as link:
        for number in range(5):
            await link.client.ask(f"POST /{number}", (b"x-ask", b"2"), body=b"x" * number)
            _, answer = await link.client.response()
            assert (answer.status, answer.body) == (200, b"hello")
            assert answer.value(b"x-answer") == b"1"
            assert answer.value(b"content-length") == b"5"
            assert [v for n, v in without(answer) if n == b"set-cookie"] == [b"a"]
        assert link.upstream.connections == 1
    assert [one.target for one in heard] == [b"/%d" % number for number in range(5)]
    assert [one.body for one in heard] == [b"x" * number for number in range(5)]
    assert {one.value(b"x-ask") for one in heard} == {b"2"}
    host = b"host" if versions[1] == 1 else b":authority"
    assert {one.value(host) for one in heard} == {b"test"}
    for one in heard:
        names = {name for name, _ in without(one)}
        assert not names & {b"connection", b"transfer-encoding", b"keep-alive"}
        assert versions[1] == 1 or b"host" not in names


@bridges
async def test_trailers_pass_both_ways(tmp_path: Path, versions: tuple[int, int]) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(
            200, (b"trailer", b"x-sum"), body=b"down", trailers=[(b"x-sum", b"8"), (b"x-b", b"c")]
        )
        await server.request()

    async with bridge(tmp_path, versions, story) as link:
        await link.client.ask(
            "POST /", (b"te", b"trailers"), body=b"up", trailers=[(b"x-checksum", b"9")]
        )
        _, answer = await link.client.response()
        assert (answer.status, answer.body) == (200, b"down")
        assert lower(answer.trailers) == [(b"x-sum", b"8"), (b"x-b", b"c")]
    assert heard[0].body == b"up"
    assert lower(heard[0].trailers) == [(b"x-checksum", b"9")]
    if versions == (2, 2):
        assert heard[0].value(b"te") == b"trailers"
    assert heard[0].value(b"te") in {None, b"trailers"}


def lower(pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Names in lower case."""
    return [(name.lower(), value) for name, value in pairs]


@bridges
async def test_trailers_without_a_body(tmp_path: Path, versions: tuple[int, int]) -> None:
    async def story(server: Speaker) -> None:
        await server.request()
        await server.answer(200, body=b"", trailers=[(b"x-sum", b"0")])
        await server.request()

    async with bridge(tmp_path, versions, story) as link:
        answer = await exchange(link, "GET /")
    assert (answer.body, lower(answer.trailers)) == (b"", [(b"x-sum", b"0")])


@bridges
async def test_early_hints_come_before_the_answer(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    async def story(server: Speaker) -> None:
        await server.request()
        await server.inform(103, HINT)
        await server.inform(103, HINT)
        await server.answer(200, body=b"page")
        await server.request()

    async with bridge(tmp_path, versions, story) as link:
        await link.client.ask("GET /")
        hints, answer = await link.client.response()
    assert [hint.status for hint in hints] == [103, 103]
    assert [hint.value(HINT[0]) for hint in hints] == [HINT[1]] * 2
    assert (answer.status, answer.body, answer.values(b"link")) == (200, b"page", [])


BARE = [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 304), ("DELETE", 204)]


@bridges
@pytest.mark.parametrize(("method", "status"), BARE, ids=[f"{m}-{s}" for m, s in BARE])
async def test_answers_without_a_body(
    tmp_path: Path, versions: tuple[int, int], method: str, status: int
) -> None:
    length = () if status == 204 else ((b"content-length", b"1000"),)

    async def story(server: Speaker) -> None:
        while True:
            await server.request()
            await server.answer(status, (b"etag", b'"x"'), *length)

    async with bridge(tmp_path, versions, story) as link:
        for _ in range(3):
            answer = await exchange(link, f"{method} /")
            assert (answer.status, answer.body, answer.value(b"etag")) == (status, b"", b'"x"')
            assert answer.values(b"content-length") == [value for _, value in length]
            assert answer.values(b"transfer-encoding") == []
        assert link.upstream.connections == 1


@bridges
@pytest.mark.parametrize("way", ["up", "down"])
async def test_large_bodies(tmp_path: Path, versions: tuple[int, int], way: str) -> None:
    body = pattern(LARGE)
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200, body=body if way == "down" else b"ok")
        await server.request()

    async with bridge(tmp_path, versions, story) as link:
        answer = await exchange(link, "POST /", body=body if way == "up" else b"ok")
    assert heard[0].body == (body if way == "up" else b"ok")
    assert answer.body == (body if way == "down" else b"ok")
