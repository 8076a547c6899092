"""The native document: from a file or a directory to a checked `Config`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from meshcore.config.check import ABSENCES, check
from meshcore.config.model import Config
from meshcore.config.origin import Loc, Origin, Trouble
from meshcore.config.sources.explain import explain
from meshcore.config.sources.istio import understand
from meshcore.config.sources.merged import Merged
from meshcore.config.sources.salvage import salvage
from meshcore.config.sources.text import STDIN, Document, SourceError, Value, read
from meshcore.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshcore.errors import Problem

SUFFIXES = (".yaml", ".yml", ".json")


def load(path: str | os.PathLike[str], *, hooks: Collection[str] = ()) -> Config:
    """Read a configuration from a document, or from all documents of a directory.

    Args:
        path: A YAML or JSON file, `-` for the standard input, or a directory whose `*.yaml`,
            `*.yml` and `*.json` are taken together. File names in it are relative to it.
        hooks: The names of those that are given to the engine, and that no document has.

    Raises:
        ConfigError: With every problem that was found.
    """
    config, problems = read_all(STDIN if path == "-" else os.fspath(path), hooks)
    if config is None or problems:
        raise ConfigError(problems)
    return config


def loads(text: str, *, name: str = "<text>", hooks: Collection[str] = ()) -> Config:
    """Read a configuration from a text; file names in it are relative to the working directory.

    Args:
        text: YAML or JSON.
        name: What problems call it.
        hooks: As for `load`.

    Raises:
        ConfigError: With every problem that was found.
    """
    merged = Merged()
    merged.add(Document(name, text))
    config, problems = validated(merged, str(Path.cwd()), hooks)
    if config is None or problems:
        raise ConfigError(problems)
    return config


def documents(path: str) -> list[str]:
    """The files that `path` means: itself, or those of the directory, by name."""
    if path != STDIN and Path(path).is_dir():
        return sorted(str(found) for found in Path(path).iterdir() if found.suffix in SUFFIXES)
    return [path]


def read_all(path: str, hooks: Collection[str] = ()) -> tuple[Config | None, list[Problem]]:
    """As `load`, but also gives what is sound of a document that has problems.

    What is sound can be checked further, so that the user sees all problems at once; it must not
    be applied.
    """
    return validated(*read_merged(path), hooks)


def read_merged(path: str) -> tuple[Merged, str]:
    """The documents at `path` together, and what their file names are relative to."""
    merged = Merged()
    names: list[str] = []
    try:
        names = documents(path)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        merged.lose(path, SourceError("unreadable", f"cannot be read: {words}", 1, 1))
    if not names and not merged.broken:
        hint = f"put a file ending in {', '.join(SUFFIXES)} there"
        merged.lose(path, SourceError("no_document", "no document here", 1, 1, hint))
    for name in names:
        try:
            merged.add(read(name))
        except SourceError as error:
            merged.lose(name, error)
    base = Path.cwd() if path == STDIN else Path(path) if Path(path).is_dir() else Path(path).parent
    return merged, str(base.resolve())


def validated(
    merged: Merged, base: str, hooks: Collection[str] = ()
) -> tuple[Config | None, list[Problem]]:
    """The configuration that documents mean, as far as it is sound, and all problems."""
    files = tuple(document.name for document in merged.documents)
    understand(merged)
    kept = None
    try:
        config: Config | None = Config.model_validate(merged.value)
    except ValidationError as error:
        troubles = explain(error)
        merged.problems += map(merged.placed, troubles)
        config, kept = salvage(merged.value, error)
    if config is not None:
        back = kept.back if kept is not None else _same
        # With a document missing, what the others name can't be judged.
        clusters, named = _names(merged.value)
        troubles = [] if merged.broken else check(config, clusters, {*named, *hooks})
        moved = [trouble.moved(back) for trouble in troubles]
        if kept is not None:
            # What was left out as unsound isn't missing.
            moved = [t for t in moved if t.code not in ABSENCES or not kept.lost(t.loc)]
        merged.problems += map(merged.placed, moved)

        def placed(trouble: Trouble) -> Problem:
            return merged.placed(trouble.moved(back))

        config.read_from(Origin(base, files, placed))
    merged.problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    return config, merged.problems


def _same(loc: Loc) -> Loc:
    return loc


def _names(value: dict[str, Value]) -> tuple[frozenset[str], frozenset[str]]:
    """The clusters and the hooks that the document names, also those with problems of their own."""

    def of(parts: Value) -> frozenset[str]:
        listed = parts if isinstance(parts, list) else []
        names = (part.get("name") for part in listed if isinstance(part, dict))
        return frozenset(name for name in names if isinstance(name, str))

    return of(value.get("clusters")), of(value.get("hooks"))
