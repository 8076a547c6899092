"""The engine for programs that don't run trio: a trio thread of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from meshcore.engine import Engine
from meshcore.errors import EngineStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    from meshcore.answers import Socket, Stats
    from meshcore.config.model import Config

    T = TypeVar("T")


class Served:
    """A running engine; every method may be called from every thread but the engine's own."""

    def __init__(self, engine: Engine, token: trio.lowlevel.TrioToken) -> None:
        self._engine = engine
        self._token = token

    def apply(self, config: Config) -> int:
        """As `Engine.apply`; blocks until every worker runs it."""
        try:
            return trio.from_thread.run(self._engine.apply, config, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise EngineStopped from None

    def drain(self, timeout: float = 30.0, idle_grace: float = 5.0) -> None:
        """As `Engine.drain`; blocks until all connections have ended."""
        try:
            drain = self._engine.drain
            trio.from_thread.run(drain, timeout, idle_grace, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise EngineStopped from None

    def reload_hooks(self) -> None:
        """As `Engine.reload_hooks`; blocks until the new functions answer."""
        try:
            trio.from_thread.run(self._engine.reload_hooks, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise EngineStopped from None

    def stats(self) -> Stats:
        """As `Engine.stats`."""
        return self._call(self._engine.stats)

    def listeners(self) -> list[Socket]:
        """As `Engine.listeners`."""
        return self._call(self._engine.listeners)

    @property
    def generation(self) -> int:
        """As `Engine.generation`."""
        return self._call(lambda: self._engine.generation)

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return trio.from_thread.run_sync(call, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise EngineStopped from None


class _Thread:
    """The trio thread of one `serve` block."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._served: Served | None = None
        self._end: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="meshcore-trio", daemon=True)

    def start(self) -> Served:
        """Run the engine; returns or raises when it has started or failed to."""
        self._thread.start()
        self._started.wait()
        if self._served is None:
            self._thread.join()
            raise self._failure if self._failure is not None else EngineStopped()
        return self._served

    def stop(self) -> None:
        """End it, and wait for that."""
        self._end()
        self._thread.join()

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as scope:
            async with self._engine as engine:
                self._end = lambda: _soon(token, scope)
                self._served = Served(engine, token)
                self._started.set()
                await trio.sleep_forever()


def _soon(token: trio.lowlevel.TrioToken, scope: trio.CancelScope) -> None:
    try:
        token.run_sync_soon(scope.cancel)
    except trio.RunFinishedError:
        return  # it ended on its own; there is nothing left to cancel


@contextmanager
def serve(
    config: Config,
    *,
    workers: int = 0,
    pin: bool = False,
    hooks: Mapping[str, object] | None = None,
) -> Iterator[Served]:
    """Run an engine beside a program on asyncio or plain threads, for as long as the block lasts.

    Args:
        config: What to run from the start.
        workers: Threads of the engine; 0 is as many as the control group allows.
        pin: Keep each worker on a core of its own.
        hooks: As for `Engine`; they run in the engine's trio thread.

    Raises:
        ConfigError: The configuration was refused.
        EngineError: The engine could not be started.
    """
    thread = _Thread(Engine(config, workers=workers, pin=pin, hooks=hooks))
    served = thread.start()
    try:
        yield served
    finally:
        thread.stop()
