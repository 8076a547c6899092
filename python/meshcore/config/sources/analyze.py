"""Reads a configuration and finds what it probably doesn't mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.examine import examine_config
from meshcore.config.sources.istio.analyze import Placed, findings
from meshcore.config.sources.native import read_merged, validated

if TYPE_CHECKING:
    from meshcore.config.sources.examine import EngineCheck


def analyzed(path: str, engine_check: EngineCheck) -> list[Placed]:
    """All findings of the documents at `path`, those that `check` refuses it for among them."""
    merged, base = read_merged(path)
    config, problems = validated(merged, base)
    examined = examine_config(config, problems, engine_check)
    return findings(merged, examined.problems)
