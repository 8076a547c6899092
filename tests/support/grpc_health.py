"""A gRPC server whose health service says what the test wants; messages are bytes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from tests.support.grpc_echo import OPTIONS

SERVING = 1
NOT_SERVING = 2


@dataclass(slots=True)
class Health:
    """What is answered, and what was asked."""

    status: int = SERVING
    asked: list[bytes] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)

    def check(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        """`grpc.health.v1.Health/Check`: field 1 of the answer is the status."""
        self.asked.append(message)
        self.peers.add(context.peer())
        return bytes([8, self.status])


@contextmanager
def serving_health(*, known: bool = True) -> Iterator[tuple[Health, str]]:
    """A server on a port of the kernel's choosing, and its address; not `known`: without it."""
    health = Health()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=OPTIONS)
        if known:
            methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]]
            methods = {"Check": grpc.unary_unary_rpc_method_handler(health.check)}
            handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)
            server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield health, f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
