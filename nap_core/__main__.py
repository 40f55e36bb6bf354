"""The command line: ``python -m nap_core layers | run | maximize | findings | quality | export | pack | unpack``."""

from __future__ import annotations

import sys
import warnings

from nap_core.command_line import parser
from nap_core.commands import COMMANDS
from nap_core.environment import prepare_environment
from nap_core.errors import NapError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status: 0, or 2 with a sentence on the standard error."""
    prepare_environment()
    options = parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say
            return COMMANDS[options.command](options) or 0
    except NapError as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the same command continues where it stopped.", file=sys.stderr)
        return 130


def _say(message: Warning | str, *_where: object, **_how: object) -> None:
    """Show a warning as its sentence, without the line of code that it came from."""
    print(message, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
