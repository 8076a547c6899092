"""The state directory: where a running proxy is found by its name."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from meshcore.errors import MeshcoreError

if TYPE_CHECKING:
    from meshcore.agent.settings import Settings

# sockaddr_un holds 108 bytes with the NUL.
_LONGEST_SOCKET_PATH = 107
_NAME_DIGITS = 12


class StateError(MeshcoreError):
    """The state directory can't be used; the text says why."""


def directory(settings: Settings) -> Path:
    """The state directory, made when missing; nobody else may put anything into it.

    Raises:
        StateError: It can't be made, or others could put something into it.
    """
    path = Path(settings.state_dir) if settings.state_dir else _default()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        message = f"state directory {path}: {words} (hint: name another with --state-dir)"
        raise StateError(message) from None
    # In /tmp anybody could have made it before us.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        message = (
            f"state directory {path}: not a directory of ours (hint: remove it, or --state-dir)"
        )
        raise StateError(message)
    if found.st_mode & 0o022:
        message = f"state directory {path}: others may write to it (hint: chmod go-w {path})"
        raise StateError(message)
    return path


def _default() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime:
        return Path(runtime) / "meshcore"
    return Path("/tmp") / f"meshcore-{os.geteuid()}"  # whoever made it is checked


def socket_path(settings: Settings) -> Path:
    """The socket of the proxy of that name.

    Raises:
        StateError: As `directory`; or the path is too long for a socket.
    """
    path = directory(settings) / f"{name(settings)}.sock"
    if len(os.fsencode(path)) + len(_TEMPORARY) > _LONGEST_SOCKET_PATH:
        message = f"{path}: too long for a socket (hint: a shorter --state-dir)"
        raise StateError(message)
    return path


# Room for the suffix under which a socket is made before it takes its name.
_TEMPORARY = ".4194304"


def name(settings: Settings) -> str:
    """What `--replace` finds it by: given, or made from what it runs."""
    if settings.name:
        return settings.name
    runs = str(Path(settings.config).resolve()) if settings.config else " ".join(settings.listen)
    return blake2b(runs.encode(), digest_size=_NAME_DIGITS // 2).hexdigest()
