"""``python -m cli``: the `hub` command."""

import sys

from cli import interrupts


def main() -> None:
    """Run a command. Loading them takes most of a second, in which nothing could answer a Ctrl-C."""
    interrupts.hold_back()
    from cli.commands import app
    from cli.reporting import run

    run(app, sys.argv[1:])


if __name__ == "__main__":
    main()
