"""Requests are served whatever Python is doing."""

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from meshcore import Engine
from tests.border.test_engine import document, port

# PyDLL, unlike CDLL, keeps the interpreter for as long as the C function runs.
HOLDING = ctypes.PyDLL(None)

UPSTREAM = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    while connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")
"""
CLIENT = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
for _ in range(200):
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"ok")
"""


@contextmanager
def upstream_apart() -> Iterator[str]:
    """A server in a process of its own: this one's threads will all stand still."""
    with subprocess.Popen([sys.executable, "-c", UPSTREAM], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def test_requests_are_proxied_while_a_thread_holds_the_interpreter() -> None:
    with upstream_apart() as address:
        async with Engine(document(address)) as engine:
            command = f"\"{sys.executable}\" -c '{CLIENT}' {port(engine)}"
            # One C call, from before the first request to after the last.
            status = HOLDING.system(command.encode())
            assert status == 0
            assert engine.stats()["clusters"]["api"]["requests_total"] == 200
