"""The engine as Python programs use it: an async context manager on trio.

Nothing here reads requests or answers them: the engine's own threads do, whatever Python is doing.
Imports neither the model nor YAML, which only a `Config` needs: this module stays resident beside a
proxy, where configurations arrive compiled.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import trio

from meshcore import _engine
from meshcore.answers import Socket, refusal
from meshcore.bridge import Bridge, Payload
from meshcore.config.resources import Compiled, Delta, delta_of
from meshcore.errors import EngineError, EngineStopped, MeshcoreError, RefusedResources
from meshcore.installed import Installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from meshcore.answers import Stats
    from meshcore.config.model import Config
    from meshcore.config.sources.prepare import Prepared
    from meshcore.hooks.api import Declared
    from meshcore.hooks.host import Host
    from meshcore.hooks.spec import PythonHook

    Again = Callable[[Mapping[str, Declared]], Compiled]

# Threads end within milliseconds; this bounds a fault, not the usual.
STOP_DEADLINE = 10.0


class Engine:
    """Runs a configuration for as long as its `async with` block lasts.

    Several engines may run in one process. No signal handler is installed.

    Args:
        config: What to run from the start; None starts with nothing.
        workers: Threads; 0 is as many as the control group allows.
        admin: Where the admin endpoints listen, instead of what the configuration says; "" is
            nowhere. An embedded engine has none unless one of the two names an address.
        pin: Keep each worker on a core of its own.
        sockets: Listening sockets to take over, each with the name of its listener or its address
            in the document. They are duplicated, the caller closes its own; one that the first
            configuration doesn't want is closed.
        hooks: Async functions by the names of hooks; they take the place of what the configuration
            says of them.
    """

    def __init__(
        self,
        config: Config | Compiled | None = None,
        *,
        workers: int = 0,
        admin: str | None = None,
        pin: bool = False,
        sockets: Sequence[tuple[str, int]] = (),
        hooks: Mapping[str, object] | None = None,
    ) -> None:
        self._first = config
        if admin is None:
            section = None if config is None or isinstance(config, Compiled) else config.admin
            admin = (section.address or "") if section is not None else ""
        self._make = partial(
            _engine.Engine, workers=workers, admin=admin, pin=pin, sockets=tuple(sockets)
        )
        self._engine: _engine.Engine | None = None
        self._stopped = False
        self._bridge: Bridge | None = None
        self._applying = trio.Lock()
        self._installed = Installed()
        self._prepared: Prepared | None = None
        self._unasked: list[Callable[[str, str], None]] = []
        self._functions = dict(hooks or {})
        self._host: Host | None = None

    async def __aenter__(self) -> Self:
        if self._stopped or self._engine is not None:
            message = "an Engine can be entered only once"
            raise EngineError(message)
        engine = await trio.to_thread.run_sync(self._make)
        self._engine = engine
        self._bridge = Bridge(engine, self._on_unasked)
        self._nursery_manager = trio.open_nursery()
        nursery = await self._nursery_manager.__aenter__()
        self._nursery = nursery
        try:
            await nursery.start(self._bridge.run)
            if self._first is not None:
                await self.apply(self._first)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        finally:
            self._first = None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # The body's own error must reach the caller as it is, not wrapped in a group: the
            # nursery holds nothing of the caller's, so it is closed as if the body had ended well.
            self._nursery.cancel_scope.cancel()
            try:
                await self._nursery_manager.__aexit__(None, None, None)
            except BaseExceptionGroup:
                if error is None:
                    raise
        finally:
            self._bridge = self._host = None
            engine, self._prepared = self._engine, None
            if engine is not None:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_DEADLINE):
                    await trio.to_thread.run_sync(engine.stop, abandon_on_cancel=True)
            self._stopped, self._engine = True, None

    async def apply(self, config: Config | Compiled, *, reload_hooks: bool = False) -> int:
        """Replace what runs; requests under way end with what they began with.

        Calls from several tasks follow one another. A cancelled call may or may not have taken
        effect; the next one is right in either case.

        Args:
            config: The new configuration, complete.
            reload_hooks: Load the modules of hooks in Python anew for it.

        Returns:
            The generation, once every worker runs it.

        Raises:
            ConfigError: It was refused, with every problem; what ran before runs on.
            EngineError: It could not be installed; what ran before runs on. `HookError` where a
                hook is the reason.
            EngineStopped: The engine isn't running.
        """
        async with self._applying:
            if isinstance(config, Compiled):
                self._prepared = None
                return await self._send(config, None, (lambda _: config) if reload_hooks else None)
            return await self._apply_config(config, anew=reload_hooks)

    async def reload_hooks(self) -> None:
        """Load the modules of hooks in Python anew; calls under way end with what they began with.

        What functions declare now holds from then on. Those that were given to the engine stay.

        Raises:
            ConfigError: What they declare doesn't fit the configuration; what ran before runs on.
            HookReloadError: It didn't work; what ran before runs on.
            EngineStopped: The engine isn't running.
        """
        async with self._applying:
            self._running()
            if self._host is None:
                return
            if self._prepared is None:  # what came compiled was made with what functions declared
                await self._host.reload()
            else:
                await self._apply_prepared(self._prepared, None, anew=True)

    @property
    def hook_files(self) -> list[str]:
        """The files that `reload_hooks` loads anew."""
        return self._host.files if self._host is not None else []

    async def _apply_config(self, config: Config, *, anew: bool) -> int:
        from meshcore.config.sources.prepare import prepare
        from meshcore.hooks.api import all_declared

        before = self._prepared
        prepared = prepare(config, before, all_declared(self._functions))
        sent = None
        if prepared.changed is not None and self._installed.certain and before is not None:
            sent = delta_of(prepared.compiled, prepared.changed)
        return await self._apply_prepared(prepared, sent, anew=anew)

    async def _apply_prepared(self, prepared: Prepared, sent: Delta | None, *, anew: bool) -> int:
        def again(declared: Mapping[str, Declared]) -> Compiled:
            nonlocal prepared
            prepared = prepared.anew(declared)
            return prepared.compiled

        # While a call is under way, nothing can be based on it.
        before, self._prepared = self._prepared, None
        try:
            generation = await self._send(prepared.compiled, sent, again if anew else None)
        except RefusedResources as refused:
            self._prepared = before
            raise prepared.refused(refused) from None
        except MeshcoreError:
            self._prepared = before
            raise
        self._prepared = prepared
        return generation

    async def _send(self, compiled: Compiled, sent: Delta | None, again: Again | None) -> int:
        """Have it run; with `again`, as functions that were loaded anew declare."""

        def follow(declared: Mapping[str, Declared]) -> Mapping[str, PythonHook]:
            nonlocal compiled, sent
            if again and (other := again(declared)) is not compiled:
                compiled, sent = other, None
            return compiled.hooks

        if compiled.filters:
            from meshcore.filters import adopt

            adopt(needed.key for needed in compiled.filters)
        bridge, engine = self._running()
        if not compiled.hooks and self._host is None:
            return await self._installed.install(bridge, engine, compiled, sent)
        if self._host is None:
            from meshcore.hooks.host import Host

            self._host = Host(engine, self._functions)
            await self._nursery.start(self._host.run)
        async with self._host.serving(compiled.hooks, follow if again else None):
            return await self._installed.install(bridge, engine, compiled, sent)

    async def drain(self, timeout: float = 30.0, idle_grace: float = 5.0) -> None:  # noqa: ASYNC109
        """Stop accepting and wait until all connections have ended.

        Args:
            timeout: Seconds after which the connections that are left are cut.
            idle_grace: Seconds in which an idle connection may still bring a request.

        Raises:
            EngineStopped: The engine isn't running.
        """
        bridge, engine = self._running()
        times = (max(0, round(timeout * 1_000)), max(0, round(idle_grace * 1_000)))
        kind, payload = await bridge.call(partial(engine.drain, *times))
        if kind != "drained":
            raise refusal(kind, payload)

    def stats(self) -> Stats:
        """Counters since the start, merged from all workers.

        Raises:
            EngineStopped: The engine isn't running.
        """
        found: Stats = json.loads(self._running()[1].stats())
        return found

    @property
    def generation(self) -> int:
        """The number of the snapshot that runs; 0 before the first one."""
        return self._running()[1].generation()

    def listeners(self) -> list[Socket]:
        """The sockets that are listened on, several for a listener with several workers."""
        return [Socket(*found) for found in self._running()[1].listeners()]

    @property
    def admin(self) -> Socket | None:
        """The socket of the admin endpoints, with "" for the listener's name; None without any."""
        found = self._running()[1].admin_socket()
        return Socket("", *found) if found is not None else None

    def hand_over_admin(self) -> None:
        """Leave the admin endpoints to another process that has taken their socket over."""
        self._running()[1].hand_over_admin()

    def set_log_level(self, level: str) -> None:
        """Say more or less: error, warning, info or debug."""
        self._running()[1].set_log_level(level)

    def reopen_logs(self) -> None:
        """Open the access logs' files again, as after a rotation."""
        self._running()[1].reopen_logs()

    def on_request_of_operator(self, call: Callable[[str, str], None]) -> None:
        """Have `call` told what the admin endpoints are asked for: `quit` or `drain`.

        It is also told `notice`, with a line for the operator: `warning: host name … can't …`.
        """
        self._unasked.append(call)

    def _on_unasked(self, kind: str, payload: Payload) -> None:
        text = payload.decode(errors="replace") if isinstance(payload, bytes) else ""
        for call in self._unasked:
            call(kind, text)

    def _running(self) -> tuple[Bridge, _engine.Engine]:
        if self._bridge is None or self._engine is None:
            raise EngineStopped
        return self._bridge, self._engine
