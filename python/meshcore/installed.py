"""What an engine has, and how it gets the rest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from meshcore.answers import refusal
from meshcore.config.resources import complete, delta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshcore.bridge import Bridge
    from meshcore.config.resources import Compiled, Delta, Key


class Runs(Protocol):
    """The part of an engine that runs configurations."""

    def generation(self) -> int:
        """The number of the one that runs; 0 before the first."""

    def apply(self, body: bytes, credentials: Sequence[tuple[str, bytes, bytes | None]]) -> int:
        """Begins a change; the id of its completion."""


class Installed:
    """The resources of one engine, by digest, so that only what differs is sent."""

    def __init__(self) -> None:
        self._known: dict[Key, bytes] = {}
        # False after a cancelled change, and then `_maybe` are all that the engine may have.
        self.certain = True
        self._maybe: set[Key] = set()

    async def install(
        self, bridge: Bridge, engine: Runs, compiled: Compiled, sent: Delta | None
    ) -> int:
        """Have the engine run `compiled`; the generation, once every worker does.

        Args:
            bridge: What calls the engine.
            engine: The engine.
            compiled: All of it.
            sent: What of it differs from what the engine has, where that is known.

        Raises:
            EngineError: It could not be installed.
            RefusedResources: It was refused.
        """
        if sent is None and self.certain:
            sent = delta(self._known, compiled)
        elif sent is None:
            sent = complete(compiled, self._maybe)
        if sent.empty and self.certain and engine.generation():
            await trio.lowlevel.checkpoint()
            return engine.generation()
        try:
            kind, payload = await bridge.call(partial(engine.apply, sent.body, sent.credentials))
        except BaseException:
            # Cancelled: the engine may have it by now, or not.
            self.certain = False
            self._maybe.update(self._known, compiled.digests)
            raise
        if kind != "applied" or not isinstance(payload, int):
            raise refusal(kind, payload)
        self._known, self.certain = compiled.digests, True
        self._maybe.clear()
        return payload
