"""Where running proxies are found, and how systemd hears of them."""

import os
import socket
from pathlib import Path

import pytest

from meshcore.agent import notify, state
from meshcore.agent.settings import Bundle, Settings
from meshcore.agent.state import StateError
from meshcore.config.resources import Compiled


def test_the_directory_is_made_for_this_user_alone(tmp_path: Path) -> None:
    made = state.directory(Settings(state_dir=str(tmp_path / "a/b")))
    assert made.stat().st_mode & 0o777 == 0o700


def test_the_runtime_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert state.directory(Settings()) == tmp_path / "meshcore"


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    with pytest.raises(StateError, match="chmod go-w"):
        state.directory(Settings(state_dir=str(tmp_path)))


def test_what_is_no_directory_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(StateError, match="not a directory of ours"):
        state.directory(Settings(state_dir=str(tmp_path / "link")))
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file exists"):
        state.directory(Settings(state_dir=str(tmp_path / "file")))


def test_too_long_a_path_is_told_before_anything_runs(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    with pytest.raises(StateError, match="too long"):
        state.socket_path(Settings(state_dir=str(long), name="a"))


def test_names_follow_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    by_path = state.name(Settings(config="proxy.yaml"))
    assert by_path == state.name(Settings(config=str(tmp_path / "proxy.yaml")))
    assert by_path != state.name(Settings(config="other.yaml"))
    assert state.name(Settings(name="edge", config="proxy.yaml")) == "edge"
    assert state.name(Settings(listen=("a:1",))) != state.name(Settings(listen=("a:2",)))


def test_systemd_hears_of_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        for tell in (notify.ready, notify.reloading, notify.stopping, notify.watchdog):
            tell()
        heard = [supervisor.recv(1000).decode() for _ in range(4)]
    assert heard[0] == f"READY=1\nMAINPID={os.getpid()}"
    assert heard[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[2:] == ["STOPPING=1", "WATCHDOG=1"]


def test_a_deaf_supervisor_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify.ready()
    assert list(tmp_path.iterdir()) == []


def test_settings_and_bundles_survive_the_way_between_processes() -> None:
    settings = Settings(config="a", listen=("b", "c"), to=("d",), admin="", replace=True)
    assert Settings.from_json(settings.to_json()) == settings
    compiled = Compiled(credentials={"a.pem": (b"certificate\n", b"key")})
    compiled.add(("Cluster", "a"), b'{"name":"a\\n"}', ("a.pem",))
    before = Bundle(compiled, "127.0.0.1:15000", 1.5, 0.5, {"/a\n/b": (1, 2, 3), "/c": None})
    after = Bundle.unpack(before.pack())
    assert after.compiled.resources == compiled.resources
    assert after.compiled.credentials == compiled.credentials
    rest = (before.admin, before.drain_timeout, before.idle_grace, before.watch)
    assert (after.admin, after.drain_timeout, after.idle_grace, after.watch) == rest
