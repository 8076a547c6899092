"""The Python hooks of one engine: which functions there are, and how they come, go and are renewed.

A change is prepared beside what runs: modules are imported, in a thread, and their lifespans
started. Only when all of that has worked do new functions answer, and the old ones end with the
calls that they have.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio

from meshcore.errors import HookError, HookReloadError, MeshcoreError
from meshcore.hooks.dispatch import Dispatcher, to_stderr
from meshcore.hooks.functions import checked, lifespan_of
from meshcore.hooks.loading import Loaded, load, reinstate, split
from meshcore.hooks.module import Life, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from meshcore.hooks.api import Declared
    from meshcore.hooks.dispatch import Desk
    from meshcore.hooks.functions import Function
    from meshcore.hooks.module import Bound
    from meshcore.hooks.spec import PythonHook

Home: TypeAlias = "tuple[str, str]"
"""A module and the folder where it is searched last; of a function that was given, its own module
and no folder."""

Follow: TypeAlias = "Callable[[Mapping[str, Declared]], Mapping[str, PythonHook]]"
"""From what functions declare to the hooks."""


@dataclass(slots=True)
class Module:
    """A module at work."""

    loaded: Loaded
    life: Life


@dataclass(slots=True)
class _Staged:
    """A change that is being prepared."""

    modules: dict[Home, Module] = field(default_factory=dict)
    """Those that begin to live."""
    bounds: dict[str, Bound] = field(default_factory=dict)
    """The functions that answer then."""
    declared: dict[str, Declared] = field(default_factory=dict)
    """What they declare."""


class Host:
    """Runs the functions behind an engine's hooks.

    Args:
        desk: The engine.
        given: Functions by the names of their hooks; they take the place of what documents name.
        tell: What tells the operator.
    """

    def __init__(
        self,
        desk: Desk,
        given: Mapping[str, object],
        tell: Callable[[str], None] = to_stderr,
    ) -> None:
        self._desk = desk
        self._given = dict(given)
        self._tell = tell
        self._dispatcher = Dispatcher(desk, tell)
        self._hooks: dict[str, PythonHook] = {}
        self._modules: dict[Home, Module] = {}
        self._lives: set[Life] = set()
        # What a cancelled change began, and nobody knows whether it is in force.
        self._doubtful: list[_Staged] = []
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer questions until cancelled; modules then end in order."""
        async with trio.open_nursery() as lives:
            self._nursery = lives
            try:
                await self._dispatcher.run(task_status=task_status)
            finally:
                self._nursery = None
                for life in self._lives:
                    life.end()

    @property
    def files(self) -> list[str]:
        """Where the functions' code stands, as far as it can be loaded anew."""
        return sorted(
            {
                file
                for home, module in self._modules.items()
                if self._renewable(home)
                for file in module.loaded.files
            }
        )

    @asynccontextmanager
    async def serving(
        self, hooks: Mapping[str, PythonHook], follow: Follow | None = None
    ) -> AsyncIterator[None]:
        """These hooks are answered from the end of the block on, and new ones already within it.

        A block that raises leaves what ran before; one that is cancelled leaves both.

        Args:
            hooks: All of them by their names.
            follow: Load their modules again, and go by what this makes of what functions declare.

        Raises:
            HookError: A function can't be had.
            HookReloadError: It can't be had anew.
        """
        staged = await self._staged(hooks, anew=follow is not None)
        new = hooks.keys() - self._hooks.keys()
        try:
            if follow is not None:
                hooks = follow(staged.declared)
            for name in new:
                self._dispatcher.put(name, staged.bounds[name], hooks[name].concurrency)
            yield
        except MeshcoreError:
            for name in new:
                self._dispatcher.drop(name)
            _end(staged)
            self._reinstate(staged)
            raise
        except BaseException:
            self._doubtful.append(staged)
            raise
        self._install(hooks, staged)

    async def reload(self) -> None:
        """Load what can be loaded anew.

        Raises:
            HookReloadError: It can't; what ran runs on.
        """
        async with self.serving(self._hooks, lambda _: self._hooks):
            await trio.lowlevel.checkpoint()

    def _install(self, hooks: Mapping[str, PythonHook], staged: _Staged) -> None:
        for name, bound in staged.bounds.items():
            self._dispatcher.put(name, bound, hooks[name].concurrency)
        # Verdicts of the functions before are remembered until this.
        for name in staged.bounds.keys() & self._hooks.keys():
            self._desk.hook_reloaded(name, ok=True)
        for name in self._hooks.keys() - hooks.keys():
            self._dispatcher.drop(name)
        self._hooks = dict(hooks)
        wanted = {self._home(name, hook) for name, hook in hooks.items()}
        old = self._modules
        self._modules = {
            home: module for home, module in {**old, **staged.modules}.items() if home in wanted
        }
        for home, module in old.items():
            if self._modules.get(home) is not module:
                module.life.retire()
        for doubtful in self._doubtful:
            _end(doubtful)
        self._doubtful.clear()

    async def _staged(self, hooks: Mapping[str, PythonHook], *, anew: bool) -> _Staged:
        staged = _Staged()
        name = ""
        try:
            for name, hook in hooks.items():
                renewed = anew and self._renewable(self._home(name, hook))
                if renewed or self._hooks.get(name) != hook:
                    await self._stage(name, hook, staged, renewed=renewed)
        except HookError as error:
            _end(staged)
            self._reinstate(staged)
            if not anew or name not in self._hooks:
                raise
            self._desk.hook_reloaded(name, ok=False)
            raise HookReloadError(name, error.reason, error.file, error.line) from error.__cause__
        except BaseException:
            _end(staged)
            self._reinstate(staged)
            raise
        return staged

    async def _stage(self, name: str, hook: PythonHook, staged: _Staged, *, renewed: bool) -> None:
        home = self._home(name, hook)
        module = staged.modules.get(home) or (None if renewed else self._modules.get(home))
        if module is None:
            module = staged.modules[home] = await self._begun(name, hook)
        function = self._function(name, hook, module.loaded)
        staged.bounds[name] = module.life.bind(function)
        staged.declared[name] = function.declared

    async def _begun(self, name: str, hook: PythonHook) -> Module:
        home = self._home(name, hook)
        before = self._modules.get(home)
        if (given := self._given.get(name)) is not None:
            names: dict[str, object] = getattr(given, "__globals__", {})
            loaded = Loaded(home[0], names, lifespan_of(names, home[0]), {})
        else:
            old = before.loaded if before is not None else None
            loaded = await trio.to_thread.run_sync(partial(load, *home, old))
        life = Life(home[0], loaded.lifespan)
        if self._nursery is None:
            raise HookError(name, "the engine is ending")
        try:
            await self._nursery.start(self._live, life)
        except BaseException:
            if before is not None:
                reinstate(loaded, before.loaded)
            raise
        return Module(loaded, life)

    async def _live(self, life: Life, *, task_status: trio.TaskStatus[None]) -> None:
        def failed(error: Exception) -> None:
            self._tell(f"module {life.name} has ended, and its hooks fail: {words(error)}")

        self._lives.add(life)
        try:
            await life.run(failed, task_status=task_status)
        finally:
            self._lives.discard(life)

    def _function(self, name: str, hook: PythonHook, loaded: Loaded) -> Function:
        if (given := self._given.get(name)) is not None:
            return checked(given, name, provided=loaded.lifespan is not None)
        return loaded.function(split(hook.ref)[1])

    def _home(self, name: str, hook: PythonHook) -> Home:
        if (given := self._given.get(name)) is not None:
            return getattr(given, "__module__", None) or name, ""
        return split(hook.ref)[0], hook.folder

    def _renewable(self, home: Home) -> bool:
        """Functions that were given stay what they are, and with them their modules."""
        return all(
            self._home(name, hook) != home or name not in self._given
            for name, hook in self._hooks.items()
        )

    def _reinstate(self, staged: _Staged) -> None:
        for home, module in staged.modules.items():
            if (before := self._modules.get(home)) is not None:
                reinstate(module.loaded, before.loaded)


def _end(staged: _Staged) -> None:
    for module in staged.modules.values():
        module.life.retire()
