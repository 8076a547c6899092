"""The native document: from a file or a directory to a checked `Config`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from meshcore.config.check import ABSENCES, check
from meshcore.config.model import Config
from meshcore.config.origin import Loc, Origin, Place, Trouble, path_text
from meshcore.config.sources.explain import explain
from meshcore.config.sources.salvage import salvage
from meshcore.config.sources.text import STDIN, Document, SourceError, Value, json_value, read
from meshcore.errors import ConfigError, Problem

if TYPE_CHECKING:
    from yaml.nodes import Node

SUFFIXES = (".yaml", ".yml", ".json")
_LISTS = ("listeners", "clusters")


def load(path: str | os.PathLike[str]) -> Config:
    """Read a configuration from a document, or from all documents of a directory.

    Args:
        path: A YAML or JSON file, `-` for the standard input, or a directory whose `*.yaml`,
            `*.yml` and `*.json` are taken together. File names in it are relative to it.

    Raises:
        ConfigError: With every problem that was found.
    """
    config, problems = read_all(STDIN if path == "-" else os.fspath(path))
    if config is None or problems:
        raise ConfigError(problems)
    return config


def loads(text: str, *, name: str = "<text>") -> Config:
    """Read a configuration from a text; file names in it are relative to the working directory.

    Raises:
        ConfigError: With every problem that was found.
    """
    merged = _Merged()
    merged.add(Document(name, text))
    config, problems = _validated(merged, str(Path.cwd()))
    if config is None or problems:
        raise ConfigError(problems)
    return config


def documents(path: str) -> list[str]:
    """The files that `path` means: itself, or those of the directory, by name."""
    if path != STDIN and Path(path).is_dir():
        return sorted(str(found) for found in Path(path).iterdir() if found.suffix in SUFFIXES)
    return [path]


def read_all(path: str) -> tuple[Config | None, list[Problem]]:
    """As `load`, but also gives what is sound of a document that has problems.

    What is sound can be checked further, so that the user sees all problems at once; it must not
    be applied.
    """
    merged = _Merged()
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
    return _validated(merged, str(base.resolve()))


@dataclass(slots=True)
class _Merged:
    """The documents of one configuration taken together."""

    value: dict[str, Value] = field(default_factory=dict)
    # A whole document can't be used.
    broken: bool = False
    problems: list[Problem] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    # For each list: (document, index there), by the index in the merged list.
    items: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    # For each other key: the document.
    keys: dict[str, int] = field(default_factory=dict)
    _nodes: dict[int, Node | None] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        """Take one document in."""
        self.documents.append(document)
        index = len(self.documents) - 1
        try:
            value = self._parse(index)
        except SourceError as error:
            self.lose(document.name, error)
            return
        if value is None:
            return
        if not isinstance(value, dict):
            message = "a document is a mapping with listeners and clusters"
            self.lose(document.name, SourceError("not_a_mapping", message, 1, 1))
            return
        for key, part in value.items():
            self._take(index, key, part)

    def lose(self, name: str, error: SourceError) -> None:
        """Note that a whole document can't be used."""
        self.broken = True
        self.refuse(name, error)

    def refuse(self, name: str, error: SourceError) -> None:
        """Note a problem of a document's text."""
        shown = "<stdin>" if name == STDIN else name
        problem = Problem(
            error.code, "", error.message, error.hint, shown, error.line, error.column
        )
        self.problems.append(problem)

    def _parse(self, index: int) -> Value:
        document = self.documents[index]
        if document.is_json:
            value, single = json_value(document.text)
            if single:
                return value
        from meshcore.config.sources import yaml12  # JSON alone needs none of it

        node = yaml12.compose(document.text)
        self._nodes[index] = node
        if node is None:
            return None
        constructor = yaml12.Constructor()
        value = constructor.value(node).value
        for error in constructor.errors:
            self.refuse(document.name, error)
        return value

    def _take(self, index: int, key: str, part: Value) -> None:
        if key in _LISTS and isinstance(part, list):
            merged = self.value.setdefault(key, [])
            if isinstance(merged, list):
                self.items.setdefault(key, []).extend((index, at) for at in range(len(part)))
                merged.extend(part)
                return
        if key in self.keys:
            name, line, column = self._place_in(index, (key,), at_key=True)
            other = self.documents[self.keys[key]].name
            message = f"{key!r} also stands in {other}"
            hint = "only listeners and clusters may be spread over several documents"
            self.problems.append(Problem("duplicate_key", key, message, hint, name, line, column))
            return
        self.keys[key] = index
        self.value[key] = part

    def place(self, loc: Loc, *, at_key: bool = False) -> Place:
        """File, line and column of the deepest part of `loc` that exists."""
        head = loc[0] if loc else ""
        if head in self.items and len(loc) > 1 and isinstance(loc[1], int):
            index, at = self.items[str(head)][loc[1]]
            return self._place_in(index, (head, at, *loc[2:]), at_key=at_key)
        known = self.keys.get(str(head))
        if known is None:
            known = self.items[str(head)][0][0] if self.items.get(str(head)) else 0
        return self._place_in(known, loc, at_key=at_key)

    def placed(self, trouble: Trouble) -> Problem:
        """A trouble with its file, line and column, and its path as the document has it."""
        file, line, column = self.place(trouble.loc, at_key=trouble.at_key)
        path = path_text(_existing(self.value, trouble.loc))
        return Problem(trouble.code, path, trouble.message, trouble.hint, file, line, column)

    def _place_in(self, index: int, loc: Loc, *, at_key: bool) -> Place:
        from meshcore.config.sources import yaml12  # only a problem needs marks

        document = self.documents[index]
        if index not in self._nodes:
            try:
                self._nodes[index] = yaml12.compose(document.text)
            except SourceError:
                self._nodes[index] = None  # JSON that libyaml can't read: the file's begin must do
        line, column = yaml12.place(self._nodes[index], loc, at_key=at_key)
        return document.name, line, column


def _validated(merged: _Merged, base: str) -> tuple[Config | None, list[Problem]]:
    files = tuple(document.name for document in merged.documents)
    kept = None
    try:
        config: Config | None = Config.model_validate(merged.value)
    except ValidationError as error:
        troubles = explain(error, merged.value)
        merged.problems += map(merged.placed, troubles)
        config, kept = salvage(merged.value, error)
    if config is not None:
        back = kept.back if kept is not None else _same
        # With a document missing, what the others name can't be judged.
        troubles = [] if merged.broken else check(config, _cluster_names(merged.value))
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


def _existing(value: Value, loc: Loc) -> Loc:
    """As much of `loc` as the document has: a short form ends where it stands."""
    for depth, step in enumerate(loc):
        match value, step:
            case dict(), str() if step in value:
                value = value[step]
            case list(), int() if step < len(value):
                value = value[step]
            case _:
                return loc[:depth]
    return loc


def _same(loc: Loc) -> Loc:
    return loc


def _cluster_names(value: dict[str, Value]) -> frozenset[str]:
    """The clusters that the document names, also those with problems of their own."""
    clusters = value.get("clusters")
    if not isinstance(clusters, list):
        return frozenset()
    names = (cluster.get("name") for cluster in clusters if isinstance(cluster, dict))
    return frozenset(name for name in names if isinstance(name, str))
