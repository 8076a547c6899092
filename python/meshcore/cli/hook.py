"""`meshcore hook`: begin a hook of one's own, and see which filters are installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from meshcore.cli import EXIT_FAILURE, EXIT_USAGE
from meshcore.cli.output import Form, complain, print_data, print_table

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

# The name becomes that of a folder, a package, a module and a filter, whose name has at most 64.
NAME = re.compile(r"[a-z](?:[a-z0-9_-]{0,48}[a-z0-9])?")
# What stands unquoted in the example's document must stay a name there.
NO_NAMES_IN_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

# File of the template to file of the new folder.
NATIVE = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "setup.py": "setup.py",
    "MANIFEST.in": "MANIFEST.in",
    "gitignore": ".gitignore",
    "filter.pyx": "@FILTER@_filter.pyx",
    "test_filter.py": "test_@FILTER@.py",
    "meshcore.yaml": "meshcore.yaml",
}
PYTHON = {name: name for name in ("README.md", "policies.py", "meshcore.yaml")}
# File of this package to file below abi/, where compilers look for both.
ABI = {
    "include/meshcore_abi.h": "meshcore_abi.h",
    "__init__.pxd": "meshcore/__init__.pxd",
    "abi.pxd": "meshcore/abi.pxd",
}

NATIVE_NEXT = """\
{name}/ is a filter in Cython. Next:
  pip install ./{name}
  python -m http.server 9001 --bind 127.0.0.1 &
  meshcore proxy -c {name}/meshcore.yaml &
  curl -i -H 'x-org: me' http://127.0.0.1:8080/"""
PYTHON_NEXT = """\
{name}/ is a policy in Python. Next:
  python -m http.server 9001 --bind 127.0.0.1 &
  meshcore proxy -c {name}/meshcore.yaml &
  curl -i -H 'x-api-key: demo-key' http://127.0.0.1:8080/"""


def new(name: str, /, *, python: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Make a folder with a hook that works, to change into one's own.

    Without --python it is a package that pip installs: a filter in Cython, a document that uses it,
    a test and a README.

    Parameters
    ----------
    name
        Of the folder and of what is in it: small letters, digits, - and _.
    python
        A function in Python instead, with a document that uses it.
    """
    from pathlib import Path

    if wrong := _unfit(name):
        complain(wrong)
        return EXIT_USAGE
    folder = Path(name)
    try:
        folder.mkdir()
        _fill(folder, python=python)
    except FileExistsError:
        complain(f"{name} exists already (hint: another name, or another folder)")
        return EXIT_FAILURE
    except OSError as error:
        complain(f"cannot make {name}: {error}")
        return EXIT_FAILURE
    print((PYTHON_NEXT if python else NATIVE_NEXT).format(name=name))
    return 0


def listed(*, output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table") -> int:
    """Print the filters that are installed, and why one is refused.

    Parameters
    ----------
    output
        How to print it.
    """
    from importlib.metadata import entry_points

    # The group's name is meshcore's promise: docs/hooks.md.
    found = sorted(entry_points(group="meshcore.filters"), key=lambda point: point.name)
    rows = [(point.name, _package(point), *_state(point)) for point in found]
    columns = ("filter", "package", "abi", "state")
    if output == "table":
        print_table(columns, rows)
        if not rows:
            complain("no filter is installed (hint: meshcore hook new NAME)")
    else:
        print_data({"filters": [dict(zip(columns, row, strict=True)) for row in rows]}, output)
    return 0 if all(state == "ready" for *_, state in rows) else EXIT_FAILURE


def _unfit(name: str) -> str:
    if "/" in name or name.startswith("."):
        return f"{name!r} is a path; name a hook, and call this in the folder where it shall stand"
    if not NAME.fullmatch(name):
        return (
            f"{name!r} is no name for a hook: at most 50 small letters, digits, - and _; "
            "a letter first, no - or _ last"
        )
    if name in NO_NAMES_IN_YAML:
        return f"{name!r} means something else in YAML; take another name"
    return ""


def _fill(folder: Path, *, python: bool) -> None:
    from importlib.resources import files

    package = files("meshcore")
    templates = package / "cli" / "templates" / ("python" if python else "native")
    names = {"@NAME@": folder.name, "@FILTER@": folder.name.replace("-", "_")}
    for source, target in (PYTHON if python else NATIVE).items():
        text = (templates / f"{source}.in").read_text()
        for mark, known in names.items():
            text = text.replace(mark, known)
            target = target.replace(mark, known)
        (folder / target).write_text(text)
    if not python:
        (folder / "abi" / "meshcore").mkdir(parents=True)
        for source, target in ABI.items():
            (folder / "abi" / target).write_bytes((package / source).read_bytes())


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "-"


def _state(point: EntryPoint) -> tuple[str, str]:
    """The ABI's version that a filter names, and whether it is ready or what is wrong with it."""
    from meshcore import extension

    try:
        capsule = point.load()()
    except Exception as error:  # whatever a stranger's package raises, it is said
        return "-", f"{type(error).__name__}: {error}"
    # <capsule object "meshcore.filter.v1" at 0x…>
    named = re.match(r'<capsule object "meshcore\.filter\.(\w+)"', repr(capsule))
    try:
        extension.adopt_filter(point.name, capsule)
    except (TypeError, ValueError) as error:
        return named[1] if named else "-", str(error)
    return named[1] if named else "-", "ready"
