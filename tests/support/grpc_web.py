"""A gRPC-Web client made of httpx2: frames, text, and answers as they come."""

import base64
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

PREFIX = struct.Struct(">BL")
TRAILERS = 0x80
GROUP = 4
BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text+proto"


def frame(message: bytes, flags: int = 0) -> bytes:
    """A message, or with other flags trailers, behind its prefix."""
    return PREFIX.pack(flags, len(message)) + message


def as_text(*pieces: bytes) -> bytes:
    """Each piece as base64 with its own padding, as a sender flushes them."""
    return b"".join(base64.b64encode(piece) for piece in pieces)


@dataclass(slots=True)
class Reader:
    """Takes an answer's bytes as they come and gives frames."""

    is_text: bool
    _text: bytes = b""
    _bytes: bytes = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are whole now: flags and content."""
        self._bytes += self._decoded(data) if self.is_text else data
        frames = []
        while len(self._bytes) >= PREFIX.size:
            flags, size = PREFIX.unpack_from(self._bytes)
            end = PREFIX.size + size
            if len(self._bytes) < end:
                break
            frames.append((flags, self._bytes[PREFIX.size : end]))
            self._bytes = self._bytes[end:]
        return frames

    def _decoded(self, data: bytes) -> bytes:
        self._text += data
        whole = len(self._text) // GROUP * GROUP
        groups, self._text = self._text[:whole], self._text[whole:]
        cut = range(0, whole, GROUP)
        return b"".join(base64.b64decode(groups[at : at + GROUP], validate=True) for at in cut)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left over."""
        return not self._text and not self._bytes


def fields(lines: bytes) -> dict[str, str]:
    """The fields in a frame of trailers."""
    assert not lines or lines.endswith(b"\r\n")
    pairs = [line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1]]
    return {name.decode(): value.decode() for name, value in pairs}


@dataclass(slots=True)
class Answer:
    """An answer, read as far as it came."""

    response: httpx2.Response
    reader: Reader
    messages: list[bytes] = field(default_factory=list)
    trailers: dict[str, str] | None = None

    async def each(self) -> AsyncIterator[bytes]:
        """The messages as they come; the trailers must be last."""
        async for data in self.response.aiter_raw():
            for flags, content in self.reader.feed(data):
                assert self.trailers is None
                if flags == TRAILERS:
                    self.trailers = fields(content)
                    continue
                assert flags == 0
                self.messages.append(content)
                yield content
        assert self.reader.is_empty

    @property
    def status(self) -> str | None:
        """`grpc-status`, from the last frame or from the head."""
        told = self.trailers if self.trailers is not None else self.response.headers
        return told.get("grpc-status")


def coded(messages: Sequence[bytes], kind: str) -> bytes:
    """A request's body."""
    frames = [frame(message) for message in messages]
    return as_text(*frames) if "-text" in kind else b"".join(frames)


@asynccontextmanager
async def speaking(port: int, version: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of HTTP/1.1, or of HTTP/2 with prior knowledge."""
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        http1=version == 1,
        http2=version == 2,
        trust_env=False,
        headers={"accept": "*/*"},
    ) as client:
        yield client


@asynccontextmanager
async def answering(
    client: httpx2.AsyncClient,
    method: str,
    body: bytes | AsyncIterator[bytes],
    kind: str = BINARY,
    **more: str,
) -> AsyncIterator[Answer]:
    """A call's answer, its head read."""
    headers = {"content-type": kind, "x-grpc-web": "1"}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    async with client.stream(
        "POST", f"/test.Echo/{method}", content=body, headers=headers
    ) as response:
        answer_kind = response.headers.get("content-type", "")
        yield Answer(response, Reader("-text" in answer_kind))


async def call(
    client: httpx2.AsyncClient,
    method: str,
    body: bytes | AsyncIterator[bytes],
    kind: str = BINARY,
    **more: str,
) -> Answer:
    """A call's whole answer."""
    async with answering(client, method, body, kind, **more) as answer:
        async for _ in answer.each():
            pass
    return answer
