"""Seeing it: the admin endpoints and the access log."""

import json
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.proxy import Document, running, talking, web
from tests.support.upstream import answering
from tests.support.wire import connect


async def test_endpoints_tell_what_runs(tmp_path: Path) -> None:
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        async with connect(await proxy.port()) as wire:
            for _ in range(7):
                await wire.get()
            assert await proxy.metric("meshcore_listener_connections_active") == 1
        assert (await proxy.ask("/ready")).strip() == "LIVE"
        (cluster,) = json.loads(await proxy.ask("/clusters?format=json"))
        assert [one["address"] for one in cluster["endpoints"]] == [server.address]
        for target in ("/clusters", "/listeners"):
            assert "web" in await proxy.ask(target), target
        dump = json.loads(await proxy.ask("/config_dump"))
        assert dump["generation"] == await proxy.generation()
        assert server.address in json.dumps(dump)
        assert await proxy.metric("meshcore_cluster_requests_total", cluster="web") == 7
        assert await proxy.metric("meshcore_route_requests_total") == 7
        assert (
            await proxy.metric("meshcore_endpoint_request_duration_seconds_count", cluster="web")
            == 7
        )


async def test_no_key_is_ever_shown(tmp_path: Path, authority: Authority) -> None:
    pair = authority.pair("localhost")
    secret = pair.key.read_text().splitlines()[1]
    async with (
        answering() as server,
        running(tmp_path, web(server.address, tls=pair.document)) as proxy,
    ):
        for target in ("/config_dump", "/server_info", "/listeners?format=json", "/stats"):
            shown = await proxy.ask(target)
            assert "PRIVATE" not in shown, target
            assert secret not in shown, target


async def test_what_changes_something_wants_a_post(tmp_path: Path) -> None:
    async with answering() as server, running(tmp_path, web(server.address), stop=False) as proxy:
        async with connect(await proxy.admin()) as wire:
            assert (await wire.get("/quitquitquit", "localhost")).status == 400
            assert (await wire.get("/ready", "evil.example")).status == 403
            assert (await wire.get("/ready", "localhost")).status == 200
        await proxy.ask("/quitquitquit", "POST")
        assert await proxy.process.wait() == 0


def logged(tmp_path: Path, address: str, form: str) -> Document:
    """A document whose listener writes a log."""
    return web(address, access_log={"path": str(tmp_path / "log"), "format": form})


async def test_json_lines(tmp_path: Path) -> None:
    async with answering() as server:
        document = logged(tmp_path, server.address, "json")
        async with talking(tmp_path, document) as wire:
            await wire.get("/path?query=1", "shop.test", "User-Agent: test/1")
            await wire.send(b"GET / HTTP/1.1\r\nbroken\r\n\r\n")
            await wire.response()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert len(lines) == 2
    good, bad = lines
    assert good["method"] == "GET"
    assert good["response_code"] == 200
    assert good["path"] == "/path?query=1"
    assert good["authority"] == "shop.test"
    assert good["user_agent"] == "test/1"
    assert good["upstream_host"] == server.address
    assert bad["response_flags"] == "DPE"
    assert bad["response_code"] == 400


@pytest.mark.parametrize("flag", ["UF", "NR"])
async def test_the_text_log_has_the_response_flag(tmp_path: Path, flag: str) -> None:
    document = logged(tmp_path, "127.0.0.1:1", "text")
    if flag == "NR":
        document["listeners"][0]["routes"] = [{"match": {"host": "only.test"}, "to": "web"}]
    async with talking(tmp_path, document) as wire:
        await wire.get()
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert f" {flag} " in line
    assert '"GET / HTTP/1.1"' in line
