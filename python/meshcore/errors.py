"""What goes wrong, as Python sees it; the engine raises these classes too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a document is refused.

    Attributes:
        code: A stable slug, for example ``unknown_key``.
        path: Where in the document: ``listeners[0].routes[2].to``.
        message: What is wrong.
        hint: What to write instead; may be empty.
        file: The document; empty when the configuration was built in Python.
        line: Counted from 1; 0 when there is no file.
        column: Counted from 1; 0 when there is no file.
    """

    code: str
    path: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        path = f"{self.path}: " if self.path else ""
        hint = f" (hint: {self.hint})" if self.hint else ""
        return f"{place}{path}{self.message}{hint}"

    def to_json(self) -> dict[str, str | int]:
        """The form that ``-o json`` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


class MeshcoreError(Exception):
    """The base of everything that meshcore raises."""


class ConfigError(MeshcoreError):
    """A configuration was refused; nothing has changed.

    Attributes:
        problems: Every reason, in the order of the document.
    """

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class RefusedResources(ConfigError):
    """The engine refused resources that came compiled; `raw` is its word for it, as JSON."""

    def __init__(self, raw: bytes, problems: Iterable[Problem]) -> None:
        super().__init__(problems)
        self.raw = raw


class EngineError(MeshcoreError):
    """The engine could not do what it was asked to; the text says why."""


class EngineStopped(EngineError):
    """The engine has been stopped, or was never started."""

    def __init__(self) -> None:
        super().__init__("the engine is not running")


class HookError(EngineError):
    """A hook can't be had; the text says why.

    Attributes:
        hook: Its name, `module:function`, or what names its filter.
        reason: Why.
        file: Where in the user's code; empty when it isn't known.
        line: Counted from 1; 0 when it isn't known.
    """

    def __init__(self, hook: str, reason: str, file: str = "", line: int = 0) -> None:
        self.hook, self.reason, self.file, self.line = hook, reason, file, line
        place = f"{file}:{line}: " if file else ""
        super().__init__(f"hook {hook}: {place}{reason}")


class HookReloadError(HookError):
    """A hook's module could not be loaded anew; what ran before runs on."""
