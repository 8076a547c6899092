"""The documents of one configuration taken together, with a way back to file, line and column.

A file may hold several documents. Those of Kubernetes' form (`apiVersion` and `kind`) are set aside
for whoever understands their kind; what is made of them is placed where they say it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.origin import Loc, Place, Trouble, path_text
from meshcore.config.sources.text import STDIN, Document, SourceError, Value, json_value
from meshcore.errors import Problem

if TYPE_CHECKING:
    from yaml.nodes import Node

_LISTS = ("listeners", "clusters")


@dataclass(frozen=True, slots=True)
class At:
    """A place in one of the documents."""

    part: int
    """Which document."""
    loc: Loc = ()
    """The way into it."""

    def __truediv__(self, step: str | int) -> At:
        """The place one step deeper."""
        return At(self.part, (*self.loc, step))


@dataclass(frozen=True, slots=True)
class Foreign:
    """A document of Kubernetes' form."""

    at: At
    value: dict[str, Value]


@dataclass(slots=True)
class Merged:
    """The documents of one configuration taken together."""

    value: dict[str, Value] = field(default_factory=dict)
    # A whole document can't be used.
    broken: bool = False
    problems: list[Problem] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    """The files."""
    foreign: list[Foreign] = field(default_factory=list)
    """Documents that are not native, in their order."""
    made: dict[Loc, At] = field(default_factory=dict)
    """Where that comes from what was made of them, by its place in `value`."""
    # For each list: (part, index there), by the index in the merged list.
    items: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    # For each other key: the part.
    keys: dict[str, int] = field(default_factory=dict)
    # Each part's file, and its position there.
    _parts: list[tuple[int, int]] = field(default_factory=list)
    _nodes: dict[int, list[Node | None]] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        """Take all documents of one file in."""
        self.documents.append(document)
        index = len(self.documents) - 1
        try:
            values = self._parse(index)
        except SourceError as error:
            self.lose(document.name, error)
            return
        for position, value in enumerate(values):
            if value is not None:
                self._parts.append((index, position))
                self._add_part(len(self._parts) - 1, value)

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

    def _parse(self, index: int) -> list[Value]:
        document = self.documents[index]
        if document.is_json:
            value, single = json_value(document.text)
            if single:
                return [value]
        from meshcore.config.sources import yaml12  # JSON alone needs none of it

        nodes = yaml12.compose_all(document.text)
        self._nodes[index] = nodes
        values: list[Value] = []
        for node in nodes:
            constructor = yaml12.Constructor()
            values.append(None if node is None else constructor.value(node).value)
            for error in constructor.errors:
                self.refuse(document.name, error)
        return values

    def _add_part(self, part: int, value: Value) -> None:
        if not isinstance(value, dict):
            file, line, column = self._place_in(At(part), at_key=False)
            message = "a document is a mapping with listeners and clusters"
            self.lose(file, SourceError("not_a_mapping", message, line, column))
        elif "apiVersion" in value and "kind" in value:
            self.foreign.append(Foreign(At(part), value))
        else:
            for key, item in value.items():
                self._take(part, key, item)

    def _take(self, index: int, key: str, part: Value) -> None:
        if key in _LISTS and isinstance(part, list):
            merged = self.value.setdefault(key, [])
            if isinstance(merged, list):
                self.items.setdefault(key, []).extend((index, at) for at in range(len(part)))
                merged.extend(part)
                return
        if key in self.keys:
            name, line, column = self._place_in(At(index, (key,)), at_key=True)
            other = self.documents[self._parts[self.keys[key]][0]].name
            message = f"{key!r} also stands in {other}"
            hint = "only listeners and clusters may be spread over several documents"
            self.problems.append(Problem("duplicate_key", key, message, hint, name, line, column))
            return
        self.keys[key] = index
        self.value[key] = part

    def place(self, loc: Loc, *, at_key: bool = False) -> Place:
        """File, line and column of the deepest part of `loc` that exists."""
        if (origin := self.origin(loc)) is not None:
            return self._place_in(origin, at_key=False)
        head = loc[0] if loc else ""
        if head in self.items and len(loc) > 1 and isinstance(loc[1], int):
            index, at = self.items[str(head)][loc[1]]
            return self._place_in(At(index, (head, at, *loc[2:])), at_key=at_key)
        known = self.keys.get(str(head))
        if known is None:
            known = self.items[str(head)][0][0] if self.items.get(str(head)) else 0
        return self._place_in(At(known, loc), at_key=at_key)

    def origin(self, loc: Loc) -> At | None:
        """What the part of the configuration at `loc` was made of; None for a native one."""
        if not self.made:
            return None
        longest = (self.made.get(loc[:end]) for end in range(len(loc), 0, -1))
        return next((at for at in longest if at is not None), None)

    def placed(self, trouble: Trouble) -> Problem:
        """A trouble with its file, line and column, and its path as the document has it."""
        if (origin := self.origin(trouble.loc)) is not None:
            return self.placed_at(origin, trouble)
        file, line, column = self.place(trouble.loc, at_key=trouble.at_key)
        path = path_text(_existing(self.value, trouble.loc))
        return Problem(trouble.code, path, trouble.message, trouble.hint, file, line, column)

    def placed_at(self, at: At, trouble: Trouble) -> Problem:
        """A trouble with the place `at`, whatever its own."""
        file, line, column = self._place_in(at, at_key=trouble.at_key)
        path = path_text(at.loc)
        return Problem(trouble.code, path, trouble.message, trouble.hint, file, line, column)

    def _place_in(self, at: At, *, at_key: bool) -> Place:
        from meshcore.config.sources import yaml12  # only a problem needs marks

        if not self._parts:
            name = self.documents[0].name if self.documents else ""
            return name, 1, 1
        index, position = self._parts[at.part]
        document = self.documents[index]
        if index not in self._nodes:
            try:
                self._nodes[index] = yaml12.compose_all(document.text)
            except SourceError:
                self._nodes[index] = []  # JSON that libyaml can't read: the file's begin must do
        nodes = self._nodes[index]
        node = nodes[position] if position < len(nodes) else None
        line, column = yaml12.place(node, at.loc, at_key=at_key)
        return document.name, line, column


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
