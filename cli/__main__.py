"""``python -m cli``: the `hub` command."""

from cli import interrupts


def main() -> None:
    """Run a command. Loading them takes most of a second, in which nothing could answer a Ctrl-C."""
    interrupts.hold_back()
    from cli.commands import app

    app(prog_name="hub")


if __name__ == "__main__":
    main()
