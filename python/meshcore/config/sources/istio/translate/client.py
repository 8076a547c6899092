"""Who asks: the listener that Istio's documents give its routes, as they see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model.metadata import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.text import Value


@dataclass(frozen=True, slots=True)
class Client:
    """A listener with `mesh`."""

    index: int
    """Its position among the listeners."""
    name: str
    traffic: str
    """`outbound` or `gateway`."""
    protocol: str
    namespace: str
    labels: dict[str, str] = field(hash=False)
    port: int | None = None
    """The port that it stands for, where the document says so."""
    address_port: int = 0
    has_tls: bool = False
    """TLS ends at it, by its own keys."""

    @property
    def stands_for(self) -> int:
        """The port that it stands for."""
        return self.port or self.address_port

    @property
    def is_http(self) -> bool:
        """Whether it takes HTTP."""
        return self.protocol in {"http", "http2"}


def clients(listeners: Value) -> Iterator[Client]:
    """The listeners with `mesh`, as far as they are sound: their form is checked later."""
    for index, listener in enumerate(listeners if isinstance(listeners, list) else ()):
        if not isinstance(listener, dict):
            continue
        mesh = listener.get("mesh")
        found = {"traffic": mesh} if isinstance(mesh, str) else mesh
        if not isinstance(found, dict) or found.get("traffic") not in {"outbound", "gateway"}:
            continue
        port = found.get("port")
        yield Client(
            index=index,
            name=str(listener.get("name", index)),
            traffic=str(found["traffic"]),
            protocol=str(listener.get("protocol", "http")),
            namespace=str(found.get("namespace", DEFAULT_NAMESPACE)),
            labels=_labels(listener.get("labels")),
            port=port if isinstance(port, int) else None,
            address_port=_port(str(listener.get("address", ""))),
            has_tls=listener.get("tls") is not None,
        )


def _labels(value: Value) -> dict[str, str]:
    found = value if isinstance(value, dict) else {}
    return {key: str(item) for key, item in found.items()}


def _port(address: str) -> int:
    port = address.rpartition(":")[2]
    return int(port) if port.isascii() and port.isdigit() else 0
