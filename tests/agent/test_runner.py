"""The process that stays: what it holds, and how it behaves towards who started it."""

import subprocess
import sys
from pathlib import Path

import pytest

from meshcore.agent.compile import bundle, document_stamps, examined
from meshcore.agent.settings import Settings

HEAVY = ("pydantic", "yaml", "cyclopts", "rich", "asyncio", "meshcore.config.model")


def test_what_stays_beside_a_proxy_is_small() -> None:
    program = (
        f"import sys, meshcore.agent.__main__; print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_the_runner_is_not_for_people() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "meshcore.agent"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "this is started by: meshcore proxy\n"


def test_the_short_form_is_a_configuration() -> None:
    listen, to = ("127.0.0.1:1", "127.0.0.1:2"), ("127.0.0.1:3", "127.0.0.1:4")
    settings = Settings(listen=listen, to=to, balance="random", access_log="/dev/stdout")
    found = examined(settings)
    assert found.problems == []
    assert found.config is not None
    assert [listener.address for listener in found.config.listeners] == list(listen)
    assert [endpoint.address for endpoint in found.config.clusters[0].endpoints] == list(to)
    assert found.config.clusters[0].balance == "random"
    logs = [listener.access_log.path for listener in found.config.listeners if listener.access_log]
    assert logs == ["/dev/stdout"] * 2


@pytest.mark.parametrize(
    ("listen", "to", "line"),
    [
        ("8080", "127.0.0.1:1", "--listen 8080: '8080' has no port"),
        ("127.0.0.1:1", "http://a:1", "--to http://a:1: 'http://a:1' is a URL, not an address"),
    ],
)
def test_the_short_form_is_refused_by_its_flags(listen: str, to: str, line: str) -> None:
    (problem,) = examined(Settings(listen=(listen,), to=(to,))).problems
    assert str(problem).startswith(line)


def test_what_a_proxy_watches(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "listeners: [{name: a, address: 127.0.0.1:1, protocol: tcp, to: b,"
        " tls: {certificate: a.pem, key: a.key}}]\nclusters: [{name: b}]\n"
    )
    settings = Settings(config=str(tmp_path))
    refused = bundle(document_stamps(settings), examined(settings))
    names = ("", "a.yaml", "a.pem", "a.key")
    # Also of a refused document: the file that is missing may come.
    assert set(refused.watch) == {str(tmp_path / name) for name in names}


def test_an_access_log_is_for_listeners_that_have_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "listeners:\n"
        "- {name: a, address: 127.0.0.1:1, protocol: tcp, to: b}\n"
        "- {name: c, address: 127.0.0.1:2, protocol: tcp, to: b, access_log: {path: /own}}\n"
        "clusters: [{name: b}]\n"
    )
    found = examined(Settings(config=str(tmp_path / "a.yaml"), access_log="/dev/stderr"))
    assert found.config is not None
    logs = [listener.access_log for listener in found.config.listeners]
    assert [log.path for log in logs if log] == ["/dev/stderr", "/own"]
