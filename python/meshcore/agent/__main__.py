"""The proxy's process: `python -m meshcore.agent --fd N`, started by `meshcore proxy`."""

from __future__ import annotations

import os
import sys

import trio

from meshcore.agent.loop import Proxy
from meshcore.agent.settings import Bundle, Settings


def main(arguments: list[str]) -> int:
    """Run until told to end; returns the exit code."""
    if arguments[:1] != ["--fd"]:
        print("this is started by: meshcore proxy", file=sys.stderr)
        return 2
    with os.fdopen(int(arguments[1]), "rb") as file:
        settings = Settings.from_json(file.readline().decode())
        packed = file.read()
    proxy = Proxy(settings, Bundle.unpack(packed))
    del packed
    return trio.run(proxy.run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
