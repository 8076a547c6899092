"""Tells systemd how the proxy is doing (sd_notify): a datagram to the socket it names."""

from __future__ import annotations

import os
import socket
import time


def notify(*lines: str) -> None:
    """Send the lines, where somebody wants to know; never fails."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError:
        return  # a supervisor that doesn't listen must not stop the proxy


def ready() -> None:
    """Serving, under this process id."""
    notify("READY=1", f"MAINPID={os.getpid()}")


def reloading() -> None:
    """A reload has begun; `ready` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")


def stopping() -> None:
    """The end has begun."""
    notify("STOPPING=1")


def watchdog() -> None:
    """Alive, where systemd counts on hearing so."""
    if os.environ.get("WATCHDOG_USEC"):
        notify("WATCHDOG=1")
