"""`meshcore completion`: scripts that let a shell complete meshcore's commands and flags."""

from __future__ import annotations

from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the completion script of a shell.

    For bash: source <(meshcore completion bash)

    Parameters
    ----------
    shell
        The shell.
    """
    from meshcore.cli.app import app

    print(app.generate_completion(shell=shell))
    return 0
