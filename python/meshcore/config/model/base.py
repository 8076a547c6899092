"""What every part of the native document has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from typing import Self


class Part(BaseModel):
    """Immutable; an unknown key is an error; the text below a key is its documentation."""

    # Validators are built when the first document is read: one for all of it, not one for each part,
    # which took a third of every command's start. Nor is each part's source read for its texts then.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, defer_build=True)

    @classmethod
    def empty(cls) -> Self:
        """One without any key, which needs no validator."""
        return cls.model_construct()
