"""Bad input, row 6: every problem with its place and a hint; one line for what can't be done."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
import trio

from tests.support.certificates import Authority
from tests.support.proxy import COMMAND, running, talking, web
from tests.support.upstream import answering
from tests.support.wire import connect

WRONG = """\
listeners:
  - name: web
    adress: 127.0.0.1:8080
    protocol: htpp
    routes:
      - match: {path: {regex: "("}}
        to: nowhere
        timeout: 5
clusters:
  - name: api
    endpoints: [127.0.0.1:99999]
    balance: round-robin
"""
PLACE = re.compile(r"^(?P<file>\S+):(?P<line>\d+):(?P<column>\d+): ?(?P<rest>.+)$", re.MULTILINE)


async def ran(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """The command run to its end."""
    environment = {**os.environ, "NO_COLOR": "1", "MESHCORE_STATE_DIR": str(cwd)}
    with trio.fail_after(20):
        return await trio.run_process(
            [COMMAND, *arguments],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=cwd,
            env=environment,
        )


@pytest.mark.parametrize("command", [["check"], ["proxy", "-c"]])
async def test_every_problem_at_once_with_its_place(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "proxy.yaml").write_text(WRONG)
    done = await ran(*command, "proxy.yaml", cwd=tmp_path)
    assert done.returncode == 65
    said = (done.stdout + done.stderr).decode()
    lines = {int(found["line"]) for found in PLACE.finditer(said)}
    assert {3, 4, 8, 11, 12} <= lines, said
    for word in ("address", "http", "5s", "round_robin"):
        assert word in said, word


async def test_what_only_the_engine_knows_is_placed_too(tmp_path: Path) -> None:
    document = "listeners:\n  - name: web\n    address: 127.0.0.1:0\n    routes:\n"
    document += '      - match: {path: {regex: "("}}\n        to: api\n'
    document += "clusters:\n  - name: api\n    endpoints: []\n"
    (tmp_path / "proxy.yaml").write_text(document)
    done = await ran("check", "proxy.yaml", cwd=tmp_path)
    assert done.returncode == 65
    found = PLACE.search((done.stdout + done.stderr).decode())
    assert found
    assert int(found["line"]) == 5


async def test_names_that_refer_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "proxy.yaml").write_text(
        "listeners:\n- name: web\n  address: 127.0.0.1:0\n  routes: [{to: apl}]\n"
        "clusters:\n- {name: api, endpoints: [127.0.0.1:1]}\n"
    )
    done = await ran("check", "proxy.yaml", cwd=tmp_path)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 65
    assert "proxy.yaml:4:" in said
    assert "api" in said


async def test_a_refused_change_leaves_the_proxy_as_it_was(tmp_path: Path) -> None:
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        generation = await proxy.generation()
        proxy.path.write_text(WRONG)
        await proxy.says(r"proxy\.yaml:3:\d+")
        assert await proxy.generation() == generation
        async with connect(await proxy.port()) as wire:
            assert (await wire.get()).status == 200


def one_line(done: subprocess.CompletedProcess[bytes], *words: str) -> None:
    """Demand a failure that one line explains."""
    said = done.stderr.decode().strip().splitlines()
    assert done.returncode == 1, said
    assert len(said) == 1, said
    assert all(word in said[0] for word in words), said


async def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = await ran("proxy", "--listen", address, "--to", "127.0.0.1:1", cwd=tmp_path)
    one_line(done, address, "use")


async def test_a_second_proxy_doesnt_share_the_port(tmp_path: Path) -> None:
    async with (
        answering() as server,
        running(tmp_path, web(server.address), "--workers", "2") as proxy,
    ):
        address = f"127.0.0.1:{await proxy.port()}"
        other = tmp_path / "other"
        other.mkdir(mode=0o700)
        done = await ran("proxy", "--listen", address, "--to", "127.0.0.1:1", cwd=other)
    one_line(done, address, "use")


async def test_keys_that_are_missing_unreadable_or_anothers(
    tmp_path: Path, authority: Authority
) -> None:
    pair, other = authority.pair("a.test", file="a"), authority.pair("b.test", file="b")
    nonsense = tmp_path / "nonsense.key"
    nonsense.write_text("no key\n")
    for key, word in ((other.key, "belong"), (nonsense, "key"), (tmp_path / "none", "none")):
        (tmp_path / "proxy.yaml").write_text(
            "listeners:\n- name: web\n  address: 127.0.0.1:0\n"
            f"  tls: {{certificate: {pair.certificate}, key: {key}}}\n  routes: [{{to: a}}]\n"
            "clusters:\n- {name: a, endpoints: []}\n"
        )
        done = await ran("check", "proxy.yaml", cwd=tmp_path)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 65, said
        assert "proxy.yaml:4:" in said
        assert word in said


async def test_a_name_that_doesnt_resolve_and_upstreams_that_are_down(tmp_path: Path) -> None:
    async with talking(tmp_path, web("nowhere.invalid:80")) as wire:
        response = await wire.get()
    assert (response.status, response.error) == (503, b"no_healthy_upstream")


@pytest.mark.parametrize("arguments", [["proxy", "--lisen", "x"], ["no-such-command"]])
async def test_a_wrong_command_line(tmp_path: Path, arguments: list[str]) -> None:
    assert (await ran(*arguments, cwd=tmp_path)).returncode == 2
