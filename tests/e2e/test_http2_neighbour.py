"""Beside each HTTP/2 flood: what a neighbour's slowest requests take, with it and without."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median

from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame, RstStreamFrame

from tests.e2e.test_http2_abuse import BOMBS, FLOODS, HEAD, OUR_RESETS_MAX, opening, streams
from tests.support.abuse import FRAMES_MAX, flooding, recorded
from tests.support.backend import backends
from tests.support.bridge import before
from tests.support.figures import Figure
from tests.support.frames import CANCEL, LARGEST_FRAME
from tests.support.load import load, steady
from tests.support.proxy import running
from tests.support.scale import SCALE, scaled

# With the flood to without, of the 99th percentiles, the median of all rounds: the bar.
BAR = 2.0
# Microseconds: what a machine that does other things at the same time may make of a p99.
GENEROUS = 250_000
# Rounds of a window without and a window with the flood, and a window's seconds.
ROUNDS, ROUNDS_AT_MOST = scaled(5, 1), scaled(25, 1)
WINDOW = 1.0 if SCALE >= 1 else 0.2
# Seconds from the end of an attacker's connection to its next one. At five times the rate what is
# felt on two cores is the attacker's own work: as much when it floods another server.
PAUSE = 0.1


def rapid_resets() -> Iterator[Frame]:
    """Requests, each reset at once."""
    for ident in streams():
        yield opening(ident)
        yield RstStreamFrame(ident, CANCEL)


def continuations() -> Iterator[Frame]:
    """A head that doesn't end."""
    yield HeadersFrame(1, HEAD, flags=["END_STREAM"])
    while True:
        yield ContinuationFrame(1, b"")


def bomb(name: str) -> Callable[[], Iterator[Frame]]:
    """A large head on each stream, until each was refused so often that the connection ends."""
    block = BOMBS[name]
    pieces = [block[at : at + LARGEST_FRAME] for at in range(0, len(block), LARGEST_FRAME)]

    def frames() -> Iterator[Frame]:
        for ident in islice(streams(), OUR_RESETS_MAX + 1):
            yield HeadersFrame(ident, pieces[0], flags=["END_STREAM"])
            for piece in pieces[1:-1]:
                yield ContinuationFrame(ident, piece)
            yield ContinuationFrame(ident, pieces[-1], flags=["END_HEADERS"])

    return frames


ATTACKS: dict[str, Callable[[], Iterator[Frame | bytes]]] = {
    **FLOODS,
    "rapid-reset": rapid_resets,
    "continuation": continuations,
    **{f"bomb-of-{name}": bomb(name) for name in ("bytes", "count", "crumbs")},
}
# `make test` runs a few of them for a moment; test_http2_abuse.py has them all.
CHOSEN = list(ATTACKS)[:: 1 if SCALE >= 1 else 4]


@dataclass(slots=True)
class Rounds:
    """The 99th percentiles of all rounds, in microseconds."""

    quiet: list[float] = field(default_factory=list)
    attacked: list[float] = field(default_factory=list)
    ended: int = 0

    @property
    def ratio(self) -> float:
        """How much longer it takes beside the flood."""
        return median([one / other for one, other in zip(self.attacked, self.quiet, strict=True)])

    def judged(self) -> bool:
        """Whether the rounds are enough: what looks bad is looked at for longer."""
        count = len(self.attacked)
        return count >= ROUNDS and (self.ratio <= BAR or count >= ROUNDS_AT_MOST)

    def __str__(self) -> str:
        return (
            f"{median(self.attacked):.0f} µs, without {median(self.quiet):.0f} µs, median of"
            f" {len(self.attacked)} ratios {self.ratio:.2f}; {self.ended} connections ended"
        )


async def p99(port: int) -> float:
    """What the slowest of a neighbour's requests take, in microseconds."""
    report = await load("http2", port, connections=1, streams=1, duration=WINDOW)
    steady(report, 1)
    assert report["latency_us"]["p99"] <= GENEROUS
    return report["latency_us"]["p99"]


async def test_a_neighbour_hardly_feels_a_flood(tmp_path: Path, figure: Figure) -> None:
    found = {name: Rounds() for name in CHOSEN}
    async with (
        backends("A") as (server,),
        running(tmp_path, before(server.address, 1), "--workers", "1") as proxy,
    ):
        port = await proxy.port()
        for name, rounds in found.items():
            flood = tmp_path / name
            flood.write_bytes(recorded(islice(ATTACKS[name](), FRAMES_MAX)))
            while not rounds.judged():
                rounds.quiet.append(await p99(port))
                async with flooding(port, flood, PAUSE) as attacks:
                    rounds.attacked.append(await p99(port))
                rounds.ended += attacks.ended
            figure(f"p99 beside {name}", str(rounds))
    worst = {name: rounds.ratio for name, rounds in found.items() if rounds.ratio > BAR}
    assert SCALE < 1 or not worst, worst
