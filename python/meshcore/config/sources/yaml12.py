"""YAML 1.2 as plain values, with a way back to line and column.

libyaml composes the nodes; they are turned into values here, by the rules of the 1.2 core schema:
`no`, `on`, `12:30` and dates are strings, `012` is 12. Duplicate keys are refused always. What an
alias names is shared, not copied, and how large the document would be with all aliases written out
is bounded, since every later step walks it that way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from meshcore.config.sources.text import SourceError, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc

# 10,000 hosts with a cluster each are about 400,000 values; ten times that is no one's document.
MAX_VALUES = 4_000_000
# The native document is 8 deep.
MAX_DEPTH = 64
# 10,000 services with two documents each, five times over.
MAX_DOCUMENTS = 100_000

_PLAIN = "?"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Value] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
    ".inf": float("inf"),
    ".Inf": float("inf"),
    ".INF": float("inf"),
    "+.inf": float("inf"),
    "-.inf": float("-inf"),
    "-.Inf": float("-inf"),
    "-.INF": float("-inf"),
}
# Only these can begin a number or stand alone as a word of the table above.
_FIRST = frozenset("~nNtTfF.+-0123456789")
_TAGS = {
    "tag:yaml.org,2002:str": "str",
    "tag:yaml.org,2002:seq": "seq",
    "tag:yaml.org,2002:map": "map",
}


class _Composer(CParser):
    """libyaml's parser; tells plain scalars from quoted ones and leaves the rest to us."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)

    def resolve(self, kind: type[Node], _value: str | None, implicit: object) -> str:
        """The tag of a node that has none written."""
        if kind is ScalarNode:
            plain = isinstance(implicit, tuple) and implicit[0]
            return _PLAIN if plain else "tag:yaml.org,2002:str"
        return "tag:yaml.org,2002:map" if kind is MappingNode else "tag:yaml.org,2002:seq"

    def descend_resolver(self, _parent: object, _index: object) -> None:
        """Nothing here depends on where a node stands."""

    def ascend_resolver(self) -> None:
        """Nothing here depends on where a node stands."""


def compose_all(text: str) -> list[Node | None]:
    """The node tree of each document; None for one that is empty.

    Raises:
        SourceError: It isn't YAML.
    """
    nodes: list[Node | None] = []
    try:
        composer = _Composer(text)
        try:
            while composer.check_node():
                if len(nodes) == MAX_DOCUMENTS:
                    message = f"more than {MAX_DOCUMENTS} documents in one file"
                    raise SourceError("too_large", message, 1, 1)
                nodes.append(composer.get_node())
        finally:
            composer.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        words = error.problem or "cannot be read"
        hint = f"{error.context}" if error.context else ""
        raise SourceError("invalid_yaml", f"not valid YAML: {words}", line, column, hint) from None
    except yaml.YAMLError as error:
        words = str(error).splitlines()[0]
        raise SourceError("invalid_yaml", f"not valid YAML: {words}", 1, 1) from None
    except RecursionError:
        raise SourceError("too_deep", f"nested deeper than {MAX_DEPTH} levels", 1, 1) from None
    return nodes


@dataclass(slots=True)
class _Built:
    value: Value
    size: int


@dataclass(slots=True)
class Constructor:
    """Turns nodes into values; collects every duplicate key on the way."""

    errors: list[SourceError] = field(default_factory=list)
    _done: dict[int, _Built] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)

    def value(self, node: Node, depth: int = 0) -> _Built:
        """The value of `node` and how many values it holds when its aliases are written out.

        Raises:
            SourceError: Too deep, too large, an alias within what it names, or an unknown tag.
        """
        if node.__class__ is ScalarNode:
            return _Built(_scalar(node), 1)
        known = self._done.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise _at(node, "recursive_alias", "an alias stands inside of what it names")
        if depth >= MAX_DEPTH:
            raise _at(node, "too_deep", f"nested deeper than {MAX_DEPTH} levels")
        self._open.add(id(node))
        built = (
            self._sequence(node, depth)
            if isinstance(node, SequenceNode)
            else self._map(node, depth)
        )
        self._open.discard(id(node))
        if built.size > MAX_VALUES:
            message = f"more than {MAX_VALUES} values once its aliases are written out"
            raise _at(node, "too_large", message)
        self._done[id(node)] = built
        return built

    def _sequence(self, node: SequenceNode, depth: int) -> _Built:
        _expect_tag(node, "seq")
        items: list[Value] = []
        size = 1
        for child in node.value:
            if child.__class__ is ScalarNode:
                items.append(_scalar(child))
                size += 1
            else:
                built = self.value(child, depth + 1)
                items.append(built.value)
                size += built.size
        return _Built(items, size)

    def _map(self, node: Node, depth: int) -> _Built:
        _expect_tag(node, "map")
        items: dict[str, Value] = {}
        size = 1
        for key_node, child in node.value:
            key = _key(key_node)
            if key in items:
                self.errors.append(
                    _at(key_node, "duplicate_key", f"the key {key!r} stands here twice")
                )
            if child.__class__ is ScalarNode:
                items[key] = _scalar(child)
                size += 1
            else:
                built = self.value(child, depth + 1)
                items[key] = built.value
                size += built.size
        return _Built(items, size)


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise _at(node, "invalid_key", "a key must be a word, not a list or a mapping")
    text: str = node.value
    if text == "<<" and node.tag == _PLAIN:
        hint = "YAML 1.2 has none: write the keys out, or alias whole values"
        raise _at(node, "merge_key", "merge keys are not supported", hint)
    return text


def _scalar(node: Node) -> Value:
    text: str = node.value
    if node.tag == _PLAIN:
        return text if text and text[0] not in _FIRST else _plain(text, node)
    if node.tag in _TAGS and _TAGS[node.tag] == "str":
        return text
    short = node.tag.removeprefix("tag:yaml.org,2002:")
    if short in {"int", "float", "bool", "null"} and node.tag != short:
        return _plain(text, node)
    raise _at(node, "unknown_tag", f"the tag {node.tag!r} means nothing here", "leave it out")


def _plain(text: str, node: Node) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        if len(text) > _LONGEST_NUMBER:
            raise _at(node, "invalid_number", f"a number of {len(text)} digits")
        return int(text[2:], base) if base != _DECIMAL else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


_DECIMAL = 10
# More digits than any 128-bit number has; int() itself grows quadratically.
_LONGEST_NUMBER = 40


def _expect_tag(node: Node, kind: str) -> None:
    if _TAGS.get(node.tag) != kind:
        raise _at(node, "unknown_tag", f"the tag {node.tag!r} means nothing here", "leave it out")


def _at(node: Node, code: str, message: str, hint: str = "") -> SourceError:
    mark = node.start_mark
    return SourceError(code, message, mark.line + 1, mark.column + 1, hint)


def place(root: Node | None, loc: Loc, *, at_key: bool = False) -> tuple[int, int]:
    """Line and column of the deepest part of `loc` that exists; `at_key`: of its key."""
    node, mark = root, root.start_mark if root is not None else None
    for step, last in _steps(loc):
        found = _child(node, step)
        if found is None:
            break
        key, node = found
        mark = key.start_mark if key is not None and last and at_key else node.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _steps(loc: Loc) -> Iterator[tuple[str | int, bool]]:
    for index, step in enumerate(loc):
        yield step, index == len(loc) - 1


def _child(node: Node | None, step: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, MappingNode):
        found = None
        for key, child in node.value:
            if isinstance(key, ScalarNode) and key.value == step:
                found = (key, child)
        return found
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None
