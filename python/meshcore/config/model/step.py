"""How one configuration came from another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One tuple of clusters made from another, so that an `apply` need not compare thousands.

    It speaks of these very tuples: a copy of the configuration with others makes it void.
    """

    before: tuple[object, ...] = ()
    after: tuple[object, ...] = ()
    index: int = -1
    """Where they differ; negative when nothing is known."""

    def between(self, one: tuple[object, ...], other: tuple[object, ...]) -> int | None:
        """The one place where the two differ, if this step leads from one to the other or back."""
        forth = self.before is one and self.after is other
        back = self.before is other and self.after is one
        return self.index if self.index >= 0 and (forth or back) else None

    def __eq__(self, other: object) -> bool:
        """Always: configurations are equal by what they say, not by how they came about."""
        return isinstance(other, Step)

    def __hash__(self) -> int:
        """The same for all, as they are equal."""
        return 0
