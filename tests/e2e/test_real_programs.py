"""Real clients and real servers: curl before it, nginx behind it."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support.certificates import Authority
from tests.support.proxy import running, talking, web

CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen unix:{folder}/nginx.sock;
    root {folder}; client_max_body_size 0; keepalive_requests 5;
    location /hello {{ return 200 "hello from $host by $http_x_forwarded_proto\\n"; }}
    location /gone {{ return 301 https://elsewhere.test/; }}
  }}
  server {{ listen unix:{folder}/fails.sock; return 503; }}
  server {{ listen unix:{folder}/breaks.sock; return 444; }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[str]:
    """A running nginx on a unix socket; its address. Those of `fails` and `breaks` do so."""
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    (folder / "big").write_bytes(bytes(range(256)) * 40_000)
    process = await trio.lowlevel.open_process(
        ["nginx", "-e", f"{folder}/error.log", "-c", str(configuration)],
        stderr=subprocess.DEVNULL,
    )
    try:
        with trio.fail_after(10):
            while True:
                try:
                    stream = await trio.open_unix_socket(f"{folder}/nginx.sock")
                except OSError:
                    assert process.returncode is None, (folder / "error.log").read_text()
                    await trio.lowlevel.checkpoint()
                else:
                    await stream.aclose()
                    break
        yield f"unix:{folder}/nginx.sock"
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def curl(*arguments: str) -> bytes:
    """What curl prints."""
    done = await trio.run_process(
        ["curl", "-sS", "--max-time", "20", *arguments], capture_stdout=True
    )
    return done.stdout


async def test_curl_and_nginx(tmp_path: Path, authority: Authority) -> None:
    pair, roots = authority.pair("localhost"), authority.roots
    async with nginx(tmp_path) as address:
        document = web(address, tls=pair.document)
        async with running(tmp_path, document) as proxy:
            site = f"https://localhost:{await proxy.port()}"
            secure = ("--cacert", str(roots))
            assert await curl(*secure, f"{site}/hello") == b"hello from localhost by https\n"
            assert await curl(*secure, "-I", f"{site}/gone")
            big = await curl(*secure, f"{site}/big")
            assert big == (tmp_path / "big").read_bytes()
            part = await curl(*secure, "-r", "256-511", f"{site}/big")
            assert part == bytes(range(256))
            code = ("-o", "/dev/null", "-w", "%{http_code}")
            assert await curl(*secure, *code, "--http1.0", f"{site}/hello") == b"200"
            upload = ("-T", str(tmp_path / "big"))
            assert await curl(*secure, *code, *upload, f"{site}/upload") == b"405"


@pytest.mark.parametrize("requests", [40])
async def test_a_server_that_closes_after_five_requests(tmp_path: Path, requests: int) -> None:
    async with nginx(tmp_path) as address, talking(tmp_path, web(address)) as wire:
        found = [(await wire.get("/hello")).status for _ in range(requests)]
    assert found == [200] * requests
