"""Ambiguous and malformed heads: 400, close, and never a byte of them upstream."""

from pathlib import Path

import pytest

from tests.support.proxy import running, web
from tests.support.upstream import answering
from tests.support.wire import connect

GET = b"GET / HTTP/1.1\r\nHost: t\r\n"
POST = b"POST / HTTP/1.1\r\nHost: t\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "length-and-coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding-and-length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two-lengths": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a-list-of-lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "signed-length": POST + b"Content-Length: +5\r\n\r\nhello",
    "hex-length": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "empty-length": POST + b"Content-Length: \r\n\r\n",
    "huge-length": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "two-codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked-twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "vertical-tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding-in-1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare-lf": b"GET / HTTP/1.1\nHost: t\n\n",
    "bare-cr": GET + b"X: a\rb\r\n\r\n",
    "folded": GET + b"X: a\r\n b\r\n\r\n",
    "space-before-colon": GET + b"X : a\r\n\r\n",
    "no-colon": GET + b"X\r\n\r\n",
    "empty-name": GET + b": a\r\n\r\n",
    "nul-in-value": GET + b"X: a\x00b\r\n\r\n",
    "underscore": GET + b"X_Forwarded_For: 1\r\n\r\n",
    "two-hosts": GET + b"Host: u\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "host-with-space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host-with-comma": b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "user-information": b"GET http://me@t/ HTTP/1.1\r\nHost: t\r\n\r\n",
    "fragment": b"GET /#top HTTP/1.1\r\nHost: t\r\n\r\n",
    "asterisk": b"GET * HTTP/1.1\r\nHost: t\r\n\r\n",
    "space-in-target": b"GET /a b HTTP/1.1\r\nHost: t\r\n\r\n",
    "encoded-nul": b"GET /%00 HTTP/1.1\r\nHost: t\r\n\r\n",
    "version": b"GET / HTTP/1.7x\r\nHost: t\r\n\r\n",
    "tls-hello": b"\x16\x03\x01\x00\x05hello\r\n\r\n",
}
BAD_CHUNKS = {
    "sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "hex-prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "empty-size": b"\r\nhello\r\n0\r\n\r\n",
    "seventeen-digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "space-after": b"5 \r\nhello\r\n0\r\n\r\n",
    "lf-in-extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "too-long": b"5\r\nhello!\r\n0\r\n\r\n",
}
WITH_ITS_OWN_STATUS = {
    "unknown-coding": (501, POST + b"Transfer-Encoding: gzip\r\n\r\n"),
    "long-target": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: t\r\n\r\n"),
    "many-fields": (431, GET + b"".join(b"X%d: 1\r\n" % n for n in range(200)) + b"\r\n"),
    "large-field": (431, GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n"),
}


async def refused(tmp_path: Path, sent: bytes) -> int:
    """The status for `sent`; nothing of it, nor what follows it, may reach the upstream."""
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        async with connect(await proxy.port()) as wire:
            await wire.send(sent, b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n")
            response = await wire.response()
            assert response.value(b"connection") == b"close"
            assert await wire.ended()
    assert server.requests == []
    return response.status


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED.keys())
async def test_refused(tmp_path: Path, sent: bytes) -> None:
    assert await refused(tmp_path, sent) == 400


@pytest.mark.parametrize(
    ("status", "sent"), WITH_ITS_OWN_STATUS.values(), ids=WITH_ITS_OWN_STATUS.keys()
)
async def test_refused_with_a_status_of_its_own(tmp_path: Path, status: int, sent: bytes) -> None:
    assert await refused(tmp_path, sent) == status


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
async def test_a_broken_chunk_never_completes_a_request(tmp_path: Path, body: bytes) -> None:
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        async with connect(await proxy.port()) as wire:
            await wire.send(CHUNKED, body, b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n")
            response = await wire.response()
            assert response.status == 400
            assert await wire.ended()
    assert server.requests == []
