"""From `module:function` to a function that can be called, also anew while the old one is at work.

To load anew is to import again the module and what came with it from the same folder or package.
What runs keeps its objects: only `sys.modules` points elsewhere then, and after a failure not even
that.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshcore.errors import HookError
from meshcore.hooks.functions import Function, checked, lifespan_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType, TracebackType

    from meshcore.hooks.functions import Lifespan

# One import at a time: it changes what all threads see.
_IMPORTING = threading.Lock()
_INSTALLED = ("site-packages", "dist-packages")
# What came with each module when it was first imported, by its name and folder.
_BROUGHT: dict[tuple[str, str], set[str]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A module with what came with it."""

    name: str
    names: Mapping[str, object]
    """What it defines."""
    lifespan: Lifespan | None
    modules: Mapping[str, ModuleType]
    """Those that are imported again together."""

    @property
    def files(self) -> list[str]:
        """Where its code stands: a change of one of them is a reason to load it anew."""
        found = (getattr(module, "__file__", None) for module in self.modules.values())
        return sorted({os.path.abspath(file) for file in found if file})

    def function(self, name: str) -> Function:
        """A function of it that can be a hook.

        Raises:
            HookError: There is none, or it can't be a hook.
        """
        ref = f"{self.name}:{name}"
        if name not in self.names:
            raise HookError(ref, f"module {self.name} has no function {name}")
        return checked(self.names[name], ref, provided=self.lifespan is not None)


def split(ref: str) -> tuple[str, str]:
    """The module's name and the function's.

    Raises:
        HookError: It has another form.
    """
    module, colon, function = ref.partition(":")
    if not (colon and module and function.isidentifier()):
        raise HookError(ref, "is not of the form module:function")
    return module, function


def resolve(ref: str, folder: str = "") -> Function:
    """The function of `module:function`, for who wants to know what it declares.

    Args:
        ref: `module:function`.
        folder: Where the module is searched last.

    Raises:
        HookError: There is none, or it can't be a hook.
    """
    module, name = split(ref)
    return load(module, folder).function(name)


def load(name: str, folder: str = "", before: Loaded | None = None) -> Loaded:
    """Import a module; again where `before` is given.

    Args:
        name: The module's.
        folder: Where it is searched last.
        before: It as it was loaded until now.

    Raises:
        HookError: It can't be imported, or its lifespan makes no sense; then everything is as it
            was.
    """
    with _IMPORTING:
        known = dict(sys.modules)
        old = before.modules if before is not None else {}
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            for one in old:
                sys.modules.pop(one, None)
            module = _imported(name, folder)
            fresh = {one for one in list(sys.modules) if one not in known or one in old}
            ours = {name} | {one for one in fresh if _is_ours(one, name, folder)}
            if before is None:
                ours |= _BROUGHT.get((name, folder), set()) & sys.modules.keys()
            names = vars(module)
            modules = {one: sys.modules[one] for one in ours}
            loaded = Loaded(name, names, lifespan_of(names, name), modules)
            _BROUGHT[name, folder] = ours
            return loaded
        except BaseException:
            for one in set(sys.modules) - set(known):
                if _is_ours(one, name, folder):
                    del sys.modules[one]
            sys.modules.update({one: known[one] for one in old if one in known})
            raise
        finally:
            # A file that changes twice within a second could be taken for its own bytecode.
            sys.dont_write_bytecode = writes


def reinstate(new: Loaded, old: Loaded) -> None:
    """Let imports find the old modules again: the new ones are of no use."""
    with _IMPORTING:
        for one, module in new.modules.items():
            if sys.modules.get(one) is module:
                del sys.modules[one]
        sys.modules.update(old.modules)


def _imported(name: str, folder: str) -> ModuleType:
    if folder and folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            also = f", last in {folder}" if folder else ""
            reason = f"there is no module {error.name} where Python searches{also}"
            raise HookError(name, reason) from None
        raise HookError(name, _reason(error), *_place(error, name, folder)) from error


def _is_ours(module: str, name: str, folder: str) -> bool:
    """Whether a module belongs to the package of `name`, or stands in the folder."""
    if module.partition(".")[0] == name.partition(".")[0]:
        return True
    found = sys.modules.get(module)
    return _is_in(getattr(found, "__file__", None), folder)


def _is_in(file: str | None, folder: str) -> bool:
    if not file or not folder:
        return False
    path = os.path.abspath(file)
    return path.startswith(os.path.join(os.path.abspath(folder), "")) and not any(
        part in _INSTALLED for part in path.split(os.sep)
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    return f"{type(error).__name__}: {error}"


def _place(error: BaseException, name: str, folder: str) -> tuple[str, int]:
    """The last line of the user's own that led to the error."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    found = ("", 0)
    step: TracebackType | None = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        inside = str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if inside == name.partition(".")[0] or _is_in(file, folder):
            found = (file, step.tb_lineno)
        step = step.tb_next
    return found
