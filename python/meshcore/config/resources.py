"""What crosses to an engine: resources as JSON bytes, what changed, and the way between processes.

Imports nothing but the standard library: it stays resident beside a proxy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from meshcore.hooks.spec import PythonHook

LISTENER = "Listener"
ROUTE_TABLE = "RouteTable"
CLUSTER = "Cluster"
ENDPOINTS = "Endpoints"
OVERLOAD = "Overload"
HOOK = "Hook"
# Not a resource, but problems have it as their kind.
CREDENTIAL = "Credential"

# The order in which a delta lists them.
_LISTS = {
    LISTENER: "listeners",
    ROUTE_TABLE: "route_tables",
    CLUSTER: "clusters",
    ENDPOINTS: "endpoints",
    OVERLOAD: "overload",
    HOOK: "hooks",
}

Key = tuple[str, str]
"""The kind and the name of a resource."""

Pem = tuple[bytes, bytes | None]
"""Certificates and their key; None for trust anchors."""

Credential = tuple[str, bytes, bytes | None]
"""A name that changes with the content, certificates, and their key."""

# Two different resources of one name never collide by accident in 128 bits.
_DIGEST_BYTES = 16


def digest(resource: bytes) -> bytes:
    """The content hash of a resource."""
    return blake2b(resource, digest_size=_DIGEST_BYTES).digest()


class Filter(NamedTuple):
    """Native code that hooks need, before they are compiled."""

    key: str
    """As resources name it: an entry point, or a library's absolute path."""

    @property
    def is_library(self) -> bool:
        """Whether it is loaded from a path."""
        return self.key.startswith("/")


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A complete configuration in the engine's terms."""

    resources: dict[Key, bytes] = field(default_factory=dict)
    """Each resource as JSON."""
    digests: dict[Key, bytes] = field(default_factory=dict)
    """The content hash of each."""
    uses: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    """The credentials that a resource names."""
    credentials: dict[str, Pem] = field(default_factory=dict, repr=False)
    """Every credential by its name."""
    hooks: dict[str, PythonHook] = field(default_factory=dict)
    """The hooks that are Python functions, by their names."""
    filters: list[Filter] = field(default_factory=list)
    """What the hooks that aren't need."""

    def add(self, key: Key, resource: bytes, uses: tuple[str, ...] = ()) -> None:
        """Take one resource in, in place of the one of its key."""
        self.resources[key] = resource
        self.digests[key] = digest(resource)
        if uses:
            self.uses[key] = uses
        else:
            self.uses.pop(key, None)

    def copy(self, credentials: dict[str, Pem]) -> Compiled:
        """One to change, with other credentials."""
        maps = (self.resources.copy(), self.digests.copy(), self.uses.copy())
        return Compiled(*maps, credentials, self.hooks.copy(), self.filters.copy())


@dataclass(frozen=True, slots=True)
class Delta:
    """What one apply sends."""

    body: bytes
    credentials: list[Credential] = field(repr=False)
    empty: bool = False


def delta(known: Mapping[Key, bytes], compiled: Compiled) -> Delta:
    """What turns an engine that has the resources `known` (by digest) into `compiled`."""
    changed = [key for key, found in compiled.digests.items() if known.get(key) != found]
    removed = [key for key in known if key not in compiled.digests]
    return delta_of(compiled, changed, removed)


def complete(compiled: Compiled, maybe: Collection[Key] = ()) -> Delta:
    """All of it, removing what else may be there: right whatever the engine has."""
    removed = [key for key in maybe if key not in compiled.digests]
    return delta_of(compiled, compiled.resources, removed)


def delta_of(compiled: Compiled, changed: Iterable[Key], removed: Iterable[Key] = ()) -> Delta:
    """These resources of `compiled`, and these to remove."""
    lists: dict[str, list[bytes]] = {kind: [] for kind in _LISTS}
    names: dict[str, None] = {}
    for key in changed:
        lists[key[0]].append(compiled.resources[key])
        names.update(dict.fromkeys(compiled.uses.get(key, ())))
    parts = [
        b'"%s":[%s]' % (_LISTS[kind].encode(), b",".join(found))
        for kind, found in lists.items()
        if found
    ]
    gone = [{"kind": kind, "name": name} for kind, name in removed]
    if gone:
        parts.append(b'"remove":' + json.dumps(gone).encode())
    credentials = [(name, *compiled.credentials[name]) for name in names]
    return Delta(b"{%s}" % b",".join(parts), credentials, empty=not parts)


def listen_addresses(compiled: Compiled) -> dict[str, str]:
    """Where its listeners listen, as the document has it, by name."""
    listeners = (item for item in compiled.resources.items() if item[0][0] == LISTENER)
    return {name: json.loads(body)["address"] for (_, name), body in listeners}


def pack(compiled: Compiled) -> bytes:
    """As bytes, for another process. They hold keys: only for a pipe or an unnamed file."""
    blobs: list[bytes] = []

    def put(blob: bytes) -> int:
        blobs.append(blob)
        return len(blob)

    resources = [
        [*key, compiled.digests[key].hex(), put(resource), list(compiled.uses.get(key, ()))]
        for key, resource in compiled.resources.items()
    ]
    credentials = [
        [name, put(certificates), None if key is None else put(key)]
        for name, (certificates, key) in compiled.credentials.items()
    ]
    filters = [one.key for one in compiled.filters]
    head = json.dumps([resources, credentials, compiled.hooks, filters]).encode()
    return b"".join([len(head).to_bytes(_LENGTH_BYTES, "big"), head, *blobs])


def unpack(packed: bytes) -> Compiled:
    """The reverse of `pack`."""
    view = memoryview(packed)
    at = _LENGTH_BYTES + int.from_bytes(view[:_LENGTH_BYTES], "big")
    resources, credentials, hooks, filters = json.loads(bytes(view[_LENGTH_BYTES:at]))

    def take(length: int) -> bytes:
        nonlocal at
        at += length
        return bytes(view[at - length : at])

    compiled = Compiled()
    for kind, name, found, length, uses in resources:
        compiled.resources[kind, name] = take(length)
        compiled.digests[kind, name] = bytes.fromhex(found)
        if uses:
            compiled.uses[kind, name] = tuple(uses)
    for name, length, key_length in credentials:
        certificates = take(length)
        compiled.credentials[name] = (
            certificates,
            None if key_length is None else take(key_length),
        )
    if hooks:
        from meshcore.hooks.spec import PythonHook

        compiled.hooks.update((name, PythonHook(*hook)) for name, hook in hooks.items())
    compiled.filters.extend(Filter(key) for key in filters)
    return compiled


_LENGTH_BYTES = 8
