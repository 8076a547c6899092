"""Asks a configuration what becomes of a request: which rules it meets, and what applies to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from meshcore.config.compile import http_routes
from meshcore.config.resources import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshcore.config.model import Config, Listener
    from meshcore.config.resources import Credential
    from meshcore.config.sources.prepare import Prepared

    EngineExplain = Callable[[bytes, list[Credential], bytes], bytes]

_PORTS = {"http": 80, "https": 443}


class UnclearError(Exception):
    """The question can't be asked; the text says why, and gives a hint."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that nobody sends."""

    method: str
    url: SplitResult
    fields: tuple[str, ...] = ()
    """`name: value`."""
    identity: str | None = None

    @classmethod
    def of(
        cls, method: str, url: str, fields: Sequence[str] = (), identity: str | None = None
    ) -> Asked:
        """The request that a command line means.

        Raises:
            UnclearError: The URL is none, or a field has no colon.
        """
        try:
            split = urlsplit(url)
            port = split.port
        except ValueError as error:
            raise UnclearError(f"{url!r} is no URL: {error}") from None
        if split.scheme not in _PORTS or not split.hostname or port == 0:
            raise UnclearError(f"{url!r} is no URL (hint: write http://reviews:9080/path)")
        for field in fields:
            if ":" not in field:
                raise UnclearError(f"{field!r} is no header (hint: write -H 'name: value')")
        return cls(method, split, tuple(fields), identity)

    @property
    def port(self) -> int:
        """The URL's, or its scheme's."""
        return self.url.port or _PORTS[self.url.scheme]

    def head(self) -> str:
        """As an HTTP/1 client would write it; a Host among the fields goes before the URL's."""
        own = [field for field in self.fields if field.partition(":")[0].strip().lower() == "host"]
        target = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        host = [] if own else [f"Host: {self.url.netloc.rpartition('@')[2]}"]
        return "\r\n".join([f"{self.method} {target} HTTP/1.1", *host, *self.fields, "", ""])


@dataclass(frozen=True, slots=True)
class Rule:
    """A route that was looked at."""

    route: int
    """Its index among the listener's, in the document."""
    failed: str | None
    """What of its match doesn't hold."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a request."""

    error: str | None
    """The code of the answer that the proxy would make itself."""
    path: str
    """In its normal form."""
    considered: tuple[Rule, ...]
    """In the order in which they count."""
    route: int | None
    """The one that it takes, by its index."""


def listener_for(config: Config, asked: Asked, name: str = "") -> int:
    """The index of the listener that the request would come to.

    That which is named, else the one whose port is the URL's, else the one for all outbound
    traffic of a mesh, else the only one.

    Raises:
        UnclearError: There is none, or there are several.
    """
    http = {
        at: listener
        for at, listener in enumerate(config.listeners)
        if listener.protocol in {"http", "http2", "auto"}
    }
    of_port = [at for at, listener in http.items() if _port(listener) == asked.port]
    outbound = [at for at, listener in http.items() if _is_outbound(listener)]
    if name:
        found = [at for at, listener in http.items() if listener.name == name]
    else:
        found = of_port or outbound or list(http)
    if len(found) == 1:
        return found[0]
    known = ", ".join(http[at].name for at in (found or http)) or "none"
    if name:
        raise UnclearError(f"no HTTP listener is called {name!r} (known: {known})")
    raise UnclearError(f"which listener? (hint: --listener with one of {known})")


def _port(listener: Listener) -> int | None:
    if listener.mesh is not None and listener.mesh.port is not None:
        return listener.mesh.port
    port = listener.address.rpartition(":")[2]
    return int(port) if port.isdigit() else None


def _is_outbound(listener: Listener) -> bool:
    mesh = listener.mesh
    return mesh is not None and mesh.traffic == "outbound" and mesh.port is None


def answers(
    prepared: Prepared, questions: Sequence[tuple[int, Asked]], engine_explain: EngineExplain
) -> list[Answer]:
    """What becomes of requests to listeners, each named by its index.

    The engine's own parser and route table say so: it compiles the configuration as a proxy does.
    """
    config = prepared.config
    asked = []
    for at, question in questions:
        listener = config.listeners[at]
        asked.append({
            "listener": listener.name,
            "head": question.head(),
            "tls": listener.tls is not None,
            "identity": question.identity,
        })  # fmt: skip
    sent = complete(prepared.compiled)
    raw = engine_explain(sent.body, sent.credentials, json.dumps(asked).encode())
    told = json.loads(raw)["answers"]
    tables = {at: [index for index, _ in http_routes(config.listeners[at])] for at, _ in questions}
    return [_answer(found, tables[at]) for found, (at, _) in zip(told, questions, strict=True)]


def _answer(found: dict[str, object], table: list[int]) -> Answer:
    considered, route, error = found["considered"], found["route"], found["error"]
    assert isinstance(considered, list)
    rules = tuple(Rule(table[rule["route"]], rule["failed"]) for rule in considered)
    taken = table[route] if isinstance(route, int) else None
    return Answer(str(error) if error else None, str(found["path"]), rules, taken)
