"""A proxy's life: start, reload, be replaced, drain, end."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import trio

from meshcore.agent import notify, state
from meshcore.agent.handover import ADMIN, Predecessor, Successor, running, take_over
from meshcore.agent.messages import HandoverError
from meshcore.agent.reload import compile_apart, print_problems
from meshcore.agent.settings import STDIN
from meshcore.agent.watch import watch
from meshcore.config.resources import listen_addresses
from meshcore.engine import Engine
from meshcore.errors import EngineError, MeshcoreError, RefusedResources
from meshcore.stamp import look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshcore.agent.settings import Bundle, Settings
    from meshcore.answers import Socket
    from meshcore.stamp import Stamps

EXIT_FAILURE = 1
# As shells count a death by signal.
_SIGNAL_BASE = 128
# What a reload says is its reason.
SIGHUP = "SIGHUP"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def say(words: str) -> None:
    """One line for the operator."""
    print(f"meshcore: {words}", file=sys.stderr, flush=True)


class Proxy:
    """One proxy, from its start to its exit code."""

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        self._settings = settings
        self._bundle = bundle
        self._drain_times = (bundle.drain_timeout, bundle.idle_grace)
        self._watched = bundle.watch
        # The code of hooks in Python, as it was when it was loaded.
        self._hook_files: Stamps = {}
        self._admin = bundle.admin if settings.admin is None else settings.admin
        # One reload runs and one waits: what changes meanwhile is covered by the one that waits.
        self._ask_reload, self._reloads = trio.open_memory_channel[str](1)
        self._ending = False
        self._code = 0

    async def run(self) -> int:
        """Run until told to end; returns the exit code."""
        try:
            path = state.socket_path(self._settings)
            predecessor = await take_over(path) if self._settings.replace else None
        except MeshcoreError as error:
            say(str(error))
            return EXIT_FAILURE
        try:
            with trio.open_signal_receiver(*_SIGNALS) as signals:
                return await self._with_engine(Successor(path), predecessor, signals)
        except RefusedResources as refused:
            await print_problems(self._settings, refused)
        except (EngineError, OSError) as error:
            say(f"not started: {_words(error, self._admin)}")
        return EXIT_FAILURE

    async def _with_engine(
        self, successor: Successor, predecessor: Predecessor | None, signals: AsyncIterator[int]
    ) -> int:
        settings = self._settings
        addresses = listen_addresses(self._bundle.compiled) | {ADMIN: self._admin}
        async with Engine(
            self._bundle.compiled,
            workers=settings.workers,
            admin=self._admin,
            pin=settings.pin,
            sockets=predecessor.wanted(addresses) if predecessor is not None else (),
        ) as engine:
            # The engine has its own; a second copy would only cost memory.
            del self._bundle
            self._hook_files = look(engine.hook_files)
            self._watched = {**self._watched, **self._hook_files}
            await self._publish(successor, predecessor)
            try:
                self._announce(engine)
                async with trio.open_nursery() as nursery:
                    engine.on_request_of_operator(partial(self._operator, engine, nursery))
                    nursery.start_soon(self._obey, signals, engine, nursery)
                    nursery.start_soon(self._reload_when_asked, engine)
                    nursery.start_soon(self._hand_over, successor, engine, nursery)
                    if settings.config and settings.config != STDIN:
                        nursery.start_soon(watch, self._paths, self._changed, notify.watchdog)
            finally:
                successor.withdraw()
        return self._code

    async def _publish(self, successor: Successor, predecessor: Predecessor | None) -> None:
        if predecessor is not None:
            predecessor.close_sockets()
        elif pid := await running(state.socket_path(self._settings)):
            name = state.name(self._settings)
            say(f"process {pid} has the name {name} already; --replace reaches that one, not this")
            return
        successor.publish()
        if predecessor is None:
            return
        try:
            await predecessor.retire()
            say(f"took over from process {predecessor.pid}")
        except HandoverError as error:
            # It has died after it gave us the sockets: they are ours alone then.
            say(f"process {predecessor.pid} is gone: {error}")

    def _announce(self, engine: Engine) -> None:
        for found in dict.fromkeys((found.listener, found.bound) for found in engine.listeners()):
            say(f"{found[0]} listens on {found[1]}")
        if engine.admin is not None:
            say(f"admin endpoints on {engine.admin.bound}")
        say(f"runs generation {engine.generation}")
        notify.ready()

    async def _obey(
        self, signals: AsyncIterator[int], engine: Engine, nursery: trio.Nursery
    ) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                self._reload(SIGHUP)
            elif number == signal.SIGUSR1:
                engine.reopen_logs()
            elif self._ending:
                self._code = _SIGNAL_BASE + number
                nursery.cancel_scope.cancel()
            else:
                name = signal.Signals(number).name
                nursery.start_soon(self._end, f"{name}: draining", engine, nursery)

    async def _end(self, words: str, engine: Engine, nursery: trio.Nursery) -> None:
        if self._ending:
            return
        self._ending = True
        say(words)
        notify.stopping()
        await engine.drain(*self._drain_times)
        say("drained")
        nursery.cancel_scope.cancel()

    def _operator(self, engine: Engine, nursery: trio.Nursery, kind: str, text: str) -> None:
        if kind == "notice":
            say(text)
        elif kind == "quit":
            say("POST /quitquitquit: ending")
            nursery.cancel_scope.cancel()
        elif kind == "drain":
            say("POST /drain_listeners: draining")
            nursery.start_soon(engine.drain, *self._drain_times)

    async def _hand_over(self, successor: Successor, engine: Engine, nursery: trio.Nursery) -> None:
        def sockets() -> list[Socket]:
            admin = engine.admin
            return [*engine.listeners(), *([admin] if admin is not None else [])]

        async def replaced() -> None:
            successor.withdraw()
            engine.hand_over_admin()
            await self._end("replaced: draining", engine, nursery)

        await successor.serve(sockets, replaced)

    def _paths(self) -> Stamps:
        return self._watched

    async def _changed(self) -> None:
        self._reload("a file changed")

    def _reload(self, why: str) -> None:
        try:
            self._ask_reload.send_nowait(why)
        except trio.WouldBlock:
            return  # one is waiting already, and will see this change too

    async def _reload_when_asked(self, engine: Engine) -> None:
        async for why in self._reloads:
            if self._ending:
                continue
            if not self._settings.config or self._settings.config == STDIN:
                say(f"{why}: there is no document to read again")
                continue
            notify.reloading()
            try:
                await self._reload_once(why, engine)
            except MeshcoreError as error:
                say(f"{why}: {error}; generation {engine.generation} runs on")
            notify.ready()

    async def _reload_once(self, why: str, engine: Engine) -> None:
        hook_files = look(engine.hook_files)
        anew = why == SIGHUP or hook_files != self._hook_files
        outcome = await compile_apart(self._settings)
        if outcome.bundle is None:
            say(
                f"{why}: the document could not be compiled; generation {engine.generation} runs on"
            )
            return
        self._watched = {**outcome.bundle.watch, **hook_files}
        if outcome.refused:
            say(f"{why}: refused; generation {engine.generation} runs on")
            # What the document says of them doesn't change; their code may.
            if anew:
                await engine.reload_hooks()
                self._note_hook_files(why, engine)
            return
        before = engine.generation
        try:
            generation = await engine.apply(outcome.bundle.compiled, reload_hooks=anew)
        except RefusedResources as refused:
            await print_problems(self._settings, refused)
            say(f"{why}: refused; generation {before} runs on")
            return
        self._drain_times = (outcome.bundle.drain_timeout, outcome.bundle.idle_grace)
        if generation != before:
            say(f"{why}: runs generation {generation}")
        self._note_hook_files(why, engine, None if anew else hook_files)
        if self._settings.admin is None and outcome.bundle.admin != self._admin:
            say("another admin address takes a restart, or --replace")

    def _note_hook_files(self, why: str, engine: Engine, before: Stamps | None = None) -> None:
        """Remember the code that runs; `before`: what was loaded already, unless all is new."""
        found = look(engine.hook_files)
        known = before if before is not None else {}
        self._hook_files = {file: known.get(file, stamp) for file, stamp in found.items()}
        # Files that were known are watched as they were before they were read.
        self._watched = {**self._hook_files, **self._watched}
        if before is None and found:
            say(f"{why}: hooks are loaded anew")


def _words(error: Exception, admin: str) -> str:
    if isinstance(error, OSError) and error.strerror:
        return (
            f"admin {admin}: {error.strerror.lower()} (hint: --admin 127.0.0.1:0, or --admin none)"
        )
    return str(error)
