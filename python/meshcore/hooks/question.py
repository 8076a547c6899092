"""What an engine asks: its own type is made by the extension, which this is independent of."""

from __future__ import annotations

from typing import Protocol


class Question(Protocol):
    """What is to be answered, and what is known of the request, its answer or its connection."""

    @property
    def ident(self) -> int:
        """Names it in the answer."""

    @property
    def hook(self) -> str:
        """The hook's name."""

    @property
    def phase(self) -> str:
        """When it is asked."""

    @property
    def left_us(self) -> int:
        """Microseconds from now on until nobody waits for the answer."""

    @property
    def method(self) -> str:
        """Empty of a connection."""

    @property
    def path(self) -> str:
        """Normalised, with the query."""

    @property
    def authority(self) -> str:
        """Host and port."""

    @property
    def scheme(self) -> str:
        """`http` or `https`."""

    @property
    def protocol(self) -> str:
        """`HTTP/1.1`, `HTTP/2` and so on."""

    @property
    def source(self) -> str:
        """The client's address and port."""

    @property
    def identity(self) -> str | None:
        """What the client's certificate proved."""

    @property
    def listener(self) -> str:
        """The listener's name."""

    @property
    def route(self) -> str:
        """The route's name."""

    @property
    def cluster(self) -> str:
        """The cluster's name; empty before one is chosen."""

    @property
    def request_id(self) -> str:
        """Empty where there is none."""

    @property
    def server_name(self) -> str | None:
        """Of the client's TLS hello."""

    @property
    def status(self) -> int:
        """The answer's; 0 before there is one."""

    @property
    def body(self) -> bytes | None:
        """The request's, if the hook wants it."""

    @property
    def metadata(self) -> list[tuple[bytes, bytes]]:
        """What hooks before noted."""

    def names(self) -> list[str]:
        """Of the fields that the hook wants, those that came, in lower case."""

    def values(self, name: str) -> list[str]:
        """The values of one of them as Latin-1, in the order of their coming."""
