"""One file per peer: how its configuration is written and its command looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.plan import Plan

Command = list[str | Path]


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy that takes part; `command` writes its files, and returns what to start."""

    name: str
    command: Callable[[Plan, Path], Command]
    version: str
    variables: dict[str, str]
