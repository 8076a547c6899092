"""What the commands print, where, and the exit codes that they end with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from meshcore.config.model import Config

COMMAND = [sys.executable, "-c", "from meshcore.cli import main; main()"]
SOUND = """\
listeners: [{name: web, address: 127.0.0.1:0, routes: [{to: api}]}]
clusters: [{name: api, endpoints: [127.0.0.1:9001]}]
"""


def run(*arguments: str, told: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=told,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_sound_document_is_a_row_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOUND)
    done = run("check", str(tmp_path / "a.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    head, row = done.stdout.splitlines()
    assert head.split() == ["document", "listeners", "clusters"]
    assert row.split() == [str(tmp_path / "a.yaml"), "1", "1"]


def test_problems_go_to_standard_error_and_stop_with_65(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOUND.replace("routes", "rutes"))
    done = run("check", str(tmp_path / "a.yaml"))
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == (
        f"{tmp_path}/a.yaml:1:47: listeners[0].rutes: unknown key 'rutes' "
        "(hint: did you mean 'routes'?)\n"
    )


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_problems_as_data(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.yaml").write_text(SOUND.replace("routes", "rutes"))
    done = run("check", str(tmp_path / "a.yaml"), "-o", form)
    assert (done.returncode, done.stderr) == (65, "")
    found = json.loads(done.stdout) if form == "json" else yaml.safe_load(done.stdout)
    (problem,) = found["problems"]
    assert set(problem) == {"code", "path", "message", "hint", "file", "line", "column"}
    assert (problem["line"], problem["column"], problem["code"]) == (1, 47, "unknown_key")


def test_a_document_may_come_from_standard_input() -> None:
    assert run("check", "-", told=SOUND).returncode == 0
    done = run("check", "-", told="a: [")
    assert done.returncode == 65
    assert done.stderr.startswith("<stdin>:2:1: not valid YAML")


def test_a_flag_may_stand_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOUND)
    assert run("check", MESHCORE_CONFIG=str(tmp_path / "a.yaml")).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check"], 64),
        (["check", "a", "-c", "b"], 64),
        (["proxy"], 64),
        (["proxy", "-c", "a", "--to", "b:1"], 64),
        (["proxy", "--listen", "127.0.0.1:0"], 64),
        (["proxy", "-c", "a", "--workers", "-1"], 64),
        (["proxy", "-c", "a", "--name", "../x"], 64),
        (["proxy", "--workers", "many"], 2),
        (["chek"], 2),
        (["check", "a", "-o", "xml"], 2),
        (["proxy", "-c", "/none.yaml"], 65),
        (["proxy", "--listen", "x", "--to", "y"], 65),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr


def test_versions() -> None:
    short = run("version", "--short").stdout.strip()
    assert json.loads(run("version", "-o", "json").stdout)["version"] == short
    assert run("--version").stdout.strip() == short


def test_the_schema_is_json() -> None:
    schema = json.loads(run("config", "schema").stdout)
    assert set(schema["properties"]) == set(Config.model_fields)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert "proxy" in done.stdout


def test_colour_is_for_terminals_alone() -> None:
    assert "\x1b" not in run("version", FORCE_COLOR="").stdout
    assert "\x1b" not in run("--help", NO_COLOR="1").stdout


def test_a_reader_that_has_enough_is_no_error() -> None:
    program = (
        f'"{sys.executable}" -c "from meshcore.cli import main; main()" config schema | head -1'
    )
    done = subprocess.run(program, shell=True, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("{\n", "")
