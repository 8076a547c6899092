"""The border to the engine: short calls, or calls that let other Python threads run meanwhile."""

from collections.abc import Sequence
from typing import final

__all__ = [
    "Engine",
    "Question",
    "adopt_filter",
    "check",
    "explain",
    "features",
    "load_library",
    "version",
]

version: str
features: str

def check(delta: bytes, credentials: Sequence[tuple[str, bytes, bytes | None]]) -> bytes:
    """Compile a complete configuration without installing it.

    Args:
        delta: As for `Engine.apply`, holding every resource.
        credentials: As for `Engine.apply`.

    Returns:
        The problems as JSON: a list of objects with code, kind, name, path, message and hint.
    """

def explain(
    delta: bytes,
    credentials: Sequence[tuple[str, bytes, bytes | None]],
    questions: bytes,
) -> bytes:
    """Ask a complete configuration, which isn't installed, what becomes of requests.

    Args:
        delta: As for `check`.
        credentials: As for `check`.
        questions: JSON: a list of {"listener", "head", "tls", "identity"}; a head is HTTP/1's.

    Returns:
        JSON: {"answers": [{"error", "path", "considered": [{"route", "failed"}], "route"}]} in the
        order of the questions, with routes by their position in the table; or {"problems": […]} as
        `check` has them.

    Raises:
        ValueError: The questions have another form.
    """

def adopt_filter(name: str, capsule: object) -> None:
    """Take a native filter, for hooks that are made of it; the same one again is fine.

    The capsule is kept for ever; the caller keeps the module that its functions stand in.

    Args:
        name: As documents call it: its entry point's name, and the one in its table.
        capsule: What the entry point gave, named `meshcore.filter.v1`.

    Raises:
        TypeError: It is no capsule.
        ValueError: Its name, version, size or functions are wrong, or another filter has the name.
    """

def load_library(path: str) -> None:
    """Load a shared library and take its native filter, under its path; it is never unloaded.

    Args:
        path: An absolute one. The library exports `meshcore_filter_v1`.

    Raises:
        OSError: It can't be loaded.
        ValueError: The path isn't absolute, the function is missing, or its filter doesn't fit.
    """

@final
class Question:
    """What a Python hook is asked. Each property is made when it is read."""

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

@final
class Engine:
    """A running engine: worker threads, sockets, and the snapshot that they share."""

    def __new__(
        cls,
        *,
        workers: int = 0,
        admin: str = "",
        pin: bool = False,
        sockets: Sequence[tuple[str, int]] = ...,
    ) -> Engine:
        """Start the threads; nothing is listened on before the first `apply`, but the admin port.

        Args:
            workers: How many; 0 is as many as the control group allows.
            admin: Where the admin endpoints listen, `127.0.0.1:15000`; empty is nowhere.
            pin: Keep each worker on a core of its own.
            sockets: Listening sockets to take over, each with the name of the listener that it is
                for or the address that stands in its document. They are duplicated, the caller
                closes its own; one that the first `apply` doesn't want is closed.

        Raises:
            OSError: A thread or socket could not be made.
            EngineError: An argument makes no sense; the text says which.
        """

    def event_fd(self) -> int:
        """The descriptor, the engine's own, that turns readable when there are events."""

    def drain_events(self, limit: int) -> list[tuple[int, str, bytes | int | None]]:
        """Take at most `limit` events.

        Each is (id, kind, payload): `applied` with the generation, `refused` with the problems as
        JSON, `failed` with a text in UTF-8, `drained` with None; and with the id 0, unasked:
        `quit` (POST /quitquitquit), `drain` (POST /drain_listeners), `notice` with a line for the
        operator in UTF-8, `resync` (events were lost).
        """

    def cancel(self, ident: int) -> None:
        """Forget a call: its completion may or may not still come. Idempotent."""

    def apply(self, delta: bytes, credentials: Sequence[tuple[str, bytes, bytes | None]]) -> int:
        """Replace the resources that `delta` lists and remove those it names.

        Args:
            delta: JSON: listeners, route_tables, clusters, endpoints (lists of resources) and
                remove (a list of {kind, name}; what isn't there is no problem).
            credentials: (name, certificates as PEM, key as PEM or None for trust anchors): all that
                the listed resources name. Those of unchanged resources stay.

        Returns:
            The id of its completion: `applied` once every worker runs it, `refused`, or `failed`.
        """

    def drain(self, timeout_ms: int, idle_grace_ms: int) -> int:
        """Stop accepting and let what runs come to its end.

        Args:
            timeout_ms: After this the connections that are left are cut.
            idle_grace_ms: How long an idle connection may still bring a request.

        Returns:
            The id of its completion, `drained`.
        """

    def stop(self) -> None:
        """Join the threads and close the sockets; blocks, and lets other Python threads run."""

    def stats(self) -> bytes:
        """Counters as JSON: {"clusters": {name: {"requests_total": …}}, …}."""

    def generation(self) -> int:
        """The number of the snapshot that runs; 0 before the first `apply`."""

    def listeners(self) -> list[tuple[str, str, str, int]]:
        """(name, address in the document, bound address, descriptor), one for each socket.

        The descriptors stay valid until `stop`.
        """

    def admin_socket(self) -> tuple[str, str, int] | None:
        """(address as given, bound address, descriptor) of the admin endpoints; None without any.

        The descriptor stays valid until the engine is gone.
        """

    def hand_over_admin(self) -> None:
        """Accept nothing more on the admin socket: a successor that has it too answers there."""

    def set_log_level(self, level: str) -> None:
        """Say more or less: error, warning, info or debug."""

    def reopen_logs(self) -> None:
        """Open the access logs' files again, as after a rotation."""

    def hook_fd(self) -> int:
        """The descriptor, the engine's own, that turns readable when Python's hooks are asked.

        From this call on questions wait to be taken; before it nobody answers them.
        """

    def take_questions(self, limit: int) -> list[Question]:
        """Take at most `limit` questions, the oldest first."""

    def answer_question(
        self,
        ident: int,
        kind: str,
        detail: tuple[int, str, list[tuple[str, str, bytes]], bytes, bool] | None = None,
    ) -> None:
        """Answer a question; one that nobody waits for any more is ignored.

        Args:
            ident: The question's.
            kind: `continue`, `answer` or `route`; or why there is no verdict: `raised`, `timeout`,
                `nonsense`, `gone`.
            detail: (status of an `answer`, cluster of a `route`, changes of fields as (`set`, `add`
                or `remove`; name; value), body of an `answer`, whether it may be remembered).

        Raises:
            ValueError: It makes no sense, and was not given; the text says why.
        """

    def hook_reloaded(self, name: str, ok: bool) -> None:
        """Tell that a hook's function was loaded anew, or could not be."""
