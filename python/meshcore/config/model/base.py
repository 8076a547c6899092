"""What every part of the native document has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from typing import Self


class Part(BaseModel):
    """Immutable; an unknown key is an error; the text below a key is its documentation."""

    # Validators are built when the first document is read: one for all of it. One for each part,
    # and to read each part's source for its texts, took a third of every command's start.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, defer_build=True)

    @classmethod
    def empty(cls) -> Self:
        """One without any key, which needs no validator."""
        return cast("Self", cls.model_construct())
