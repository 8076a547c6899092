"""The extension itself: what crosses, and what is refused at the door."""

import json
import os

import pytest

from meshcore import _engine
from meshcore.config.resources import Credential

NONE: list[Credential] = []


def test_the_stub_names_all_there_is() -> None:
    public = {name for name in dir(_engine) if not name.startswith("_")}
    assert public == set(_engine.__all__)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"unknown": []}', b'{"listeners": [{}]}', b'{"clusters": 1}'],
)
def test_what_is_no_delta_is_a_problem_not_a_crash(body: bytes) -> None:
    problems = json.loads(_engine.check(body, NONE))
    assert problems
    assert set(problems[0]) == {"code", "kind", "name", "path", "message", "hint"}


def test_a_sound_delta_has_no_problems() -> None:
    assert json.loads(_engine.check(b'{"clusters": [{"name": "a"}]}', NONE)) == []


@pytest.mark.parametrize("credentials", [[("a", b"nonsense", None)], [("a", b"x", b"y")]])
def test_a_credential_that_is_none_is_a_problem(credentials: list[Credential]) -> None:
    body = {
        "listeners": [
            {"name": "a", "address": "127.0.0.1:0", "protocol": "tcp", "to": [{"cluster": "b"}],
             "tls": {"certificates": ["a"]}}
        ],
        "clusters": [{"name": "b"}],
        "endpoints": [{"name": "b", "endpoints": []}],
    }  # fmt: skip
    problems = json.loads(_engine.check(json.dumps(body).encode(), credentials))
    assert [problem["kind"] for problem in problems] == ["Credential", "Listener"]


@pytest.mark.parametrize(
    ("body", "credentials"),
    [("text", NONE), (None, NONE), (b"{}", None), (b"{}", [("a",)]), (b"{}", [(b"a", b"", None)])],
)
def test_other_types_are_type_errors(body: object, credentials: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        _engine.check(body, credentials)  # type: ignore[arg-type]


@pytest.mark.parametrize("fd", [-1, 999_999])
def test_a_number_that_is_no_descriptor_is_refused(fd: int) -> None:
    with pytest.raises((OSError, ValueError)):
        _engine.Engine(sockets=[("127.0.0.1:1", fd)])


def test_a_descriptor_that_is_no_socket_is_refused() -> None:
    read, write = os.pipe()
    with pytest.raises(OSError, match="no listening socket"):
        _engine.Engine(workers=1, sockets=[("127.0.0.1:1", read)])
    os.close(read)
    os.close(write)


def test_arguments_have_names() -> None:
    with pytest.raises(TypeError):
        _engine.Engine(1)  # type: ignore[call-arg]


def test_stopping_twice_is_stopping_once() -> None:
    engine = _engine.Engine(workers=1)
    engine.stop()
    engine.stop()
    engine.cancel(7)


def test_an_engine_that_is_forgotten_ends() -> None:
    before = len(os.listdir("/proc/self/task"))
    engine = _engine.Engine(workers=2)
    assert len(os.listdir("/proc/self/task")) > before
    engine.stop()
    del engine
    assert len(os.listdir("/proc/self/task")) == before


def test_levels_of_the_log_are_checked() -> None:
    engine = _engine.Engine(workers=1)
    try:
        engine.set_log_level("debug")
        with pytest.raises(ValueError, match="levels are"):
            engine.set_log_level("loud")
        engine.reopen_logs()
    finally:
        engine.stop()
