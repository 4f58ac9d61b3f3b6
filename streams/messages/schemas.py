"""The Avro schemas: where they lie, their versions, and their fingerprints.

`<topic>.avsc` is the present schema of a topic; `released/<topic>/<n>.avsc` are the ones that records may
have been written with, counted from 1.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from streams.messages.errors import SchemaError

Schema = dict[str, Any]
"""A parsed record schema, as JSON."""

_INSTALLED = Path(__file__).parents[1] / "_data" / "schemas"
_CHECKED_OUT = Path(__file__).parents[2] / "schemas"


def schema_directory() -> Path:
    """Where the schemas lie: within the installed package, else in the source tree.

    Raises:
        SchemaError: in neither.
    """
    for directory in (_INSTALLED, _CHECKED_OUT):
        if directory.is_dir():
            return directory
    raise SchemaError(f"no schemas were found, neither in {_INSTALLED} nor in {_CHECKED_OUT}")


def load_schema(path: Path) -> Schema:
    """Read one schema file.

    Raises:
        SchemaError: it is missing, or is no Avro record schema.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        fastavro.parse_schema(schema)
    except FileNotFoundError:
        raise SchemaError(f"the schema {path} is missing") from None
    except (ValueError, KeyError, fastavro.schema.SchemaParseException) as error:
        raise SchemaError(f"{path} is no Avro schema: {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SchemaError(f"{path} is not the schema of a record")
    return schema


def present_schema(topic: str, directory: Path | None = None) -> Schema:
    """Read the present schema of a topic.

    Raises:
        SchemaError: it is missing, or is no Avro record schema.
    """
    return load_schema((directory or schema_directory()) / f"{topic}.avsc")


def released_schemas(topic: str, directory: Path | None = None) -> Iterator[tuple[int, Schema]]:
    """Give the released versions of a topic's schema with their numbers, oldest first.

    Raises:
        SchemaError: a file is no schema, or its name no number.
    """
    found = {}
    for path in ((directory or schema_directory()) / "released" / topic).glob("*.avsc"):
        if not path.stem.isdecimal():
            raise SchemaError(f"{path} should be named by the number of its version")
        found[int(path.stem)] = path
    for version in sorted(found):
        yield version, load_schema(found[version])


def schema_fingerprint(schema: Schema) -> bytes:
    """Give the CRC-64-AVRO fingerprint of the parsing canonical form, 8 bytes, little-endian.

    As the Avro 1.12 specification says ("Schema Fingerprints", "Single-object encoding"). The avro package
    keeps `{"type": "long"}` for a logical type where the specification says `"long"`, so its fingerprint of a
    schema with logical types differs from Java's and from this one.
    """
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def without_logical_types(node: Any) -> Any:
    """Give a schema, or a part of one, that reads and writes times as plain integers of microseconds."""
    if isinstance(node, dict):
        return {name: without_logical_types(value) for name, value in node.items() if name != "logicalType"}
    if isinstance(node, list):
        return [without_logical_types(value) for value in node]
    return node


def logical_types(node: Any, path: str = "") -> dict[str, str]:
    """Give the logical types in a schema by the path of their field."""
    if isinstance(node, list):
        return {at: name for branch in node for at, name in logical_types(branch, path).items()}
    if not isinstance(node, dict):
        return {}
    found = {path: node["logicalType"]} if "logicalType" in node else {}
    for part in ("type", "items", "values"):
        found |= logical_types(node.get(part), path)
    for field in node.get("fields", ()):
        found |= logical_types(field, f"{path}.{field['name']}".removeprefix("."))
    return found
