"""A stranger's path: from a fresh environment to a filter of one's own that answers requests.

At full counts the environment gets the wheel in dist/ and pip's own ways; below that it sees the
development installation, and what is installed by the thousand words of docs/hooks.md is the same.
"""

import os
import subprocess
import time
import venv
from pathlib import Path

import pytest
import trio
import yaml

from meshcore.cli import hook
from tests.support.figures import Figure
from tests.support.packages import HERE, PIP, QUICK, ROOT, development
from tests.support.proxy import Document, running
from tests.support.scale import SCALE
from tests.support.upstream import answering
from tests.support.wire import connect

FULL = SCALE >= 1
# Seconds, from nothing to the first answers; at full counts.
BAR = 300.0
COMMAND = ("-c", "from meshcore.cli import main; main()")


def environment(folder: Path) -> tuple[Path, tuple[str, ...], dict[str, str]]:
    """Its Python, what `pip install` is there, and the variables for it."""
    if not FULL:
        return development(folder), (*PIP, *HERE), QUICK
    wheels = sorted((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    assert wheels, "no wheel in dist: run `make wheel`"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, *PIP, str(wheels[-1])], check=True)
    return python, PIP, {}


def asked(port: int, *fields: str) -> str:
    """The status that curl gets."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/"]
    for field in fields:
        command += ["-H", field]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def made(folder: Path) -> list[str]:
    """Makes a filter in a fresh environment and installs it there; gives its `meshcore`."""
    python, pip, variables = environment(folder / "environment")
    run = [str(python), *COMMAND]
    subprocess.run([*run, "hook", "new", "it"], cwd=folder, check=True)
    install = [str(python), *pip, "./it"]
    subprocess.run(install, cwd=folder, check=True, env={**os.environ, **variables})
    listed = subprocess.run([*run, "hook", "list"], capture_output=True, text=True, check=True)
    assert "meshcore-hook-it 0.1.0  v1   ready" in listed.stdout
    return run


async def test_from_nothing_to_a_filter_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    if FULL:
        monkeypatch.delenv("PYTHONPATH", raising=False)
    begun = time.monotonic()
    run = await trio.to_thread.run_sync(made, tmp_path)
    folder = tmp_path / "it"
    document: Document = yaml.safe_load((folder / "meshcore.yaml").read_text())
    async with answering() as server:
        document["listeners"][0]["address"] = "127.0.0.1:0"
        document["clusters"][0]["endpoints"] = [server.address]
        async with running(tmp_path, document, command=run) as proxy:
            port = await proxy.port()
            assert await trio.to_thread.run_sync(asked, port) == "403"
            assert await trio.to_thread.run_sync(asked, port, "x-org: me") == "200"
            assert server.requests[0].value(b"x-checked-by") == b"it"
    took = time.monotonic() - begun
    figure("from nothing to a filter that answers", f"{took:.0f} s")
    if FULL:
        assert took <= BAR
    # What the package brings for its author works as well.
    await trio.run_process([run[0], "-m", "unittest", "-q"], cwd=folder, capture_stderr=True)


async def test_a_policy_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hook.new("plans", python=True) == 0
    document: Document = yaml.safe_load((tmp_path / "plans/meshcore.yaml").read_text())
    async with answering() as server:
        document["listeners"][0]["address"] = "127.0.0.1:0"
        document["clusters"][0]["endpoints"] = [server.address]
        async with running(tmp_path / "plans", document) as proxy:
            async with connect(await proxy.port()) as wire:
                assert (await wire.get()).status == 401
                assert (await wire.get("/", "a", "x-api-key: demo-key")).status == 200
            assert server.requests[0].value(b"x-consumer") == b"demo"
