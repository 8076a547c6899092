"""Ambiguous and malformed heads: 400, close, and never a byte of them upstream."""

from pathlib import Path

from tests.support.proxy import running, web
from tests.support.upstream import answering
from tests.support.wire import Ended, connect

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
    "two-codings": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
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


REFUSED_WITH_400 = {name: (400, sent) for name, sent in REFUSED.items()} | {
    f"chunk-{name}": (400, CHUNKED + body) for name, body in BAD_CHUNKS.items()
}
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"


async def outcome(port: int, sent: bytes) -> object:
    """The status for `sent`, or what was wrong with how it was refused."""
    async with connect(port) as wire:
        await wire.send(sent, NEXT)
        try:
            response = await wire.response()
        except Ended as ended:
            return f"no answer: {ended}"
        if not await wire.ended():
            return "the connection went on"
        return response.status


async def test_everything_ambiguous_is_refused_and_nothing_of_it_forwarded(tmp_path: Path) -> None:
    cases = REFUSED_WITH_400 | WITH_ITS_OWN_STATUS
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        found = {name: await outcome(port, sent) for name, (_, sent) in cases.items()}
        counted = await proxy.metric("meshcore_listener_bad_requests_total")
    assert found == {name: status for name, (status, _) in cases.items()}
    assert server.requests == []
    assert counted >= len(REFUSED)


async def test_what_real_clients_send_passes(tmp_path: Path) -> None:
    heads = {
        "lower-case": b"GET / HTTP/1.1\r\nhost: t\r\n\r\n",
        "leading-empty-line": b"\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n",
        "tab-in-value": GET + b"X: a\tb\r\n\r\n",
        "high-bytes": GET + b"X: \xc3\xa9\r\n\r\n",
        "empty-value": GET + b"X:\r\n\r\n",
        "two-slashes": b"GET //a HTTP/1.1\r\nHost: t\r\n\r\n",
        "ipv6-host": b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n",
        "own-method": b"PROPFIND / HTTP/1.1\r\nHost: t\r\n\r\n",
        "leading-zeros": POST + b"Content-Length: 0005\r\n\r\nhello",
        "capital-chunked": POST + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    }
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        found = {}
        for name, head in heads.items():
            async with connect(port) as wire:
                await wire.send(head)
                found[name] = (await wire.response()).status
    assert found == dict.fromkeys(heads, 200)
