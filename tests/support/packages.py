"""Packages of native filters, built from their sources where a test wants them."""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import meshcore

ROOT = Path(__file__).parent.parent.parent
BUILT = ("build", "*.egg-info", "*.c", "*.so", "__pycache__")
PIP = ("-m", "pip", "install", "-q", "--disable-pip-version-check")
# With Cython and setuptools of the environment that runs the tests.
HERE = ("--no-build-isolation", "--no-deps")
# A test doesn't judge how fast the filter is, and this compiler is quicker.
QUICK = {"CFLAGS": "-O0"}


def development(folder: Path) -> Path:
    """A fresh environment that sees this one's packages and this meshcore; gives its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = (sysconfig.get_path("purelib"), str(Path(meshcore.__file__).parent.parent))
    (folder / "lib" / version / "site-packages" / "outer.pth").write_text("\n".join(places))
    return python


def copied(sample: str, folder: Path) -> Path:
    """A sample's sources, without what was built there: building leaves files beside them."""
    there = folder / sample
    shutil.copytree(ROOT / "samples" / sample, there, ignore=shutil.ignore_patterns(*BUILT))
    return there


def installed(sample: str, folder: Path) -> Path:
    """A folder for PYTHONPATH with a sample's package; built once, whoever asks first."""
    folder.mkdir(exist_ok=True)
    target = folder / "installed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            sources = copied(sample, folder)
            beside = folder / "beside"
            command = [sys.executable, *PIP, *HERE, "--target", str(beside), str(sources)]
            subprocess.run(command, check=True, env={**os.environ, **QUICK})
            beside.rename(target)
    return target
