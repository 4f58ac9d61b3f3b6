"""Checks the schemas: `python -m streams.messages.compatibility [--release]`.

Every present schema must be able to read what any of its released versions wrote (BACKWARD, over all of them:
records of any may still lie in a topic), every record, field and enumeration must have a `doc`, and every
enumeration the default `unknown`, so that an older reader survives a newer symbol. `--release` writes the
next version of each schema that has changed, if it passes; a released version is never changed again.

Exit status: 0 if all is well, 1 if not; what is wrong is printed, one line each.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType, lookup_writer_field

from streams.messages.errors import MessageError
from streams.messages.mapping import UNKNOWN_SYMBOL
from streams.messages.schemas import (
    Schema,
    logical_types,
    present_schema,
    released_schemas,
    schema_directory,
)
from streams.messages.topics import TOPICS


class Finding(NamedTuple):
    """One thing that is wrong with a schema.

    Attributes:
        topic: whose schema.
        path: where in it, for example `card.exp_month`; empty for the record itself.
        message: what is wrong.
    """

    topic: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.topic}: {f'{self.path}: ' if self.path else ''}{self.message}"


def check(topic: str, directory: Path) -> list[Finding]:
    """Check a topic's schema.

    Args:
        topic: its name.
        directory: where the schemas lie.

    Raises:
        SchemaError: a file is missing, or is no schema.
    """
    present = present_schema(topic, directory)
    findings = [Finding(topic, path, message) for path, message in lint(present)]
    released = list(released_schemas(topic, directory))
    if not released:
        findings.append(Finding(topic, "", "has no released version; run with --release"))
    elif released[-1][1] != present:
        findings.append(
            Finding(topic, "", f"has changed since version {released[-1][0]}; run with --release")
        )
    return findings + _breaks(topic, present, released)


def _breaks(topic: str, present: Schema, released: Sequence[tuple[int, Schema]]) -> list[Finding]:
    return [
        Finding(topic, path, f"cannot read version {version}: {message}")
        for version, schema in released
        for path, message in breaks(present, schema)
    ]


def breaks(reader: Schema, writer: Schema) -> list[tuple[str, str]]:
    """Give the path and the kind of everything that a reader's schema cannot read, or would read wrongly."""
    return [*incompatibilities(reader, writer), *_changes_of_meaning(reader, writer)]


def incompatibilities(reader: Schema, writer: Schema) -> list[tuple[str, str]]:
    """Give the path and the kind of everything that keeps a reader's schema from reading a writer's records.

    The avro package decides; it is asked for each part by itself, since it names places by position and
    several problems without their places.
    """
    return list(_breaks_at(avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer)), ""))


def _breaks_at(reader: Any, writer: Any, path: str) -> Iterator[tuple[str, str]]:
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return
    inner = list(_breaks_inside(reader, writer, path))
    if inner:
        yield from inner
        return
    kinds = ", ".join(dict.fromkeys(kind.value for kind in result.incompatibilities))
    yield path, f"{kinds} ({'; '.join(sorted(result.messages))})"


def _breaks_inside(reader: Any, writer: Any, path: str) -> Iterator[tuple[str, str]]:
    if reader.type != writer.type:
        return
    if reader.type == "record":
        yield from _breaks_in_record(reader, writer, path)
    elif reader.type == "array":
        yield from _breaks_at(reader.items, writer.items, f"{path}[]")
    elif reader.type == "map":
        yield from _breaks_at(reader.values, writer.values, f"{path}{{}}")
    elif reader.type == "union":
        readers = {branch.type: branch for branch in reader.schemas}
        for branch in writer.schemas:
            if branch.type in readers:
                yield from _breaks_at(readers[branch.type], branch, path)


def _breaks_in_record(reader: Any, writer: Any, path: str) -> Iterator[tuple[str, str]]:
    if reader.fullname != writer.fullname:
        yield path, f"name_mismatch (expected: {writer.fullname})"
    for field in reader.fields:
        at = f"{path}.{field.name}".removeprefix(".")
        written = lookup_writer_field(writer, field)
        if written is not None:
            yield from _breaks_at(field.type, written.type, at)
        elif not field.has_default:
            yield at, "reader_field_missing_default_value (a new field needs a default)"


def _changes_of_meaning(reader: Schema, writer: Schema) -> Iterator[tuple[str, str]]:
    """What Avro can read, and would read wrongly: another unit of time, or a symbol taken for `unknown`."""
    units = logical_types(reader)
    for path, unit in logical_types(writer).items():
        if units.get(path, unit) != unit:
            yield path, f"logical type {units[path]} instead of {unit}"
    symbols = _symbols(reader)
    for name, written in _symbols(writer).items():
        if name in symbols and (lost := [symbol for symbol in written if symbol not in symbols[name]]):
            yield "", f"the enum {name} has lost {', '.join(lost)}"


def _symbols(node: Any) -> dict[str, list[str]]:
    if isinstance(node, list):
        return {name: symbols for item in node for name, symbols in _symbols(item).items()}
    if not isinstance(node, dict):
        return {}
    found = {node["name"]: node["symbols"]} if node.get("type") == "enum" else {}
    for part in ("type", "items", "values", "fields"):
        found |= _symbols(node.get(part))
    return found


def lint(schema: Schema) -> Iterator[tuple[str, str]]:
    """Give the path and the message of every missing `doc` and of every enumeration without its default."""
    yield from _lint(schema, "")


def _lint(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for branch in node:
            yield from _lint(branch, path)
        return
    if not isinstance(node, dict):
        return
    if node.get("type") in {"record", "enum"} and not node.get("doc"):
        yield path, f"the {node['type']} {node['name']} has no doc"
    if node.get("type") == "enum" and node.get("default") != UNKNOWN_SYMBOL:
        yield path, f"the enum {node['name']} does not have the default {UNKNOWN_SYMBOL!r}"
    for field in node.get("fields", ()):
        at = f"{path}.{field['name']}".removeprefix(".")
        if not field.get("doc"):
            yield at, "the field has no doc"
        yield from _lint(field["type"], at)
    for part in ("items", "values"):
        yield from _lint(node.get(part), path)
    if isinstance(node.get("type"), dict | list):
        yield from _lint(node["type"], path)


def release(topic: str, directory: Path) -> Path | None:
    """Write a topic's present schema as its next version, if it has changed.

    Returns:
        The new file; `None` if nothing has changed.

    Raises:
        MessageError: it cannot read what a released version wrote, or does not pass the lint.
        SchemaError: a file is missing, or is no schema.
    """
    present = present_schema(topic, directory)
    released = list(released_schemas(topic, directory))
    if released and released[-1][1] == present:
        return None
    findings = [Finding(topic, path, message) for path, message in lint(present)]
    findings += _breaks(topic, present, released)
    if findings:
        raise MessageError("\n".join(map(str, findings)))
    version = released[-1][0] + 1 if released else 1
    path = directory / "released" / topic / f"{version}.avsc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(present, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check, or the release, and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m streams.messages.compatibility",
        description="Checks that every schema can read what its released versions wrote.",
    )
    parser.add_argument("--release", action="store_true", help="write the next version of what has changed")
    parser.add_argument("--directory", type=Path, default=None, help="where the schemas lie")
    options = parser.parse_args(arguments)
    topics = [topic.name for topic in TOPICS if topic.struct is not None]
    failed = False
    for topic in topics:
        try:
            directory = options.directory or schema_directory()
            if options.release and (written := release(topic, directory)) is not None:
                _say(f"{topic}: released as version {written.stem}")
            findings: Sequence[object] = check(topic, directory)
        except MessageError as error:
            findings = [error]
        failed = failed or bool(findings)
        for finding in findings:
            _say(str(finding))
    if not failed:
        _say(f"{len(topics)} schemas: each can read what all its released versions wrote")
    return int(failed)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
