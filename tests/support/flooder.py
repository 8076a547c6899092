"""An attacker: the same bytes on one connection after the other, until standard input ends.

A process of its own, `python flooder.py PORT FILE PAUSE`, and as cheap as can be, so that what a
neighbour feels is the proxy's work and not the attacker's. Prints a line when the first connection
has ended, and at its end how many did.
"""

import selectors
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Seconds after which a connection that still lives has survived its attack.
SURVIVES = 10.0
PIECE = 1 << 18


def attack(port: int, flood: bytes) -> bool:
    """One connection: send everything, read what comes; whether the other side ended it."""
    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        selectors.DefaultSelector() as ready,
    ):
        sock.setblocking(False)
        ready.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        rest = memoryview(flood)
        deadline = time.monotonic() + SURVIVES
        while time.monotonic() < deadline:
            for _, events in ready.select(SURVIVES):
                try:
                    if events & selectors.EVENT_READ and not sock.recv(PIECE):
                        return True
                    if events & selectors.EVENT_WRITE:
                        rest = rest[sock.send(rest) :]
                except BlockingIOError:
                    continue
                except OSError:
                    return True
                if not rest:
                    ready.modify(sock, selectors.EVENT_READ)
    return False


def attacks(port: int, flood: bytes, pause: float) -> Iterator[bool]:
    """One after the other, a pause between them, until standard input ends."""
    with selectors.DefaultSelector() as over:
        over.register(sys.stdin, selectors.EVENT_READ)
        while not over.select(pause):
            yield attack(port, flood)


def main(port: int, file: str, pause: float) -> None:
    """Attack until standard input ends."""
    flood = Path(file).read_bytes()
    ended = 0
    for won in attacks(port, flood, pause):
        assert won, "a connection survived"
        ended += 1
        if ended == 1:
            print(flush=True)
    print(ended, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
