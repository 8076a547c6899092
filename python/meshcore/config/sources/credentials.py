"""Certificates, keys and trust anchors: from the files that a configuration names."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from meshcore.config.compile import certificate_files
from meshcore.config.origin import Loc, Trouble
from meshcore.stamp import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.compile import Files
    from meshcore.config.model import Cluster, Config, Listener
    from meshcore.config.resources import Pem
    from meshcore.stamp import Stamps

# A bundle of every public root is 250 KiB.
MAX_BYTES = 4 << 20
# Enough to tell one content from another, short enough to read.
_HASH_DIGITS = 16

_HINTS = {
    errno.EACCES: "run as a user who may read it, or change its mode or group",
    errno.EISDIR: "name the PEM file in it",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that a configuration names."""

    names: dict[Files, str] = field(default_factory=dict)
    """The name of each by its files, as the document has them; it changes with the content."""
    pems: dict[str, Pem] = field(default_factory=dict, repr=False)
    """The content of each by its name."""
    stamps: Stamps = field(default_factory=dict)
    """Every file as it was when it was read, to watch."""

    def are_current(self, base: str) -> bool:
        """Whether every file still holds what it held."""
        files = _Files(base)
        return all(
            (files.content(certificate), None if key is None else files.content(key))
            == self.pems[name]
            for (certificate, key), name in self.names.items()
        )


def read_credentials(config: Config) -> tuple[Credentials, list[Trouble]]:
    """Read every file that `config` names, each once."""
    found = Credentials()
    troubles: list[Trouble] = []
    files = _Files(config.origin.base)
    for (certificate, key), locs in references(config):
        if (certificate, key) in found.names:
            continue
        bad = list(files.troubles(certificate, locs[0], "CERTIFICATE"))
        if key is not None:
            bad += files.troubles(key, locs[1], "PRIVATE KEY")
        if bad:
            troubles += bad
            continue
        pem = (files.content(certificate), None if key is None else files.content(key))
        whole = sha256(pem[0] + b"\0" + (pem[1] or b"")).hexdigest()
        name = f"{files.absolute(certificate)}#{whole[:_HASH_DIGITS]}"
        found.names[certificate, key] = name
        found.pems[name] = pem
    found.stamps.update(files.stamps)
    return found, troubles


def cluster_files(cluster: Cluster) -> list[Files]:
    """The credentials that a cluster names."""
    return [files for files, _ in _of_cluster(cluster, ())]


class _Files:
    """The files of one run, each read once."""

    def __init__(self, base: str) -> None:
        self._base = Path(base)
        self._read: dict[str, bytes | OSError] = {}
        self.stamps: Stamps = {}

    def absolute(self, name: str) -> str:
        return str(self._base / name)

    def content(self, name: str) -> bytes:
        content = self._load(name)
        return content if isinstance(content, bytes) else b""

    def troubles(self, name: str, loc: Loc, block: str) -> Iterator[Trouble]:
        content = self._load(name)
        if isinstance(content, OSError):
            words = (content.strerror or str(content)).lower()
            hint = _HINTS.get(content.errno or 0, f"looked for {self.absolute(name)}")
            yield Trouble(loc, "unreadable_file", f"{name} cannot be read: {words}", hint)
        elif len(content) > MAX_BYTES:
            message = f"{name} is larger than {MAX_BYTES >> 20} MiB"
            yield Trouble(loc, "invalid_pem", message, "name a PEM file")
        elif b"-----BEGIN " not in content or f"{block}-----".encode() not in content:
            message = f"{name} holds no {block}"
            hint = f"a PEM file with -----BEGIN {block}----- is expected"
            yield Trouble(loc, "invalid_pem", message, hint)

    def _load(self, name: str) -> bytes | OSError:
        if name not in self._read:
            path = self.absolute(name)
            # Before it is read: a change during the reading is one to notice.
            self.stamps[path] = stamp(path)
            try:
                with Path(path).open("rb") as file:
                    self._read[name] = file.read(MAX_BYTES + 1)
            except OSError as error:
                self._read[name] = error
            except ValueError:  # a NUL in the name
                self._read[name] = FileNotFoundError(errno.ENOENT, "no such file")
        return self._read[name]


def references(config: Config) -> Iterator[tuple[Files, tuple[Loc, Loc]]]:
    """Each credential that `config` names: its files, and where each of the two is named."""
    for index, listener in enumerate(config.listeners):
        yield from _of_listener(listener, ("listeners", index, "tls"))
    for index, cluster in enumerate(config.clusters):
        if cluster.tls is not None:
            yield from _of_cluster(cluster, ("clusters", index, "tls"))


def _of_listener(listener: Listener, loc: Loc) -> Iterator[tuple[Files, tuple[Loc, Loc]]]:
    tls = listener.tls
    if tls is None:
        return
    for index, files in enumerate(certificate_files(tls)):
        at = loc if tls.certificate is not None else (*loc, "certificates", index)
        yield files, ((*at, "certificate"), (*at, "key"))
    if tls.client_ca is not None:
        yield (tls.client_ca, None), ((*loc, "client_ca"), loc)


def _of_cluster(cluster: Cluster, loc: Loc) -> Iterator[tuple[Files, tuple[Loc, Loc]]]:
    tls = cluster.tls
    if tls is None:
        return
    if tls.ca is not None:
        yield (tls.ca, None), ((*loc, "ca"), loc)
    if tls.certificate is not None and tls.key is not None:
        yield (tls.certificate, tls.key), ((*loc, "certificate"), (*loc, "key"))
