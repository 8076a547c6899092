"""A gRPC server and its clients without generated code: messages are bytes."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
import trio

THREADS = 16
# A call that takes longer hangs.
DEADLINE = 20.0
# Messages may be large.
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # Each channel has connections of its own.
    ("grpc.use_local_subchannel_pool", 1),
)

# A message that gRPC must encode: RFC 3986 escapes for what is no plain ASCII, and for `%`.
WHY = "nicht gefunden: ü %"
Result = TypeVar("Result")


@dataclass(slots=True)
class Service:
    """What the server does, and what it saw."""

    name: str
    remaining: list[float | None] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def note(self, context: grpc.ServicerContext) -> None:
        """Keep what came with a call."""
        self.remaining.append(context.time_remaining())
        self.metadata.append(dict(context.invocation_metadata()))

    def echo(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        """One message, the same back, and every `x-` with it."""
        self.note(context)
        back = tuple((k, v) for k, v in self.metadata[-1].items() if k.startswith("x-"))
        context.send_initial_metadata((("x-server", self.name), *back))
        context.set_trailing_metadata(back)
        return message

    def count(self, message: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """As many messages as the one says."""
        self.note(context)
        for number in range(int(message)):
            yield b"%d" % number

    def join(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """All messages in one."""
        self.note(context)
        return b",".join(messages)

    def upper(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Each message at once, in upper case."""
        self.note(context)
        for message in messages:
            yield message.upper()

    def fail(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        """No answer but a status and trailers."""
        self.note(context)
        context.set_trailing_metadata((("x-why-bin", b"\x00\xff"),))
        context.abort(status(int(message)), WHY)
        raise AssertionError

    def wait(self, _: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """A first message, and then nothing until the call is given up."""
        self.note(context)
        context.add_callback(self.ended.set)
        yield b"first"
        self.waiting.set()
        self.ended.wait(DEADLINE)


def status(number: int) -> grpc.StatusCode:
    """The status code with a number."""
    (found,) = [code for code in grpc.StatusCode if code.value[0] == number]
    return found


def handlers(service: Service) -> "dict[str, grpc.RpcMethodHandler[bytes, bytes]]":
    """The methods of `/test.Echo`."""
    return {
        "Echo": grpc.unary_unary_rpc_method_handler(service.echo),
        "Count": grpc.unary_stream_rpc_method_handler(service.count),
        "Join": grpc.stream_unary_rpc_method_handler(service.join),
        "Upper": grpc.stream_stream_rpc_method_handler(service.upper),
        "Fail": grpc.unary_unary_rpc_method_handler(service.fail),
        "Wait": grpc.unary_stream_rpc_method_handler(service.wait),
    }


@contextmanager
def serving(name: str = "a", *, age_ms: int | None = None) -> Iterator[tuple[Service, str]]:
    """A server on a port of the kernel's choosing, and its address.

    It tells connections of `age_ms` to go away.
    """
    aged = (("grpc.max_connection_age_ms", age_ms),) if age_ms else ()
    service = Service(name)
    with ThreadPoolExecutor(THREADS) as pool:
        server = grpc.server(pool, options=(*OPTIONS, *aged))
        handler = grpc.method_handlers_generic_handler("test.Echo", handlers(service))
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield service, f"127.0.0.1:{port}"
        finally:
            service.ended.set()
            server.stop(None).wait()


class Client:
    """The methods of `/test.Echo` on one channel."""

    def __init__(self, opened: grpc.Channel) -> None:
        """Call on `opened`."""
        self._opened = opened
        self.count: grpc.UnaryStreamMultiCallable[bytes, bytes]
        self.count = opened.unary_stream("/test.Echo/Count")
        self.wait: grpc.UnaryStreamMultiCallable[bytes, bytes]
        self.wait = opened.unary_stream("/test.Echo/Wait")
        self.join: grpc.StreamUnaryMultiCallable[bytes, bytes]
        self.join = opened.stream_unary("/test.Echo/Join")
        self.upper: grpc.StreamStreamMultiCallable[bytes, bytes]
        self.upper = opened.stream_stream("/test.Echo/Upper")

    def unary(self, method: str = "Echo") -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
        """A method with one message each way."""
        return self._opened.unary_unary(f"/test.Echo/{method}")


@contextmanager
def client(
    port: int, credentials: grpc.ChannelCredentials | None = None, *, resends: bool = False
) -> Iterator[Client]:
    """A client with a channel of its own; with credentials over TLS.

    One that `resends` is as grpcio is by default: a call that never left it, because its connection
    was told to go away meanwhile, goes out on the next one.
    """
    options = (*OPTIONS, ("grpc.enable_retries", int(resends)))
    with (
        grpc.secure_channel(f"localhost:{port}", credentials, options=options)
        if credentials
        else grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
    ) as opened:
        yield Client(opened)


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run a blocking client beside trio; it ends by its own deadlines."""
    return await trio.to_thread.run_sync(work)
