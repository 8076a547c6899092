"""TLS on both sides: who is shown what, who is believed, and certificates that change."""

import ssl
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509

from tests.support.certificates import Authority
from tests.support.proxy import Document, running, talking, web
from tests.support.upstream import answering, upstream
from tests.support.wire import Wire, connect


def shown(wire: Wire) -> x509.Certificate:
    """The certificate that the proxy showed."""
    assert isinstance(wire.stream, trio.SSLStream)
    return x509.load_der_x509_certificate(wire.stream.getpeercert(binary_form=True))


def names(certificate: x509.Certificate) -> list[str]:
    """Its DNS names."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


async def test_a_certificate_is_chosen_by_name(tmp_path: Path, authority: Authority) -> None:
    pairs = [
        authority.pair("a.test", file="a"),
        authority.pair("*.wild.test", file="wild"),
        authority.pair("rsa.test", file="rsa", key_type=trustme.KeyType.RSA),
    ]
    tls = {"certificates": [pair.document for pair in pairs]}
    async with answering() as server, running(tmp_path, web(server.address, tls=tls)) as proxy:
        port, client = await proxy.port(), authority.client()
        client.check_hostname = False
        found = {}
        for name in ("a.test", "x.wild.test", "rsa.test", "stranger.test"):
            async with connect(port, client, name) as wire:
                found[name] = names(shown(wire))
                assert (await wire.get("/", name)).body == b"a"
    assert found == {
        "a.test": ["a.test"],
        "x.wild.test": ["*.wild.test"],
        "rsa.test": ["rsa.test"],
        "stranger.test": ["a.test"],
    }
    assert {request.value(b"x-forwarded-proto") for request in server.requests} == {b"https"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(tmp_path: Path, authority: Authority, version: ssl.TLSVersion) -> None:
    tls = authority.pair("localhost").document
    async with answering() as server, running(tmp_path, web(server.address, tls=tls)) as proxy:
        client = authority.client(None, "http/1.1")
        client.minimum_version = client.maximum_version = version
        async with connect(await proxy.port(), client) as wire:
            assert isinstance(wire.stream, trio.SSLStream)
            assert wire.stream.selected_alpn_protocol() == "http/1.1"
            assert (await wire.get()).status == 200


async def test_a_listener_may_demand_tls_1_3(tmp_path: Path, authority: Authority) -> None:
    tls = {**authority.pair("localhost").document, "min_version": "1.3"}
    async with answering() as server, running(tmp_path, web(server.address, tls=tls)) as proxy:
        client = authority.client()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(trio.BrokenResourceError):
            async with connect(await proxy.port(), client):
                pass
        assert await proxy.metric("meshcore_listener_tls_errors_total") == 1


async def test_who_shows_no_certificate_stays_outside(tmp_path: Path, authority: Authority) -> None:
    tls = {**authority.pair("localhost").document, "client_ca": str(authority.roots)}
    stranger = Authority(tmp_path)
    async with answering() as server, running(tmp_path, web(server.address, tls=tls)) as proxy:
        port = await proxy.port()
        foreign = authority.client(stranger.pair("me.test", file="foreign"))
        for client in (authority.client(), foreign):
            # With TLS 1.3 the client hears of the refusal when it first reads.
            with pytest.raises(trio.BrokenResourceError):
                async with connect(port, client) as wire:
                    await wire.get()
        replies = "meshcore_listener_local_replies_total"
        assert await proxy.metric(replies, error="downstream_tls_failed") == 2
    assert server.requests == []


async def test_an_identity_routes(tmp_path: Path, authority: Authority) -> None:
    tls = {**authority.pair("localhost").document, "client_ca": str(authority.roots)}
    async with answering("admins") as admins, answering("others") as others:
        document: Document = {
            "listeners": [
                {
                    "name": "web",
                    "address": "127.0.0.1:0",
                    "tls": tls,
                    "access_log": {"path": str(tmp_path / "log"), "format": "json"},
                    "routes": [
                        {"match": {"identity": "admin.test"}, "to": "admins"},
                        {"to": "others"},
                    ],
                }
            ],
            "clusters": [
                {"name": "admins", "endpoints": [admins.address]},
                {"name": "others", "endpoints": [others.address]},
            ],
        }
        async with running(tmp_path, document) as proxy:
            port, found = await proxy.port(), {}
            for name in ("admin.test", "guest.test"):
                client = authority.client(authority.pair(name, file=name))
                async with connect(port, client) as wire:
                    found[name] = (await wire.get()).body
    assert found == {"admin.test": b"admins", "guest.test": b"others"}
    log = (tmp_path / "log").read_text()
    assert "admin.test" in log
    assert "guest.test" in log


def origination(address: str, authority: Authority, **tls: str) -> Document:
    """A plain listener before a cluster that speaks TLS."""
    document = web(address)
    document["clusters"][0]["tls"] = {"ca": str(authority.roots), **tls}
    return document


async def test_upstreams_must_carry_the_name(tmp_path: Path, authority: Authority) -> None:
    pair = authority.pair("api.internal", file="api")
    async with answering(tls=authority.server(pair)) as server:
        found = {}
        for name in ("api.internal", "other.internal"):
            document = origination(server.address, authority, server_name=name)
            async with talking(tmp_path, document) as wire:
                response = await wire.get()
                found[name] = (response.status, response.error)
    assert found == {
        "api.internal": (200, None),
        "other.internal": (503, b"upstream_tls_failed"),
    }


async def test_upstreams_must_chain_to_the_roots(tmp_path: Path, authority: Authority) -> None:
    stranger = Authority(tmp_path)
    pair = stranger.pair("api.internal", file="api")
    async with answering(tls=stranger.server(pair)) as server:
        document = origination(server.address, authority, server_name="api.internal")
        async with talking(tmp_path, document) as wire:
            assert (await wire.get()).error == b"upstream_tls_failed"
    assert server.requests == []


async def test_we_show_our_certificate_when_asked(tmp_path: Path, authority: Authority) -> None:
    server_pair = authority.pair("api.internal", file="api")
    ours = authority.pair("proxy.internal", file="ours")
    async with answering(tls=authority.server(server_pair, mutual=True)) as server:
        document = origination(
            server.address, authority, server_name="api.internal", **ours.document
        )
        async with talking(tmp_path, document) as wire:
            for _ in range(5):
                assert (await wire.get()).status == 200
    assert server.connections == 1


async def test_passthrough_is_routed_by_name_and_not_opened(
    tmp_path: Path, authority: Authority
) -> None:
    async def say(text: bytes, wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await wire.send(text)

    async def first(wire: Wire) -> None:
        await say(b"first", wire)

    async def rest(wire: Wire) -> None:
        await say(b"rest", wire)

    one, other = authority.pair("one.test", file="one"), authority.pair("*.wild.test", file="other")
    async with (
        upstream(first, authority.server(one)) as a,
        upstream(rest, authority.server(other)) as b,
    ):
        document: Document = {
            "listeners": [
                {
                    "name": "web",
                    "address": "127.0.0.1:0",
                    "protocol": "tls-passthrough",
                    "routes": [
                        {"match": {"sni": "one.test"}, "to": "a"},
                        {"match": {"sni": ["*.wild.test"]}, "to": "b"},
                    ],
                }
            ],
            "clusters": [
                {"name": "a", "endpoints": [a.address]},
                {"name": "b", "endpoints": [b.address]},
            ],
        }
        async with running(tmp_path, document) as proxy:
            port, client, found = await proxy.port(), authority.client(), {}
            for name in ("one.test", "two.wild.test"):
                async with connect(port, client, name) as wire:
                    await wire.send(b"GET / HTTP/1.1\r\n\r\n")
                    found[name] = (names(shown(wire)), await wire.exactly(4))
            with pytest.raises(trio.BrokenResourceError):
                async with connect(port, client, "elsewhere.example"):
                    pass
    assert found == {
        "one.test": (["one.test"], b"firs"),
        "two.wild.test": (["*.wild.test"], b"rest"),
    }


async def test_a_renewed_certificate_is_taken_without_a_dropped_connection(
    tmp_path: Path, authority: Authority
) -> None:
    tls = authority.pair("localhost", file="web").document
    async with answering() as server, running(tmp_path, web(server.address, tls=tls)) as proxy:
        port, client = await proxy.port(), authority.client()
        async with connect(port, client) as before:
            old = shown(before).serial_number
            generation = await proxy.generation()
            authority.pair("localhost", file="web")
            await proxy.becomes(generation + 1)
            async with connect(port, client) as after:
                assert shown(after).serial_number != old
                assert (await after.get()).status == 200
            assert (await before.get()).status == 200


async def test_a_mismatched_renewal_changes_nothing(tmp_path: Path, authority: Authority) -> None:
    pair = authority.pair("localhost", file="web")
    tls = pair.document
    async with answering() as server, running(tmp_path, web(server.address, tls=tls)) as proxy:
        said = len(proxy.words)
        pair.key.write_bytes(authority.pair("localhost", file="else").key.read_bytes())
        await proxy.says(r"key.*(belong|match)", since=said)
        async with connect(await proxy.port(), authority.client()) as wire:
            assert (await wire.get()).status == 200


async def test_sessions_resume_only_under_the_same_trust(
    tmp_path: Path, authority: Authority
) -> None:
    tls = {**authority.pair("localhost", file="web").document, "client_ca": str(authority.roots)}
    client = authority.client(authority.pair("me.test", file="me"))
    async with answering() as server:
        document = web(server.address, tls=tls)
        async with running(tmp_path, document) as proxy:
            port = await proxy.port()
            assert [await resumed(port, client) for _ in range(3)] == [False, True, True]
            roots = tmp_path / "more.pem"
            roots.write_bytes(authority.roots.read_bytes() + Authority(tmp_path).roots.read_bytes())
            document["listeners"][0]["tls"] = {**tls, "client_ca": str(roots)}
            await proxy.change(document)
            assert await resumed(port, client) is False


SESSIONS: dict[int, ssl.SSLSession] = {}


async def resumed(port: int, context: ssl.SSLContext) -> bool:
    """Whether a handshake that offers the last session resumes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = SESSIONS.get(id(context))
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost", session=session)
    async with connect(port) as wire:

        async def turn() -> None:
            if data := outgoing.read():
                await wire.send(data)
            assert await wire.more()
            incoming.write(wire.take(len(wire.buffer)))

        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await turn()
        tls.write(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        while True:
            try:
                assert tls.read(65536).startswith(b"HTTP/1.1 200")
                break
            except ssl.SSLWantReadError:
                await turn()
    assert tls.session is not None
    SESSIONS[id(context)] = tls.session
    return bool(tls.session_reused)
