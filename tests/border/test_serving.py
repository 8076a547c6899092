"""The engine in programs that don't run trio."""

import asyncio
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from meshcore import ConfigError, EngineStopped, Served, serve
from tests.border.test_engine import document, engine_threads, sockets


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    """A server on threads; it ends with the test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(engine: Served) -> bytes:
    """The answer of the first listener."""
    with urllib.request.urlopen(f"http://{engine.listeners()[0].bound}/") as answer:
        found: bytes = answer.read()
    return found


def test_a_plain_program(upstream: str) -> None:
    before = sockets()
    with serve(document(upstream)) as engine:
        assert ask(engine) == b"ok"
        assert engine.stats()["clusters"]["api"]["requests_total"] == 1
        assert engine.apply(document(upstream, "127.0.0.1:9")) == 2
        assert engine.generation == 2
    assert engine_threads() == []
    assert sockets() == before


def test_every_thread_may_call(upstream: str) -> None:
    found: list[int] = []
    with serve(document(upstream)) as engine:
        config = document(upstream)

        def change(number: int) -> None:
            changed = config.with_endpoints("api", (upstream, f"127.0.0.1:{number}"))
            found.append(engine.apply(changed))

        threads = [threading.Thread(target=change, args=(number + 1,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == list(range(2, 10))


def test_a_program_on_asyncio(upstream: str) -> None:
    async def main() -> bytes:
        with serve(document(upstream)) as engine:
            return await asyncio.to_thread(ask, engine)

    assert asyncio.run(main()) == b"ok"


def test_a_refused_configuration_is_raised_where_it_was_given() -> None:
    with (
        pytest.raises(ConfigError),
        serve(document("x", route="{to: api, match: {path: {regex: '('}}}")),
    ):
        pass


def test_a_refused_change_leaves_what_runs(upstream: str) -> None:
    with serve(document(upstream)) as engine:
        with pytest.raises(ConfigError):
            engine.apply(document(upstream, route="{to: api, match: {path: {regex: '('}}}"))
        assert ask(engine) == b"ok"


def test_calls_after_the_end_say_so(upstream: str) -> None:
    with serve(document(upstream)) as engine:
        pass
    with pytest.raises(EngineStopped):
        engine.apply(document(upstream))
    with pytest.raises(EngineStopped):
        engine.stats()


def test_the_body_s_own_error_comes_out_as_it_is(upstream: str) -> None:
    with pytest.raises(LookupError, match="mine"), serve(document(upstream)):
        raise LookupError("mine")
