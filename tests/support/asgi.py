"""A real server of HTTP/1, HTTP/2 and WebSocket: hypercorn, on trio beside the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import hypercorn.trio
import trio
from hypercorn.config import Config
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope, WebsocketScope

from tests.support.certificates import Pair

PIECE = bytes(range(251)) * 64


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer `/size/N` with so many bytes, everything else with version, method and body length."""
    if scope["type"] == "http":
        await answer(scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(scope, receive, send)
    elif scope["type"] == "lifespan":
        await live(receive, send)


async def answer(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """One request."""
    received, more = 0, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            return
        received += len(event["body"])
        more = event["more_body"]
    if scope["path"].startswith("/size/"):
        size = int(scope["path"].rpartition("/")[2])
        body = (PIECE * (size // len(PIECE) + 1))[:size]
    else:
        body = f"{scope['http_version']} {scope['method']} {received}".encode()
    fields = [(b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def echo(scope: WebsocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Every text back in upper case, every bytes turned round."""
    protocols = list(scope["subprotocols"])
    chosen = protocols[0] if protocols else None
    while True:
        event = await receive()
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        elif event["type"] == "websocket.receive":
            text, data = event["text"], event["bytes"]
            await send(
                {
                    "type": "websocket.send",
                    "text": text.upper() if text is not None else None,
                    "bytes": data[::-1] if data is not None else None,
                }
            )
        else:
            return


async def live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Start and stop."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def hypercorn_serving(pair: Pair | None = None) -> AsyncIterator[str]:
    """A server on a port of the kernel's choosing, over TLS where it has a `pair`; its address."""
    config = Config()
    if pair is not None:
        config.certfile, config.keyfile = str(pair.certificate), str(pair.key)
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    config.keep_alive_timeout = 60
    config.graceful_timeout = 0
    stop = trio.Event()

    async def serve(task_status: trio.TaskStatus[list[str]]) -> None:
        try:
            await hypercorn.trio.serve(
                app, config, shutdown_trigger=stop.wait, mode="asgi", task_status=task_status
            )
        except* KeyError:
            # hypercorn 0.18 looks for a WebSocket's stream that it closed itself, when the other
            # side ends it too; the conversation is over then.
            pass

    async with trio.open_nursery() as nursery:
        binds: list[str] = await nursery.start(serve)
        yield binds[0].rpartition("//")[2]
        stop.set()
        nursery.cancel_scope.cancel()
