"""Runs the compiling process for a proxy that is at work."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from meshcore.agent.settings import Bundle

if TYPE_CHECKING:
    import subprocess

    from meshcore.agent.settings import Settings
    from meshcore.errors import RefusedResources

EXIT_REFUSED = 65
COMMAND = ("-P", "-m", "meshcore.agent.compile")
# 10,000 clusters take about a second; what takes longer than this hangs, on a dead network mount.
DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the compiling process found."""

    bundle: Bundle | None
    """None: it did not come to an end."""
    refused: bool
    """It has printed the problems."""


async def compile_apart(settings: Settings) -> Outcome:
    """Read, check and compile the document in a process of its own."""
    done = await _run([], settings.to_json().encode() + b"\n")
    if done is None or not done.stdout:
        return Outcome(None, refused=False)
    return Outcome(Bundle.unpack(done.stdout), refused=done.returncode != 0)


async def print_problems(settings: Settings, refused: RefusedResources) -> None:
    """Print problems that the engine reports, with their places in the document."""
    told = settings.to_json().encode() + b"\n" + refused.raw
    done = await _run(["--locate"], told)
    if done is None or done.returncode != EXIT_REFUSED:
        # The document has gone meanwhile: then without places.
        print(refused, file=sys.stderr, flush=True)


async def _run(arguments: list[str], told: bytes) -> subprocess.CompletedProcess[bytes] | None:
    with trio.move_on_after(DEADLINE):
        return await trio.run_process(
            [sys.executable, *COMMAND, *arguments], stdin=told, capture_stdout=True, check=False
        )
    return None
