"""Want of processor time: others that only burn it, and a process that yields to them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# So many burn on each core.
BURNERS = 2
# How much nicer than they the starved process is: with 10 it gets a tenth of what one of them gets.
NICER = 10


@contextmanager
def starving(pid: int) -> Iterator[None]:
    """While the block runs, every core has others to run before the threads of `pid`."""
    nice = os.getpriority(os.PRIO_PROCESS, 0) + NICER
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(command) for _ in range(BURNERS * cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
