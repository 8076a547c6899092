"""From the command's process to the proxy's: same process id, nothing else left of it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from meshcore.agent.settings import Bundle, Settings

# -P: a file named like one of our modules in the working directory must not be imported.
MODULE = ("-P", "-m", "meshcore.agent")


def launch(settings: Settings, bundle: Bundle) -> NoReturn:
    """Become the proxy. What it runs goes through an unnamed file: keys never touch a disk."""
    fd = os.memfd_create("meshcore", os.MFD_CLOEXEC)
    with os.fdopen(fd, "wb", closefd=False) as file:
        file.write(settings.to_json().encode() + b"\n")
        file.write(bundle.pack())
    os.lseek(fd, 0, os.SEEK_SET)
    os.set_inheritable(fd, True)
    # Until the proxy listens for them, these must not end it: whoever manages it may be quick.
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    # What stands here is only for who reads a list of processes.
    shown = settings.config or " ".join(settings.listen)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *MODULE, "--fd", str(fd), "--runs", shown])
