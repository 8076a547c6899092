"""The bare relay: the limit, without any understanding of what passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.peers import Command, Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.plan import Plan


def relay(binary: Path, way: str) -> Peer:
    """Return the relay that copies, or the one that splices."""
    name = "relay" if way == "copy" else "splice"
    return Peer(name, _command(binary, way), "ours", {})


def _command(binary: Path, way: str) -> Callable[[Plan, Path], Command]:
    def command(plan: Plan, folder: Path) -> Command:
        del folder  # it has no files
        return [binary, way, str(plan.listen), str(plan.target)]

    return command
