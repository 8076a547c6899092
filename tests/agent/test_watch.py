"""Changed files are noticed, on a clock that jumps."""

import os
from pathlib import Path

import trio
import trio.testing

from meshcore.agent.watch import INTERVAL, watch
from meshcore.stamp import look


class Watched:
    """Counts what was noticed."""

    def __init__(self, *paths: Path) -> None:
        self.paths = look(str(path) for path in paths)
        self.changes = 0
        self.beats = 0

    async def changed(self) -> None:
        """One change."""
        self.changes += 1

    def beat(self) -> None:
        """One look."""
        self.beats += 1

    async def run(self) -> None:
        """Watch until cancelled."""
        await watch(lambda: self.paths, self.changed, self.beat)


async def test_a_change_is_noticed_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text("one")
    watched = Watched(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.run)
        await trio.sleep(3 * INTERVAL)
        assert watched.changes == 0
        path.write_text("three")
        await trio.sleep(5 * INTERVAL)
        assert watched.changes == 1
        nursery.cancel_scope.cancel()
    assert watched.beats >= 5


async def test_every_way_of_replacing_a_file_is_noticed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path, other, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    path.write_text("one")
    link.symlink_to(path)
    watched = Watched(path, link)

    def rename() -> None:
        other.write_text("two")
        other.rename(path)

    def move_the_link() -> None:
        elsewhere = tmp_path / "c"
        elsewhere.write_text("two")
        made = tmp_path / "made"
        made.symlink_to(elsewhere)
        made.rename(link)

    def touch() -> None:
        os.utime(path, ns=(1, 1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.run)
        await trio.sleep(INTERVAL / 2)
        for count, change in enumerate((rename, move_the_link, touch, path.unlink), start=1):
            change()
            await trio.sleep(3 * INTERVAL)
            assert watched.changes == count, change
        nursery.cancel_scope.cancel()


async def test_a_writer_at_work_is_let_finish(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "a"
    path.write_text("")
    watched = Watched(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.run)
        await trio.sleep(0.95 * INTERVAL)
        for size in range(12):
            path.write_text("x" * size)
            assert watched.changes == 0
            await trio.sleep(0.09)
        await trio.sleep(INTERVAL)
        assert watched.changes == 1
        nursery.cancel_scope.cancel()


async def test_new_paths_are_watched_from_then_on(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    watched = Watched(tmp_path / "a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.run)
        await trio.sleep(1.5 * INTERVAL)
        watched.paths = look([str(tmp_path / "b")])
        await trio.sleep(2 * INTERVAL)
        assert watched.changes == 0
        (tmp_path / "b").write_text("")
        await trio.sleep(3 * INTERVAL)
        assert watched.changes == 1
        nursery.cancel_scope.cancel()


async def test_a_change_between_reading_and_watching_is_noticed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "a"
    path.write_text("as it was read")
    watched = Watched(path)
    path.write_text("as it is when the watch begins")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.run)
        await trio.sleep(2 * INTERVAL)
        assert watched.changes == 1
        # What was read anew may have changed since, too.
        watched.paths = look([str(path)])
        path.write_text("and again")
        await trio.sleep(2 * INTERVAL)
        assert watched.changes == 2
        nursery.cancel_scope.cancel()


def test_a_missing_file_looks_different_from_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    before = look([str(path)])
    path.write_text("")
    assert look([str(path)]) != before
