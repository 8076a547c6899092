"""Where configurations come from; the only part of `config` that reads files."""

from __future__ import annotations

from meshcore.config.sources.native import load, loads

__all__ = ["load", "loads"]
