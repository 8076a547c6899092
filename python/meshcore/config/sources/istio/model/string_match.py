"""How VirtualServices compare texts."""

from __future__ import annotations

from typing import Annotated

from pydantic import StrictStr, model_validator

from meshcore.config.model.base import Part
from meshcore.config.model.units import refused
from meshcore.config.sources.istio.model.support import Read


class StringMatch(Part):
    """One of exact, prefix, regex; where presence is enough, none of them."""

    exact: Annotated[StrictStr | None, Read("equal")] = None
    prefix: Annotated[StrictStr | None, Read("begins with; of paths no whole segments")] = None
    regex: Annotated[StrictStr | None, Read("the whole text matches")] = None

    @model_validator(mode="after")
    def _at_most_one(self) -> StringMatch:
        given = [name for name in ("exact", "prefix", "regex") if getattr(self, name) is not None]
        if len(given) > 1:
            message = f"needs exactly one of exact, prefix, regex; has {' and '.join(given)}"
            raise refused("one_of", message, "keep one of them")
        return self

    @property
    def is_presence(self) -> bool:
        """Whether any text will do; Istio takes the regex `*`, which is none, for that too."""
        return self.exact is None and self.prefix is None and self.regex in {None, "*"}

    @property
    def is_everything(self) -> bool:
        """Whether every path matches."""
        return self.prefix in {"/", ""} or self.regex in {".*", "*"}


TextMatches = dict[StrictStr, StringMatch]
"""Name to condition."""
