"""HTTP/2 with programs of others: curl, nghttp, h2load, httpx2; hypercorn and nghttpd behind."""

import re
import ssl
from pathlib import Path

import httpx2
import pytest
import trio

from tests.support.asgi import PIECE, hypercorn_serving
from tests.support.backend import backends
from tests.support.bridge import asking, before
from tests.support.certificates import Authority
from tests.support.nghttpd import nghttpd
from tests.support.proxy import Document, running, web
from tests.support.scale import scaled

MIB = 1 << 20
WHAT = "%{http_version} %{http_code} %{size_download}"

versions = pytest.mark.parametrize("version", [1, 2])


async def run(*command: str) -> str:
    """What a program prints."""
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.decode()


async def curl(*arguments: str) -> str:
    """What curl says of one exchange."""
    return await run("curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", WHAT, *arguments)


async def test_curl_with_prior_knowledge(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(4 * MIB))
    async with backends("A") as (server,), running(tmp_path, web(server.address)) as proxy:
        site = f"http://127.0.0.1:{await proxy.port()}"
        direct = "--http2-prior-knowledge"
        assert await curl(direct, f"{site}/1k") == "2 200 1024"
        assert await curl(direct, "-I", f"{site}/1k") == "2 200 0"
        assert await curl(direct, f"{site}/size/{16 * MIB}") == f"2 200 {16 * MIB}"
        assert await curl(direct, f"{site}/chunked/{MIB}") == f"2 200 {MIB}"
        assert await curl(direct, "-T", str(big), f"{site}/1k") == "2 200 1024"
        assert await curl(direct, "-X", "POST", "-d", "a=b", f"{site}/1k") == "2 200 1024"
        # The upgrade from HTTP/1.1 is gone from RFC 9113; it is not taken, and does no harm.
        assert await curl("--http2", f"{site}/1k") == "1.1 200 1024"


async def test_curl_over_tls(tmp_path: Path, authority: Authority) -> None:
    tls = authority.pair("localhost").document
    async with backends("A") as (server,), running(tmp_path, web(server.address, tls=tls)) as proxy:
        secure = ("--cacert", str(authority.roots))
        site = f"https://localhost:{await proxy.port()}"
        assert await curl(*secure, "--http2", f"{site}/1k") == "2 200 1024"
        assert await curl(*secure, "--http1.1", f"{site}/1k") == "1.1 200 1024"
        assert await curl(*secure, "--http2", f"{site}/size/{4 * MIB}") == f"2 200 {4 * MIB}"


@versions
async def test_nghttp(tmp_path: Path, version: int) -> None:
    (tmp_path / "1k").write_bytes(bytes(1024))
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(MIB))
    async with backends("A") as (first,), nghttpd(tmp_path) as second:
        document = before(first.address if version == 1 else second, version)
        async with running(tmp_path, document) as proxy:
            page = f"http://127.0.0.1:{await proxy.port()}/1k"
            said = await run("nghttp", "-n", "-s", "-m", "20", page)
            assert len(re.findall(r"\b200\b +\S+ +/1k", said)) == 20, said
            assert len(await run("nghttp", page)) == 1024
            said = await run("nghttp", "-n", "-v", "-d", str(upload), page)
            assert ":status: 200" in re.sub(r"\x1b\[[\d;]*m", "", said)
            assert "GOAWAY" not in said.partition("send GOAWAY")[0]


@versions
@pytest.mark.parametrize("secure", [False, True], ids=["h2c", "tls"])
async def test_h2load(tmp_path: Path, authority: Authority, version: int, secure: bool) -> None:
    count = scaled(1_000_000, 10_000)
    (tmp_path / "1k").write_bytes(bytes(1024))
    tls = {"tls": authority.pair("localhost").document} if secure else {}
    async with backends("A") as (first,), nghttpd(tmp_path) as second:
        document = before(first.address if version == 1 else second, version, **tls)
        async with running(tmp_path, document) as proxy:
            scheme = "https" if secure else "http"
            page = f"{scheme}://127.0.0.1:{await proxy.port()}/1k"
            said = await run("h2load", "-n", str(count), "-c", "10", "-m", "10", page)
    done = f"{count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored"
    assert f"requests: {done}, 0 timeout" in said, said
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in said
    assert re.search(r"Application protocol: h2" if secure else "h2c", said), said


@versions
async def test_httpx2(tmp_path: Path, authority: Authority, version: int) -> None:
    count = 50
    pair = authority.pair("localhost")
    context = ssl.create_default_context(cafile=str(authority.roots))
    found: list[tuple[str, str]] = []
    async with (
        hypercorn_serving() as address,
        running(tmp_path, before(address, version, tls=pair.document)) as proxy,
        httpx2.AsyncClient(http1=False, http2=True, verify=context, trust_env=False) as client,
    ):
        site = f"https://localhost:{await proxy.port()}"

        async def post(size: int) -> None:
            answer = await client.post(f"{site}/", content=bytes(size))
            found.append((answer.http_version, answer.text))

        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(post, number * 1000)
        large = await client.get(f"{site}/size/{4 * MIB}")
        assert large.content == (PIECE * (4 * MIB // len(PIECE) + 1))[: 4 * MIB]
    spoken = "1.1" if version == 1 else "2"
    wanted = {("HTTP/2", f"{spoken} POST {number * 1000}") for number in range(count)}
    assert len(found) == count
    assert set(found) == wanted


async def spoken_behind(folder: Path, document: Document) -> list[bytes]:
    """What a real server says that it was asked in, by an HTTP/1 client and by an HTTP/2 one."""
    bodies = []
    async with running(folder, document) as proxy:
        for version in (1, 2):
            async with asking(await proxy.port(), version) as client:
                for _ in range(3):
                    await client.ask("GET /")
                    _, answer = await client.response()
                bodies.append(answer.body)
    return bodies


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [
        ("http1", [b"1.1 GET 0", b"1.1 GET 0"]),
        ("http2", [b"2 GET 0", b"2 GET 0"]),
        ("same", [b"1.1 GET 0", b"2 GET 0"]),
        ("auto", [b"1.1 GET 0", b"1.1 GET 0"]),
    ],
)
async def test_what_is_spoken_to_a_server(
    tmp_path: Path, protocol: str, spoken: list[bytes]
) -> None:
    async with hypercorn_serving() as address:
        document = web(address)
        document["clusters"][0]["protocol"] = protocol
        assert await spoken_behind(tmp_path, document) == spoken


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [
        ("http1", [b"1.1 GET 0", b"1.1 GET 0"]),
        ("http2", [b"2 GET 0", b"2 GET 0"]),
        ("same", [b"1.1 GET 0", b"2 GET 0"]),
        ("auto", [b"2 GET 0", b"2 GET 0"]),
    ],
)
async def test_what_is_spoken_to_a_server_over_tls(
    tmp_path: Path, authority: Authority, protocol: str, spoken: list[bytes]
) -> None:
    async with hypercorn_serving(authority.pair("api.internal", file="api")) as address:
        document = web(address)
        document["clusters"][0]["protocol"] = protocol
        document["clusters"][0]["tls"] = {
            "ca": str(authority.roots),
            "server_name": "api.internal",
        }
        assert await spoken_behind(tmp_path, document) == spoken
