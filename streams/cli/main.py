"""The entry point of the `dunning` command."""

import signal


def main() -> None:
    """Run the command; ends the process with an exit code (see `streams.cli.exit_codes`)."""
    # Importing takes a good part of a second. A Ctrl-C in it should end the process, not print where it was.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from streams.cli.app import app  # noqa: PLC0415 - see above

    signal.signal(signal.SIGINT, signal.default_int_handler)
    app()


if __name__ == "__main__":
    main()
