"""Writes the generated pages, or checks that they are current: `python -m streams.cli.docs [--check]`."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.cli import reference as commands
from streams.deployment import strimzi
from streams.messages import access_reference as access
from streams.messages import asyncapi
from streams.messages import reference as messages
from streams.ops import dashboards
from streams.ops import reference as metrics
from streams.policy import compliance_reference as compliance
from streams.policy import faultless, schema
from streams.policy import reference as policy

PAGES: Mapping[str, Callable[[], str]] = {
    "deploy/strimzi/topics.yaml": strimzi.render_topics,
    "deploy/strimzi/users.yaml": strimzi.render_users,
    "docs/asyncapi.yaml": asyncapi.render,
    "docs/access.md": access.render,
    "docs/cli.md": commands.render,
    "docs/compliance.md": compliance.render,
    "docs/messages.md": messages.render,
    "docs/metrics.md": metrics.render,
    "docs/policy.md": policy.render,
    **dashboards.PAGES,
    "policies/faultless_texts.txt": faultless.render,
    "policies/policy.schema.json": schema.render,
}
"""Each generated file and what makes it."""

_ROOT = Path(__file__).parents[2]


def stale(root: Path = _ROOT) -> list[str]:
    """The files that are missing, or not what would be written now."""
    return [
        name
        for name, render in PAGES.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != render()
    ]


def write(root: Path = _ROOT) -> list[str]:
    """Write the files that are stale; returns their names."""
    names = stale(root)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PAGES[name](), encoding="utf-8")
    return names


def main() -> int:
    """Run as a script; the exit code is 1 if `--check` finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m streams.cli.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    if not parser.parse_args().check:
        sys.stdout.writelines(f"wrote {name}\n" for name in write())
        return 0
    names = stale()
    for name in names:
        sys.stderr.write(f"{name} is stale; run `python -m streams.cli.docs`\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
