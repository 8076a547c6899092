"""Installs the wheel in a clean environment without a toolchain, and times what a user would wait.

`python -m tests.wheel dist` exits 1 where a bar doesn't hold.
"""

import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

MIB = 1 << 20
WHEEL_BYTES = 15 * MIB
INSTALL_SECONDS = 30.0
ANSWER_SECONDS = 1.0


class Quiet(http.server.BaseHTTPRequestHandler):
    """Answers every GET, silently."""

    def do_GET(self) -> None:
        """Say that it is fine."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def environment(folder: Path) -> dict[str, str]:
    """One in which neither cargo nor a compiler can be found."""
    kept = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_"))}
    return {**kept, "PATH": str(folder / "bin"), "HOME": str(folder), "NO_COLOR": "1"}


def installed(wheel: Path, folder: Path) -> float:
    """Seconds that pip takes, dependencies included."""
    venv.create(folder, with_pip=True)
    begun = time.monotonic()
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--only-binary",
        ":all:",
    ]
    subprocess.run([*command, str(wheel)], check=True, env=environment(folder))
    return time.monotonic() - begun


def answered(folder: Path) -> float:
    """Seconds from the command to its first proxied answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        to = f"127.0.0.1:{server.server_port}"
        command = [str(folder / "bin" / "meshcore"), "proxy", "--listen", listen, "--to", to]
        begun = time.monotonic()
        with subprocess.Popen(command, env=environment(folder), cwd=folder) as process:
            try:
                while not answers(f"http://{listen}/"):
                    if process.poll() is not None or time.monotonic() - begun > INSTALL_SECONDS:
                        raise SystemExit("the installed proxy doesn't answer")
                return time.monotonic() - begun
            finally:
                process.terminate()
                server.shutdown()


def answers(url: str) -> bool:
    """Whether it answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main() -> int:
    """Check the newest wheel of a folder."""
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise SystemExit(f"no wheel in {sys.argv[1]}: run `make wheel`")
    with tempfile.TemporaryDirectory(prefix="meshcore-wheel-") as name:
        figures = (
            ("size, MiB", wheels[-1].stat().st_size / MIB, WHEEL_BYTES / MIB),
            ("install, s", installed(wheels[-1], Path(name)), INSTALL_SECONDS),
            ("first answer, s", answered(Path(name)), ANSWER_SECONDS),
        )
    for what, found, bar in figures:
        print(f"{what:16} {found:8.2f}  at most {bar:g}")
    held = sum(found <= bar for _, found, bar in figures)
    print(f"{held} passed, {len(figures) - held} failed")
    return 0 if held == len(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
