"""Envoy's rate limit service on grpcio, with the few lines of protobuf that its messages need."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from tests.support.grpc_echo import OPTIONS

Fields = list[tuple[int, int | bytes]]
Asked = tuple[str, list[tuple[str, str]], int]


def _number(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return found, at


def read(data: bytes) -> Fields:
    """The fields of a message: numbers, and bytes."""
    found: Fields = []
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        number, at = _number(data, at)
        value: int | bytes = number
        if tag & 7:
            assert tag & 7 == 2
            value = data[at : at + number]
            at += number
        found.append((tag >> 3, value))
    return found


def write(*fields: tuple[int, int | bytes]) -> bytes:
    """A message of these fields."""
    out = bytearray()

    def number(value: int) -> None:
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)

    for key, value in fields:
        if isinstance(value, int):
            number(key << 3)
            number(value)
        else:
            number(key << 3 | 2)
            number(len(value))
            out.extend(value)
    return bytes(out)


def parts(fields: Fields, key: int) -> list[bytes]:
    """The messages and texts of one key."""
    return [value for number, value in fields if number == key and isinstance(value, bytes)]


def asked(message: bytes) -> Asked:
    """Domain, entries and hits of a `RateLimitRequest` with one descriptor."""
    fields = read(message)
    ((domain,), (descriptor,)) = parts(fields, 1), parts(fields, 2)
    entries = [read(entry) for entry in parts(read(descriptor), 1)]
    pairs = [(parts(entry, 1)[0].decode(), parts(entry, 2)[0].decode()) for entry in entries]
    (hits,) = [value for number, value in fields if number == 3 and isinstance(value, int)]
    return domain.decode(), pairs, hits


@dataclass(slots=True)
class Rules:
    """What the service answers, and what it was asked."""

    over: set[str] = field(default_factory=set)
    """Values of a last entry that are over their limit."""
    fails: bool = False
    asked: list[Asked] = field(default_factory=list)

    def decide(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        """A `RateLimitResponse`: 10 an hour, 7 left, or over it."""
        self.asked.append(asked(message))
        if self.fails:
            context.abort(grpc.StatusCode.INTERNAL, "no")
        value = self.asked[-1][1][-1][1]
        code = 2 if value in self.over else 1
        limit = write((1, 10), (2, 3), (3, b"ten"))
        status = write((1, code), (2, limit), (3, 0 if code == 2 else 7), (4, write((1, 60))))
        added = write((1, b"X-Rule"), (2, value.encode()))
        body = ((5, b"too many\n"),) if code == 2 else ()
        return write((1, code), (2, status), (3, added), *body)


@contextmanager
def ruling() -> Iterator[tuple[Rules, str]]:
    """A service on a port of the kernel's choosing, and its address."""
    rules = Rules()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=OPTIONS)
        method: grpc.RpcMethodHandler[bytes, bytes]
        method = grpc.unary_unary_rpc_method_handler(rules.decide)
        name = "envoy.service.ratelimit.v3.RateLimitService"
        handler = grpc.method_handlers_generic_handler(name, {"ShouldRateLimit": method})
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield rules, f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
