"""What is being made: a native route or cluster, with the place that each part comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model import support

if TYPE_CHECKING:
    from meshcore.config.origin import Loc
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value


@dataclass(slots=True)
class Made:
    """A native mapping and where its parts come from.

    A key that the native document doesn't have yet is left out: the field that it comes from has
    been refused then.
    """

    root: str
    """Which model it is of: `route` or `cluster`."""
    at: At
    """Where the whole comes from."""
    value: dict[str, Value] = field(default_factory=dict)
    origins: dict[Loc, At] = field(default_factory=dict)

    def put(self, path: str, value: Value, at: At | None = None) -> None:
        """Set a key, `timeouts.connect`; None sets nothing."""
        if value is None or not support.has_key(f"{self.root}.{path}"):
            return
        *steps, last = path.split(".")
        inner = self.value
        for step in steps:
            deeper = inner.setdefault(step, {})
            assert isinstance(deeper, dict), path
            inner = deeper
        inner[last] = value
        if at is not None:
            self.origins[tuple(path.split("."))] = at

    def has(self, path: str) -> bool:
        """Whether the key is set."""
        inner: Value = self.value
        for step in path.split("."):
            if not isinstance(inner, dict) or step not in inner:
                return False
            inner = inner[step]
        return True

    def copy(self) -> Made:
        """One to change; nested values are shared and only ever replaced by `put`'s caller."""
        return Made(self.root, self.at, _deep(self.value), dict(self.origins))


def _deep(value: dict[str, Value]) -> dict[str, Value]:
    return {key: _deep(item) if isinstance(item, dict) else item for key, item in value.items()}
