"""What the command line says about a proxy, as it passes from process to process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.resources import Compiled, pack, unpack

if TYPE_CHECKING:
    from meshcore.stamp import Stamps

STDIN = "/dev/stdin"


@dataclass(frozen=True, slots=True)
class Settings:
    """What `meshcore proxy` was told."""

    config: str = ""
    """A document or a directory of them; empty for the short form."""
    listen: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    balance: str = ""
    access_log: str = ""
    workers: int = 0
    pin: bool = False
    admin: str | None = None
    """An address instead of the document's; empty: none."""
    name: str = ""
    """What `--replace` finds it by."""
    state_dir: str = ""
    locality: str = ""
    """Where the proxy runs, instead of the document's."""
    replace: bool = False

    def to_json(self) -> str:
        """For another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The reverse of `to_json`."""
        found = json.loads(text)
        found["listen"], found["to"] = tuple(found["listen"]), tuple(found["to"])
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a compiling process hands to a running one."""

    compiled: Compiled
    admin: str = ""
    """Where the document wants the admin endpoints; empty: nowhere."""
    drain_timeout: float = 30.0
    """Seconds."""
    idle_grace: float = 5.0
    """Seconds."""
    watch: Stamps = field(default_factory=dict)
    """Files whose change means a reload, as they were when they were read."""

    def pack(self) -> bytes:
        """As bytes; they hold keys: only for a pipe or an unnamed file."""
        rest = [self.admin, self.drain_timeout, self.idle_grace, self.watch]
        head = json.dumps(rest).encode()
        return b"%d\n%s%s" % (len(head), head, pack(self.compiled))

    @classmethod
    def unpack(cls, packed: bytes) -> Bundle:
        """The reverse of `pack`."""
        length, _, rest = packed.partition(b"\n")
        end = int(length)
        admin, drain_timeout, idle_grace, watch = json.loads(rest[:end])
        stamps = {path: stamp and tuple(stamp) for path, stamp in watch.items()}
        return cls(unpack(rest[end:]), admin, drain_timeout, idle_grace, stamps)
