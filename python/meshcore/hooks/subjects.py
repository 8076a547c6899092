"""What a function is told: read from the question when it is looked at, since most never is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.hooks.question import Question

T = TypeVar("T")


class Headers(Mapping[str, str]):
    """Fields of a message by name, whatever its case; of those that the hook asked for.

    `headers[name]` and `get` have the first value where a field was sent several times.
    """

    __slots__ = ("_question",)

    def __init__(self, question: Question | None) -> None:
        self._question = question

    def __getitem__(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str | T, /) -> str | T: ...
    def get(self, name: str, default: object = None, /) -> object:
        """The first value of a field, or `default`."""
        found = () if self._question is None else self._question.values(name)
        return found[0] if found else default

    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in the order of their coming."""
        return [] if self._question is None else self._question.values(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        return iter([] if self._question is None else self._question.names())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        # Values may be secrets; a traceback in a log must not show them.
        return f"Headers({', '.join(self)})"


class Connection:
    """A client's connection."""

    __slots__ = ("_question",)

    def __init__(self, question: Question) -> None:
        self._question = question

    @property
    def protocol(self) -> str:
        """`HTTP/1.1`, `HTTP/2` and so on."""
        return self._question.protocol

    @property
    def source(self) -> str:
        """The client's address and port."""
        return self._question.source

    @property
    def identity(self) -> str | None:
        """What the client's certificate proved."""
        return self._question.identity

    @property
    def listener(self) -> str:
        """The listener's name."""
        return self._question.listener

    @property
    def server_name(self) -> str | None:
        """The name that the client's TLS hello asked for."""
        return self._question.server_name

    @property
    def metadata(self) -> dict[str, bytes]:
        """What hooks before this one noted."""
        return {key.decode("latin-1"): value for key, value in self._question.metadata}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} from {self.source} on {self.listener}>"


class _OfRequest(Connection):
    """What is known of the request in each of its phases."""

    __slots__ = ()

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return self._question.method

    @property
    def path(self) -> str:
        """Normalised, without the query."""
        return self._question.path.partition("?")[0]

    @property
    def query(self) -> str:
        """Behind the `?`, not decoded; empty without any."""
        return self._question.path.partition("?")[2]

    @property
    def authority(self) -> str:
        """Host and port, as they came."""
        return self._question.authority

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self._question.scheme

    @property
    def route(self) -> str:
        """The route's name."""
        return self._question.route

    @property
    def cluster(self) -> str:
        """The cluster's name; empty before one is chosen."""
        return self._question.cluster

    @property
    def request_id(self) -> str:
        """The request's id; empty where the listener gives none and the client brought none."""
        return self._question.request_id


class Request(_OfRequest):
    """A request.

    Attributes:
        body: All of it, where the hook asked for bodies; else None.
    """

    __slots__ = ("body",)

    def __init__(self, question: Question) -> None:
        self._question = question
        # Copied once, however often it is looked at.
        self.body = question.body

    @property
    def headers(self) -> Headers:
        """Its fields, of those that the hook asked for.

        In the phases `response` and `log` the hook's fields are the answer's, and these are empty.
        """
        return Headers(None if self._question.status else self._question)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path} from {self.source} on {self.listener}>"


class Response(_OfRequest):
    """An upstream's answer, with what is known of its request."""

    __slots__ = ()

    @property
    def status(self) -> int:
        """Its status."""
        return self._question.status

    @property
    def headers(self) -> Headers:
        """Its fields, of those that the hook asked for."""
        return Headers(self._question)

    def __repr__(self) -> str:
        return f"<Response {self.status} to {self.method} {self.path}>"
