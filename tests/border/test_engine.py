"""An engine in a Python program: applied, refused, cancelled, ended."""

import gc
import os
from pathlib import Path

import pytest
import trio

from meshcore import (
    Cluster,
    Config,
    ConfigError,
    Endpoint,
    Engine,
    EngineError,
    EngineStopped,
    Listener,
    Route,
    Target,
    load,
    loads,
)
from tests.support.certificates import Authority
from tests.support.upstream import answering
from tests.support.wire import connect


def document(*endpoints: str, listener: str = "web", route: str = "{to: api}") -> Config:
    """One listener before one cluster."""
    return loads(
        f"listeners: [{{name: {listener}, address: 127.0.0.1:0, routes: [{route}]}}]\n"
        f"clusters: [{{name: api, endpoints: [{', '.join(endpoints)}]}}]\n",
        name="proxy.yaml",
    )


def port(engine: Engine, listener: str = "web") -> int:
    """The port that a listener has."""
    (bound,) = {found.bound for found in engine.listeners() if found.listener == listener}
    return int(bound.rpartition(":")[2])


def engine_threads() -> list[str]:
    """The names of the engine's threads."""
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return sorted(name for name in names if name.startswith("mc-"))


async def assert_refused(port: int) -> None:
    """Nobody listens there."""
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream("127.0.0.1", port)


def sockets() -> list[str]:
    """What this process has open that is a socket or an eventfd."""
    gc.collect()  # what earlier tests have left must not go in between
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue  # the descriptor of this very listing
        if target.startswith("socket:") or "eventfd" in target:
            found.append(target)
    return sorted(found)


async def test_a_request_is_proxied() -> None:
    async with answering("a") as upstream, Engine(document(upstream.address)) as engine:
        assert engine.stats()["clusters"]["api"]["requests_total"] == 0
        async with connect(port(engine)) as wire:
            answer = await wire.get("/x")
        assert (answer.status, answer.body) == (200, b"a")
        assert engine.generation == 1
        counted = engine.stats()["clusters"]["api"]
        assert counted["requests_total"] == 1


async def test_an_apply_holds_when_it_returns() -> None:
    async with (
        answering("a") as one,
        answering("b") as other,
        Engine(document(one.address), workers=2) as engine,
    ):
        config = document(one.address)
        for turn in range(20):
            wanted = (one, other)[turn % 2]
            config = config.with_endpoints("api", (wanted.address,))
            generation = await engine.apply(config)
            assert generation == engine.generation
            async with connect(port(engine)) as wire:
                assert (await wire.get()).body == b"ab"[turn % 2 : turn % 2 + 1]


async def test_an_apply_of_the_same_changes_nothing() -> None:
    config = document("127.0.0.1:9")
    async with Engine(config) as engine:
        before = engine.generation
        assert await engine.apply(config) == before
        assert await engine.apply(document("127.0.0.1:9")) == before


async def test_a_typed_configuration_is_as_good_as_a_document() -> None:
    async with answering("typed") as upstream:
        config = Config(
            listeners=(
                Listener(
                    name="web",
                    address="127.0.0.1:0",
                    routes=(Route(to=(Target(cluster="api"),)),),
                ),
            ),
            clusters=(Cluster(name="api", endpoints=(Endpoint(address=upstream.address),)),),
        )
        async with Engine(config) as engine, connect(port(engine)) as wire:
            assert (await wire.get()).body == b"typed"


async def test_names_and_values_cross_in_every_script() -> None:
    route = '{to: api, match: {headers: {x-name: "žluťoučký 🐎"}}, name: "a/b"}'
    async with (
        answering("a") as upstream,
        Engine(document(upstream.address, route=route)) as engine,
    ):
        async with connect(port(engine)) as wire:
            assert (await wire.get("/", "test", "x-name: žluťoučký 🐎")).status == 200
        async with connect(port(engine)) as wire:
            assert (await wire.get("/", "test", "x-name: other")).status == 404


async def test_what_only_the_engine_sees_is_refused_with_its_place() -> None:
    async with answering("a") as upstream, Engine(document(upstream.address)) as engine:
        with pytest.raises(ConfigError) as refused:
            await engine.apply(
                document(upstream.address, route="{to: api, match: {path: {regex: '('}}}")
            )
        (problem,) = refused.value.problems
        assert (problem.file, problem.line, problem.column) == ("proxy.yaml", 1, 88)
        assert problem.path == "listeners[0].routes[0].match.path.regex"
        assert problem.hint
        assert engine.generation == 1
        async with connect(port(engine)) as wire:
            assert (await wire.get()).status == 200


async def test_a_key_that_is_not_the_certificate_s_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.pair("a.example", file="a"), authority.pair("b.example", file="b")
    config = loads(
        "listeners: [{name: web, address: 127.0.0.1:0, routes: [{to: api}],"
        f" tls: {{certificate: {one.certificate}, key: {other.key}}}}}]\n"
        "clusters: [{name: api}]\n"
    )
    async with Engine() as engine:
        with pytest.raises(ConfigError) as refused:
            await engine.apply(config)
    (problem,) = refused.value.problems
    assert problem.path.startswith("listeners[0].tls")
    assert problem.line == 1
    assert "key" in problem.message


async def test_a_rotated_certificate_is_served_after_an_apply(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.pair("a.example")
    (tmp_path / "proxy.yaml").write_text(
        "listeners: [{name: web, address: 127.0.0.1:0, routes: [{to: api}],"
        " tls: {certificate: leaf.pem, key: leaf.key}}]\nclusters: [{name: api}]\n"
    )
    async with Engine(load(tmp_path / "proxy.yaml")) as engine:
        first = await served_certificate(port(engine), authority)
        authority.pair("a.example")
        await engine.apply(load(tmp_path / "proxy.yaml"))
        assert await served_certificate(port(engine), authority) != first


async def served_certificate(port: int, authority: Authority) -> bytes:
    """The certificate that a listener shows."""
    raw = await trio.open_tcp_stream("127.0.0.1", port)
    async with trio.SSLStream(raw, authority.client(), server_hostname="a.example") as stream:
        await stream.do_handshake()
        found = stream.getpeercert(binary_form=True)
        assert isinstance(found, bytes)
        await trio.aclose_forcefully(stream)
    return found


async def test_listeners_come_and_go() -> None:
    async with answering("a") as upstream, Engine(document(upstream.address)) as engine:
        old = port(engine)
        one = document(upstream.address)
        web = one.listeners[0]
        # Another address: under the same one, a new name would take the socket over.
        other = web.model_copy(update={"name": "other", "address": "0.0.0.0:0"})
        both = one.model_copy(update={"listeners": (web, other)})
        await engine.apply(both)
        assert {found.listener for found in engine.listeners()} == {"web", "other"}
        await engine.apply(one.model_copy(update={"listeners": (other,)}))
        async with connect(port(engine, "other")) as wire:
            assert (await wire.get()).status == 200
        await assert_refused(old)


async def test_a_port_in_use_is_a_config_error_and_changes_nothing() -> None:
    taken = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with taken, Engine(document("127.0.0.1:9")) as engine:
        number = taken.socket.getsockname()[1]
        with pytest.raises(ConfigError) as refused:
            await engine.apply(
                loads(
                    "listeners:\n"
                    f"  - {{name: b, address: 127.0.0.1:{number}, protocol: tcp, to: c}}\n"
                    "clusters: [{name: c}]\n",
                    name="b.yaml",
                )
            )
        (problem,) = refused.value.problems
        assert (problem.file, problem.line, problem.path) == ("b.yaml", 2, "listeners[0].address")
        assert "another process listens there" in problem.message
        assert problem.hint
        assert {found.listener for found in engine.listeners()} == {"web"}


async def test_engines_do_not_know_each_other() -> None:
    async with (
        answering("a") as one,
        answering("b") as other,
        Engine(document(one.address)) as first,
        Engine(document(other.address)) as second,
    ):
        async with connect(port(first)) as wire:
            assert (await wire.get()).body == b"a"
        async with connect(port(second)) as wire:
            assert (await wire.get()).body == b"b"
        assert first.stats()["clusters"]["api"]["requests_total"] == 1
        await first.apply(document(other.address))
        assert second.generation == 1


async def test_applies_of_several_tasks_follow_one_another() -> None:
    config = document("127.0.0.1:9")
    async with Engine(config) as engine:
        generations: list[int] = []

        async def change(number: int) -> None:
            changed = config.with_endpoints("api", (f"127.0.0.1:{number + 100}",))
            generations.append(await engine.apply(changed))

        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(change, number)
        assert sorted(generations) == list(range(2, 32))


async def test_a_cancelled_apply_leaves_an_engine_that_takes_the_next() -> None:
    async with answering("a") as upstream, Engine(document("127.0.0.1:9")) as engine:
        for number in range(20):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(engine.apply, document(listener=f"gone-{number}"))
                    await trio.lowlevel.checkpoint()
                    scope.cancel()
        await engine.apply(document(upstream.address))
        assert {found.listener for found in engine.listeners()} == {"web"}
        async with connect(port(engine)) as wire:
            assert (await wire.get()).body == b"a"


async def test_a_drained_engine_accepts_no_more() -> None:
    async with answering("a") as upstream, Engine(document(upstream.address)) as engine:
        number = port(engine)
        with trio.fail_after(5):
            await engine.drain(timeout=5, idle_grace=0)
        await assert_refused(number)


async def test_the_body_s_own_error_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with Engine(document("127.0.0.1:9")):
            raise LookupError("mine")


async def test_cancellation_ends_the_block() -> None:
    with trio.CancelScope() as scope:
        async with Engine(document("127.0.0.1:9")) as engine:
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(EngineStopped):
        engine.stats()


async def test_calls_after_the_end_say_so() -> None:
    async with Engine(document("127.0.0.1:9")) as engine:
        pass
    with pytest.raises(EngineStopped):
        await engine.apply(document("127.0.0.1:9"))
    with pytest.raises(EngineStopped):
        engine.listeners()
    with pytest.raises(EngineError, match="only once"):
        async with engine:
            pass


async def test_a_refused_start_leaves_nothing_behind() -> None:
    before = sockets()
    with pytest.raises(ConfigError):
        async with Engine(document("127.0.0.1:9", route="{to: api, match: {path: {regex: '('}}}")):
            pass
    assert sockets() == before
    assert engine_threads() == []


async def test_an_admin_port_in_use_is_an_os_error() -> None:
    taken = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with taken:
        number = taken.socket.getsockname()[1]
        with pytest.raises((OSError, EngineError), match="another process listens there"):
            async with Engine(admin=f"127.0.0.1:{number}"):
                pass


def test_nothing_stays_after_the_end() -> None:
    before = sockets()

    async def main() -> None:
        async with answering("a") as upstream:
            for _ in range(5):
                async with Engine(
                    document(upstream.address), workers=2, admin="127.0.0.1:0"
                ) as engine:
                    assert len(engine_threads()) >= 2
                    async with connect(port(engine)) as wire:
                        assert (await wire.get()).status == 200

    trio.run(main)
    assert engine_threads() == []
    assert sockets() == before


async def test_an_embedded_engine_leaves_signals_alone() -> None:
    import signal

    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    async with Engine(document("127.0.0.1:9")):
        assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before


async def test_sockets_are_taken_over() -> None:
    async with answering("a") as upstream, Engine(document(upstream.address)) as old:
        given = [(found.address, os.dup(found.fd)) for found in old.listeners()]
        number = port(old)
        try:
            new = Engine(document(upstream.address), sockets=given)
            async with new:
                assert port(new) == number
                await old.drain(timeout=1, idle_grace=0)
                async with connect(number) as wire:
                    assert (await wire.get()).body == b"a"
        finally:
            for _, fd in given:
                os.close(fd)
