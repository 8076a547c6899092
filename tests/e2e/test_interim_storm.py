"""A storm of 1xx heads from an upstream: bounded, told clearly, and nobody beside it notices."""

from pathlib import Path

import pytest
import trio
from hyperframe.frame import HeadersFrame

from tests.support.abuse import attacked
from tests.support.bridge import BRIDGES, NAMES, Http2, Speaker, asking, telling
from tests.support.figures import Figure
from tests.support.scale import scaled
from tests.support.wire import PATIENCE

# So many 1xx heads are passed on, and the next one is too many.
INTERIM_MAX = 16
# What an upstream of HTTP/1 sends, unless its connection ends before.
STORM = 10_000
# One of HTTP/2 sends so many before it looks whether its stream was reset. Who goes on for hundreds
# of heads after a reset loses the connection that others share: that is told as `upstream_reset`.
GUST = 24
ERROR = b"upstream_protocol_error"
HINT = (b"link", b"</style.css>; rel=preload; as=style; media=" + b"x" * 200)


class Stormy:
    """A server that answers `/storm` with 1xx heads alone, until it is stopped."""

    def __init__(self) -> None:
        """No storm yet."""
        self.storms = 0
        self.stopped = 0

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        while True:
            if (await server.request()).target != b"/storm":
                await server.answer(200)
            elif isinstance(server, Http2):
                self.storms += 1
                await self._gust(server)
                self.stopped += 1
            else:
                self.storms += 1
                await self._storm(server)

    async def _storm(self, server: Speaker) -> None:
        try:
            for _ in range(STORM):
                await server.inform(103, HINT)
            await server.wire.rest()
        finally:
            self.stopped += 1

    async def _gust(self, server: Http2) -> None:
        stream = server.frames.stream(server.ident)
        head = server.frames.encoder.encode([(b":status", b"103"), HINT])
        frame = HeadersFrame(server.ident, head, flags=["END_HEADERS"]).serialize()
        for _ in range(GUST):
            await server.wire.send(frame)
        while stream.reset is None:
            await server.frames.frame()


@pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)
async def test_a_storm_of_interim_heads_ends_in_an_error(
    tmp_path: Path, versions: tuple[int, int], figure: Figure
) -> None:
    stormy, storms, passed = Stormy(), scaled(500, 10), list[int]()
    async with (
        telling(stormy.story, versions[1]) as server,
        attacked(tmp_path, server.address, versions[1]) as (proxy, port),
    ):
        for _ in range(storms):
            async with asking(port, versions[0]) as client:
                await client.ask("GET /storm")
                before, answer = await client.response()
            assert (answer.status, answer.error) == (502, ERROR)
            passed.append(len(before))
        replies = "meshcore_listener_local_replies_total"
        assert await proxy.metric(replies, error=ERROR.decode()) == storms
        with trio.fail_after(PATIENCE):
            while stormy.stopped < storms:
                await trio.lowlevel.checkpoint()
    assert max(passed) <= INTERIM_MAX
    figure(f"{storms} storms", f"at most {max(passed)} heads passed on, each ended in a 502")
