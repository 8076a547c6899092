"""The sample's three filters in a real proxy, from both versions of HTTP to both."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import yaml

from tests.support.bridge import BRIDGES, NAMES, Speaker, asking, before, telling
from tests.support.packages import ROOT
from tests.support.proxy import COMMAND, Document, Proxy, running
from tests.support.upstream import answering, upstream
from tests.support.wire import Message, Wire, connect

SAMPLE = ROOT / "samples" / "hooks"
KEYS = {"keys": {"k-alice": "alice", "k-bob": "bob"}}
SECRETS = b"to ada@example.com, card 4111 1111 1111 1111"
MASKED = b"to [e-mail], card [card]"

pytestmark = pytest.mark.usefixtures("filters")
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


@dataclass(slots=True)
class Seen:
    """What the upstream got last."""

    request: Message | None = None

    def value(self, name: bytes) -> bytes | None:
        """The only value of a field."""
        assert self.request is not None
        return self.request.value(name)


def hooked(document: Document, name: str, config: object = None) -> Document:
    """With one hook on its only listener's routes."""
    hook = {"name": "it", "filter": name, **({} if config is None else {"config": config})}
    document["hooks"] = [hook]
    document["listeners"][0]["routes"] = [{"to": "web", "hooks": ["it"]}]
    return document


@asynccontextmanager
async def served(
    folder: Path,
    versions: tuple[int, int],
    config: tuple[str, object],
    *fields: tuple[bytes, bytes],
    body: bytes = b"",
) -> AsyncIterator[tuple[Proxy, Speaker, Seen]]:
    """A client, a proxy with one filter, and a server that answers all alike."""
    seen = Seen()

    async def story(speaker: Speaker) -> None:
        while True:
            seen.request = await speaker.request()
            await speaker.answer(200, *fields, body=body)

    async with telling(story, versions[1]) as server:
        document = hooked(before(server.address, versions[1]), *config)
        async with (
            running(folder, document) as proxy,
            asking(await proxy.port(), versions[0]) as client,
        ):
            yield proxy, client, seen


async def asked(client: Speaker, *fields: tuple[bytes, bytes], body: bytes | None = None) -> Message:
    """One exchange."""
    await client.ask("GET /" if body is None else "POST /", *fields, body=body)
    _, message = await client.response()
    return message


@bridges
async def test_a_known_key_tells_whose_it_is(tmp_path: Path, versions: tuple[int, int]) -> None:
    async with served(tmp_path, versions, ("api_key", KEYS)) as (proxy, client, seen):
        for fields in ((), ((b"x-api-key", b"k-eve"),), ((b"x-api-key", b"k-alic"),)):
            answer = await asked(client, *fields)
            assert (answer.status, seen.request) == (401, None)
            assert answer.value(b"www-authenticate") == b"ApiKey"
            assert answer.body == b'{"error": "no valid API key"}\n'
        forged = (b"x-consumer", b"root")
        assert (await asked(client, (b"x-api-key", b"k-bob"), forged)).status == 200
        assert (seen.value(b"x-consumer"), seen.value(b"x-api-key")) == (b"bob", None)
        assert await proxy.metric("meshcore_hook_answered_total", hook="it") == 3


@bridges
async def test_rules_change_fields(tmp_path: Path, versions: tuple[int, int]) -> None:
    rules = {
        "request": [
            {"set": "x-env", "to": "prod"},
            {"remove": "x-debug"},
            {"add": "x-tag", "to": "b"},
            {"replace": "x-path", "from": "/old", "to": "/new"},
        ],
        "response": [
            {"replace": "location", "from": "http:", "to": "https:"},
            {"remove": "server"},
        ],
    }
    told = ((b"location", b"http://a/"), (b"server", b"s"))
    async with served(tmp_path, versions, ("header_rewrite", rules), *told) as (_, client, seen):
        sent = ((b"x-env", b"x"), (b"x-debug", b"1"), (b"x-tag", b"a"), (b"x-path", b"/old/a"))
        answer = await asked(client, *sent)
        assert (answer.value(b"location"), answer.values(b"server")) == (b"https://a/", [])
        assert seen.request is not None
        assert (seen.value(b"x-env"), seen.value(b"x-debug")) == (b"prod", None)
        assert seen.value(b"x-path") == b"/new/a"
        assert seen.request.values(b"x-tag") == [b"a", b"b"]


@bridges
async def test_bodies_are_masked_both_ways(tmp_path: Path, versions: tuple[int, int]) -> None:
    text = (b"content-type", b"text/plain")
    config = ("pii_mask", None)
    async with served(tmp_path, versions, config, text, body=SECRETS) as (_, client, seen):
        answer = await asked(client, text, body=SECRETS * 5000)
        assert (answer.status, answer.body) == (200, MASKED)
        assert answer.value(b"content-length") is None
        assert seen.request is not None
        assert seen.request.body == MASKED * 5000
        assert seen.value(b"accept-encoding") == b"identity"
        await asked(client, (b"content-type", b"image/png"), body=SECRETS)
        assert seen.request.body == SECRETS, "no text"


async def test_what_is_cut_by_a_border_waits_for_the_rest(tmp_path: Path) -> None:
    """The server has the safe part of a piece before the next one is sent, and no more."""
    first, arrived = b"", trio.Event()

    async def script(wire: Wire) -> None:
        nonlocal first
        await wire.head()
        first = await wire.until(b"hello ")
        arrived.set()
        await wire.until(b"0\r\n\r\n")
        body = b"5\r\nat b@\r\n".replace(b"5", b"5")
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        await wire.send(head, body, b"c\r\nexample.org.\r\n0\r\n\r\n")

    async with upstream(script) as server:
        document = hooked(before(server.address, 1), "pii_mask")
        async with running(tmp_path, document) as proxy, connect(await proxy.port()) as wire:
            head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            await wire.send(head, b"e\r\nhello ada@exam\r\n")
            await arrived.wait()
            await wire.send(b"7\r\nple.com\r\n0\r\n\r\n")
            answer = await wire.response()
    assert b"ada" not in first
    assert answer.body == b"at [e-mail]."


async def test_coded_text_does_not_pass_unseen(tmp_path: Path) -> None:
    coded = ((b"content-type", b"text/plain"), (b"content-encoding", b"gzip"))
    async with served(tmp_path, (1, 1), ("pii_mask", None), *coded, body=b"z") as (_, client, seen):
        assert (await asked(client, *coded, body=b"z")).status == 415
        assert seen.request is None
    (tmp_path / "b").mkdir()
    async with served(tmp_path / "b", (1, 1), ("pii_mask", None), *coded, body=b"z") as (_, c, _):
        assert (await asked(c)).status == 502


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("api_key", None, "must be a mapping with keys"),
        ("api_key", {"keys": ["a"]}, "keys: must be a mapping"),
        ("api_key", {"keys": {"a": 1}}, "must be a string"),
        ("api_key", {"keys": {}, "colour": "red"}, "none of keys, header"),
        ("header_rewrite", {"request": [{"set": "a"}]}, "request: a rule is"),
        ("pii_mask", {"mail": "x" * 65}, "at most 64 bytes"),
    ],
)
def test_a_wrong_config_is_a_problem(
    tmp_path: Path, name: str, config: object, words: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(dict(hooked(before("127.0.0.1:1", 1), name, config))))
    done = subprocess.run(
        [COMMAND, "check", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 65, done.stdout
    assert words in done.stderr


async def test_the_document_of_the_sample(tmp_path: Path) -> None:
    """Filters and policies one after the other, as its README has them."""
    document: Document = yaml.safe_load((SAMPLE / "meshcore.yaml").read_text())
    # Policies stand beside the document.
    (tmp_path / "policies").symlink_to(SAMPLE / "policies")
    async with answering("small") as small, answering("large") as large:
        document["listeners"][0]["address"] = "127.0.0.1:0"
        for cluster, server in zip(document["clusters"], (small, large), strict=True):
            cluster["endpoints"] = [server.address]
        async with running(tmp_path, document) as proxy, connect(await proxy.port()) as wire:
            assert (await wire.get()).status == 401
            for key, status, body in (
                ("k-77c0", 200, b"small"),
                ("k-3f9a", 200, b"large"),
                ("k-0b52", 403, b'{"error": "no plan"}\n'),
            ):
                for _ in range(2):
                    answer = await wire.get("/", "a", f"x-api-key: {key}")
                    assert (answer.status, answer.body) == (status, body)
            asked = b'{"model": "large", "to": "ada@example.com"}'
            head = "POST /v1/chat HTTP/1.1\r\nhost: a\r\nx-api-key: k-77c0\r\n"
            kind = f"content-type: application/json\r\ncontent-length: {len(asked)}\r\n\r\n"
            await wire.send((head + kind).encode(), asked)
            assert (await wire.response()).body == b"large"
            assert large.requests[-1].body == b'{"model": "large", "to": "[e-mail]"}'
            assert await proxy.metric("meshcore_hook_cache_hits_total", hook="by-plan") >= 1


def test_the_masks_own_tests(filters: Path) -> None:
    """They try every cut of a body."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=SAMPLE,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(filters), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout
