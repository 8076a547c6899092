"""The sample's three filters in a real proxy, from both versions of HTTP to both."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import yaml

from meshcore import extension
from meshcore.config.sources.examine import examine
from tests.support import frames
from tests.support.bridge import BRIDGES, NAMES, Http2, Pair, Speaker, asking, before, telling
from tests.support.packages import ROOT
from tests.support.proxy import COMMAND, Document, Proxy, running
from tests.support.upstream import answering, upstream
from tests.support.wire import Message, Wire, connect

SAMPLE = ROOT / "samples" / "hooks"
KEYS = {"keys": {"k-alice": "alice", "k-bob": "bob"}}
RULES = {
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
TEXT = (b"content-type", b"text/plain")
GZIP = (b"content-encoding", b"gzip")
SECRETS = b"to ada@example.com, card 4111 1111 1111 1111"
MASKED = b"to [e-mail], card [card]"

pytestmark = pytest.mark.usefixtures("filters")


def hooked(document: Document, **hooks: tuple[str, object]) -> Document:
    """With a filter and its config on the route of each path."""
    document["hooks"] = [
        {"name": name, "filter": kind, **({} if config is None else {"config": config})}
        for name, (kind, config) in hooks.items()
    ]
    document["listeners"][0]["routes"] = [
        {"match": {"path": {"prefix": f"/{name}"}}, "to": "web", "hooks": [name]} for name in hooks
    ]
    return document


@dataclass(slots=True)
class Served:
    """A client, a proxy, and what the server behind it got last."""

    proxy: Proxy
    client: Speaker
    seen: list[Message]

    async def ask(self, target: str, *fields: Pair, body: bytes | None = None) -> Message:
        """One exchange."""
        await self.client.ask(f"{'GET' if body is None else 'POST'} {target}", *fields, body=body)
        return (await self.client.response())[1]


@asynccontextmanager
async def served(
    folder: Path, versions: tuple[int, int], *fields: Pair, body: bytes = b""
) -> AsyncIterator[Served]:
    """All three filters before a server that answers all alike."""
    seen: list[Message] = []

    async def story(speaker: Speaker) -> None:
        while True:
            seen.append(await speaker.request())
            await speaker.answer(200, *fields, body=body)

    async with telling(story, versions[1]) as server:
        document = hooked(
            before(server.address, versions[1]),
            key=("api_key", KEYS),
            rules=("header_rewrite", RULES),
            mask=("pii_mask", None),
        )
        async with (
            running(folder, document) as proxy,
            asking(await proxy.port(), versions[0]) as client,
        ):
            yield Served(proxy, client, seen)


@pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)
async def test_the_filters_between_all_versions(tmp_path: Path, versions: tuple[int, int]) -> None:
    fields = (TEXT, (b"location", b"http://a/"), (b"server", b"s"))
    async with served(tmp_path, versions, *fields, body=SECRETS) as it:
        await keys_are_known(it)
        await rules_change_fields(it)
        await bodies_are_masked(it)


async def keys_are_known(it: Served) -> None:
    """Who has a key passes under its owner's name."""
    for fields in ((), ((b"x-api-key", b"k-eve"),), ((b"x-api-key", b"k-alic"),)):
        answer = await it.ask("/key", *fields)
        assert (answer.status, it.seen) == (401, [])
        assert answer.value(b"www-authenticate") == b"ApiKey"
        assert answer.body == b'{"error": "no valid API key"}\n'
    answer = await it.ask("/key", (b"x-api-key", b"k-bob"), (b"x-consumer", b"root"))
    assert (answer.status, answer.body) == (200, SECRETS)
    assert it.seen[-1].value(b"x-consumer") == b"bob"
    assert it.seen[-1].value(b"x-api-key") is None
    assert await it.proxy.metric("meshcore_hook_answered_total", hook="key") == 3
    counted = {"missing": 1, "refused": 2, "accepted": 1}
    for counter, times in counted.items():
        name = "meshcore_hook_counter_total"
        assert await it.proxy.metric(name, hook="key", counter=counter) == times


async def rules_change_fields(it: Served) -> None:
    """Both ways."""
    sent = ((b"x-env", b"x"), (b"x-debug", b"1"), (b"x-tag", b"a"), (b"x-path", b"/old/a"))
    answer = await it.ask("/rules", *sent)
    assert (answer.value(b"location"), answer.values(b"server")) == (b"https://a/", [])
    got = it.seen[-1]
    assert [got.value(name) for name, _ in (sent[0], sent[3])] == [b"prod", b"/new/a"]
    assert got.values(b"x-debug") == []
    assert got.values(b"x-tag") == [b"a", b"b"]


async def bodies_are_masked(it: Served) -> None:
    """Both ways, where they are text."""
    answer = await it.ask("/mask", TEXT, body=SECRETS * 5000)
    assert (answer.status, answer.body) == (200, MASKED)
    assert answer.value(b"content-length") is None
    assert it.seen[-1].body == MASKED * 5000
    assert it.seen[-1].value(b"accept-encoding") == b"identity"
    counted = await it.proxy.metric("meshcore_hook_counter_total", hook="mask", counter="masked")
    assert counted == 2 * 5000 + 2
    await it.ask("/mask", (b"content-type", b"image/png"), body=SECRETS)
    assert it.seen[-1].body == SECRETS


@pytest.mark.parametrize("version", [1, 2])
async def test_what_is_cut_by_a_border_waits_for_the_rest(tmp_path: Path, version: int) -> None:
    """The server has the safe part of a piece before the next one is sent, and no more."""
    first, arrived = b"", trio.Event()

    async def script(wire: Wire) -> None:
        nonlocal first
        await wire.head()
        first = await wire.until(b"hello ")
        arrived.set()
        await wire.until(b"0\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        await wire.send(head, b"5\r\nat b@\r\n", b"c\r\nexample.org.\r\n0\r\n\r\n")

    async with upstream(script) as server:
        document = hooked(before(server.address, 1), mask=("pii_mask", None))
        async with (
            running(tmp_path, document) as proxy,
            asking(await proxy.port(), version) as client,
        ):
            await in_two(client, b"hello ada@exam", arrived, b"ple.com")
            _, answer = await client.response()
    assert b"ada" not in first
    assert answer.body == b"at [e-mail]."


async def in_two(client: Speaker, one: bytes, between: trio.Event, other: bytes) -> None:
    """Send a body in two pieces, the second when the first has arrived."""
    if isinstance(client, Http2):
        client.ident = await client.frames.open(frames.get("/mask", method="POST"), end=False)
        await client.frames.data(client.ident, one)
        await between.wait()
        await client.frames.data(client.ident, other, end=True)
        return
    head = b"POST /mask HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    await client.wire.send(head, b"%x\r\n%s\r\n" % (len(one), one))
    await between.wait()
    await client.wire.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(other), other))


async def test_coded_text_does_not_pass_unseen(tmp_path: Path) -> None:
    async with served(tmp_path, (2, 1), TEXT, GZIP, body=b"z") as it:
        assert (await it.ask("/mask")).status == 502
        assert len(it.seen) == 1
        assert (await it.ask("/mask", TEXT, GZIP, body=b"z")).status == 415
        assert len(it.seen) == 1


@pytest.mark.parametrize(
    "given",
    [
        ("api_key", None, "must be a mapping with keys"),
        ("api_key", {"keys": ["a"]}, "keys: must be a mapping"),
        ("api_key", {"keys": {"a": 1}}, "must be a string"),
        ("api_key", {"keys": {}, "colour": "red"}, "none of keys, header"),
        ("header_rewrite", {"request": [{"set": "a"}]}, "request: a rule is"),
        ("pii_mask", {"mail": "x" * 65}, "at most 64 bytes"),
        ("pii_mask", {"mail": "\u00e9\U0001f600" * 10, "card": '"\\\n'}, ""),
    ],
)
def test_a_wrong_config_is_a_problem(
    tmp_path: Path,
    filters: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, object, str],
) -> None:
    name, config, words = given
    monkeypatch.syspath_prepend(str(filters))
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(dict(hooked(before("127.0.0.1:1", 1), it=(name, config)))))
    found = [problem.message for problem in examine(str(path), extension.check).problems]
    assert [words in message for message in found] == ([True] if words else []), found


def test_the_document_in_the_page_is_sound(tmp_path: Path) -> None:
    page = (ROOT / "docs/hooks.md").read_text()
    (document,) = re.findall(r"```yaml\n(hooks:.*?)```", page, re.DOTALL)
    (tmp_path / "policies").symlink_to(SAMPLE / "policies")
    (tmp_path / "proxy.yaml").write_text(document)
    command = [COMMAND, "check", str(tmp_path / "proxy.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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


def test_the_masks_own_tests(tmp_path: Path) -> None:
    """They try every cut of a body."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, SAMPLE / "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
    )
    assert done.returncode == 0, done.stdout
