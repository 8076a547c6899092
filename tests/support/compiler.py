"""Builds what tests of native hooks need, with the compilers that stand in the PATH."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import meshcore

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic")
LANGUAGES = {"c": ("cc", "-std=c11"), "c++": ("c++", "-std=c++17")}


def run(*command: str) -> str:
    """What a command prints; its errors are the failure's text."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def program(source: str, folder: Path, language: str = "c", *flags: str) -> Path:
    """A program of `source`."""
    compiler, standard = LANGUAGES[language]
    written, built = folder / "program.source", folder / "program"
    written.write_text(source)
    run(compiler, standard, *WARNINGS, *flags, "-x", language, str(written), "-o", str(built))
    return built


def library(source: Path, built: Path, *flags: str) -> Path:
    """A shared library of a C file."""
    include = f"-I{meshcore.get_include()}"
    run(
        "cc",
        "-std=c11",
        *WARNINGS,
        "-O2",
        "-shared",
        "-fPIC",
        include,
        *flags,
        str(source),
        "-o",
        str(built),
    )
    return built


def extension(source: Path, folder: Path) -> Path:
    """A Python extension of a Cython file."""
    package = Path(meshcore.__file__).parent.parent
    made, built = folder / f"{source.stem}.c", folder / f"{source.stem}.so"
    run(sys.executable, "-m", "cython", "-3", "-I", str(package), str(source), "-o", str(made))
    wrong_types = ("-Werror=incompatible-pointer-types", "-Werror=int-conversion")
    includes = (f"-I{meshcore.get_include()}", f"-I{sysconfig.get_path('include')}")
    run("cc", *wrong_types, "-O0", "-shared", "-fPIC", *includes, str(made), "-o", str(built))
    return built
