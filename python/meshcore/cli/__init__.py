"""The command `meshcore`: parses arguments and calls one function; heavy imports come with it."""

from __future__ import annotations

import sys

EXIT_FAILURE = 1
EXIT_USAGE = 64
EXIT_REFUSED = 65
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit."""
    from meshcore.cli.app import app

    # To the parser a lone - is a flag without a name.
    arguments = ["/dev/stdin" if argument == "-" else argument for argument in sys.argv[1:]]
    try:
        sys.exit(app(arguments))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has had enough; the interpreter must not complain about it at its end.
        sys.stderr.close()
        sys.exit(EXIT_FAILURE)
