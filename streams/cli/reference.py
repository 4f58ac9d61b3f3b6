"""The page `docs/cli.md`: every command's own help, and the exit codes."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from streams.cli.app import app
from streams.cli.exit_codes import MEANINGS

_WIDTH = 100

_INTRODUCTION = """# The command line

<!-- Made from the commands by `python -m streams.cli.docs`. Edit those, not this page. -->

Data goes to standard output, everything else to standard error, so that `dunning simulate ... | jq` just
works. `--output` is `table` for people, `jsonl` (one object a line) or `json` (one document). Commands and
decisions have `type` first and the fields of [messages](messages.md); times are RFC 3339 in UTC.
"""


def render() -> str:
    """The page."""
    root = get_command(app)
    codes = [f"| {code:d} | {meaning} |" for code, meaning in MEANINGS.items()]
    lines = [_INTRODUCTION, "## Exit codes", "", "| code | meaning |", "|---|---|", *codes, ""]
    lines.append("`dunning worker` ends with the engine's codes besides; its help has them.")
    for path, text in _helps(root, None, "dunning"):
        lines += ["", f"## `{path}`", "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def _helps(command: Any, parent: Any, name: str) -> Iterator[tuple[str, str]]:
    """The help of each command that does something, depth first."""
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    names = command.list_commands(context) if hasattr(command, "list_commands") else ()
    if not names:
        yield context.command_path, command.get_help(context).rstrip()
    for each in names:
        yield from _helps(command.get_command(context, each), context, each)
