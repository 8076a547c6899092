"""What `meshcore hook new` makes, what it refuses, and what `meshcore hook list` finds."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import meshcore
from meshcore.cli import hook

COMMAND = [sys.executable, "-c", "from meshcore.cli import main; main()"]
TEMPLATES = Path(hook.__file__).parent / "templates"
# Capsules are made by the interpreter's own function; this one holds no filter.
STRANGE = """\
import ctypes
make = ctypes.pythonapi.PyCapsule_New
make.restype = ctypes.py_object
make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
raises = lambda: 1 / 0
gives_a_number = lambda: 1
gives_another = lambda: make(1, b"meshcore.filter.v9", None)
"""


Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def run(
    folder: Path, *arguments: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command, run in a folder; `path` stands before the other places of modules."""
    places = [str(path)] if path else []
    places += [str(Path(meshcore.__file__).parent.parent)]
    return subprocess.run(
        [*COMMAND, "hook", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    )


def files(folder: Path) -> set[str]:
    """What stands below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_new_filter_is_a_package(tmp_path: Path) -> None:
    done = run(tmp_path, "new", "org-check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "pip install ./org-check\n" in done.stdout
    made = tmp_path / "org-check"
    assert files(made) == {
        ".gitignore",
        "MANIFEST.in",
        "README.md",
        "abi/meshcore/__init__.pxd",
        "abi/meshcore/abi.pxd",
        "abi/meshcore_abi.h",
        "meshcore.yaml",
        "org_check_filter.pyx",
        "pyproject.toml",
        "setup.py",
        "test_org_check.py",
    }
    project = tomllib.loads((made / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["meshcore.filters"] == {"org_check": "org_check_filter:load"}
    (one,) = yaml.safe_load((made / "meshcore.yaml").read_text())["hooks"]
    assert (one["name"], one["filter"]) == ("org-check", "org_check")
    header = Path(meshcore.get_include()) / "meshcore_abi.h"
    assert (made / "abi/meshcore_abi.h").read_bytes() == header.read_bytes()


def test_a_new_policy_is_python(tmp_path: Path, capsys: Captured) -> None:
    assert hook.new("plans", python=True) == 0
    assert "meshcore proxy -c plans/meshcore.yaml" in capsys.readouterr().out
    assert files(tmp_path / "plans") == {"README.md", "meshcore.yaml", "policies.py"}
    (one,) = yaml.safe_load((tmp_path / "plans/meshcore.yaml").read_text())["hooks"]
    assert one["python"] == "policies:check"


@pytest.mark.parametrize("python", [False, True])
def test_nothing_is_left_to_fill_in(tmp_path: Path, python: bool) -> None:
    assert hook.new("a", python=python) == 0
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            assert "@NAME@" not in path.read_text()
            assert "@FILTER@" not in path.read_text()
        if path.suffix == ".py":
            compile(path.read_text(), path.name, "exec")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("It", "is no name"),
        ("a b", "is no name"),
        ("1a", "is no name"),
        ("a-", "is no name"),
        ("", "is no name"),
        ("a" * 51, "at most 50"),
        ("../a", "is a path"),
        (".", "is a path"),
        ("yes", "means something else in YAML"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, name: str, words: str, capsys: Captured) -> None:
    assert hook.new(name) == 64
    said = capsys.readouterr()
    assert (said.out, words in said.err) == ("", True)
    assert files(tmp_path) == set()


def test_what_exists_is_left_alone(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "mine").write_text("precious")
    assert hook.new("mine") == 1
    assert "mine exists already" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "precious"


def test_every_template_is_used() -> None:
    for kind, used in (("native", hook.NATIVE), ("python", hook.PYTHON)):
        assert {path.name for path in (TEMPLATES / kind).iterdir()} == {f"{n}.in" for n in used}


def test_filters_that_are_refused_say_why(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(STRANGE)
    about = tmp_path / "strange-2.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 2.1\n")
    points = ("raises", "gives_a_number", "gives_another", "is_missing")
    lines = [f"{name} = strange:{name}" for name in points]
    (about / "entry_points.txt").write_text("\n".join(["[meshcore.filters]", *lines, ""]))
    done = run(tmp_path, "list", "-o", "json", path=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    rows = {row["filter"]: row for row in json.loads(done.stdout)["filters"]}
    assert set(points) <= set(rows)
    assert {rows[name]["package"] for name in points} == {"strange 2.1"}
    assert rows["raises"]["state"] == "ZeroDivisionError: division by zero"
    assert "must give a capsule" in rows["gives_a_number"]["state"]
    assert rows["gives_another"]["abi"] == "v9"
    assert "meshcore.filter.v1" in rows["gives_another"]["state"]
    assert rows["is_missing"]["state"].startswith("AttributeError")
