"""What came on one HTTP/2 stream, as a message like any other."""

from dataclasses import dataclass, field

from tests.support.wire import Ended, Message

Fields = list[tuple[bytes, bytes]]


class Reset(Ended):
    """The other side reset the stream."""

    def __init__(self, code: int) -> None:
        """Keep the error code."""
        super().__init__(f"reset with {code}")
        self.code = code


@dataclass(slots=True)
class Stream:
    """What came on one stream, and what may be sent on it."""

    ident: int
    window: int
    heads: list[Fields] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int | None:
        """The status of the last head that has one, which may be a 1xx."""
        found = [int(value) for head in self.heads for name, value in head if name == b":status"]
        return found[-1] if found else None

    @property
    def informational(self) -> list[Message]:
        """The 1xx heads that came before the answer."""
        return [answer(head) for head in self.heads if dict(head).get(b":status", b"")[:1] == b"1"]

    @property
    def message(self) -> Message:
        """The request or response as it is so far."""
        head, *rest = self.heads[len(self.informational) :]
        message = answer(head) if b":status" in dict(head) else request(head)
        message.body = bytes(self.body)
        message.trailers = [pair for trailers in rest for pair in trailers]
        return message


def answer(head: Fields) -> Message:
    """A response's head."""
    return Message(b"HTTP/2 " + dict(head)[b":status"], head)


def request(head: Fields) -> Message:
    """A request's head."""
    names = dict(head)
    return Message(b" ".join([names[b":method"], names.get(b":path", b"-"), b"HTTP/2"]), head)
