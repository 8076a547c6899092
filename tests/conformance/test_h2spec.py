"""h2spec, strict: every case, over cleartext and TLS, before upstreams of both versions."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support.asgi import hypercorn_serving
from tests.support.backend import ROOT, backends
from tests.support.bridge import before
from tests.support.certificates import Authority
from tests.support.proxy import running

# The Makefile puts it on PATH; a run by hand finds it in the clone.
PATH = f"{os.environ['PATH']}:{ROOT}/.work/go/bin"
# What the last release has; a run with fewer has left some out.
CASES = 146
# Seconds for one case: those that wait for an answer to nothing wait so long.
CASE = 3
WHOLE = 300


@asynccontextmanager
async def answering(version: int) -> AsyncIterator[str]:
    """A server that answers GET and POST with a body; its address."""
    if version == 2:
        async with hypercorn_serving() as address:
            yield address
    else:
        async with backends("A") as (server,):
            yield server.address


@pytest.mark.slow
@pytest.mark.parametrize("upstream", [1, 2])
@pytest.mark.parametrize("secure", [False, True], ids=["h2c", "tls"])
async def test_h2spec(tmp_path: Path, upstream: int, secure: bool) -> None:
    # A port that speaks HTTP/1 too answers an invalid preface as that: by a 400.
    listener: dict[str, object] = {"protocol": "http2"}
    if secure:
        listener = {"tls": Authority(tmp_path).pair("localhost").document}
    async with (
        answering(upstream) as address,
        running(tmp_path, before(address, upstream, **listener)) as proxy,
    ):
        command = ["h2spec", "-S", "-h", "127.0.0.1", "-p", str(await proxy.port())]
        command += ["-P", "/1k", "-o", str(CASE), *(["-t", "-k"] if secure else [])]
        with trio.fail_after(WHOLE):
            done = await trio.run_process(
                command, capture_stdout=True, check=False, env={**os.environ, "PATH": PATH}
            )
    said = done.stdout.decode()
    counts = re.findall(
        r"^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", said, re.MULTILINE
    )
    assert counts, said
    tests, passed, skipped, failed = map(int, counts[-1])
    print(f"h2spec: {tests} tests, {passed} passed, {skipped} skipped, {failed} failed")
    assert (skipped, failed, done.returncode) == (0, 0, 0), said.partition("Failures:")[2] or said
    assert tests >= CASES
    assert passed == tests
