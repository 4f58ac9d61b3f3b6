"""Between a schema's plain values (as fastavro reads and writes them) and the domain's structs, by name.

Built once per topic from the schema and the struct together, so that one cannot drift from the other unseen:
a field that only one of them has is a `SchemaError` at start. Times travel as integers of microseconds here
(fastavro is given schemas without logical types): an absurd one can then be refused by name.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.inspect import DateTimeType, DictType, EnumType, StructType, UnionType, VarTupleType

from streams.messages.errors import BadRecord, BadRecordCode, SchemaError
from streams.messages.instants import EPOCH
from streams.messages.schemas import Schema

Convert = Callable[[Any], Any]
"""Turns one value into another; absent (`None`) where the value stays as it is."""

UNKNOWN_SYMBOL = "unknown"
"""The default of every enumeration: what a reader sees of a symbol that is newer than its schema."""

_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def struct_reader(schema: Schema, struct: type[Struct]) -> Callable[[dict[str, Any]], Any]:
    """Make what turns a record's values into a struct. It changes the dict that it is given.

    What it makes raises `BadRecord` for a time that no calendar holds and for an unknown symbol.

    Raises:
        SchemaError: the schema and the struct do not fit.
    """
    return _struct_reader(schema, struct, "", {})


def struct_writer(schema: Schema, struct: type[Struct]) -> Callable[[Any], dict[str, Any]]:
    """Make what turns a struct into a record's values.

    What it makes raises `ValueError` for a time without a time zone.

    Raises:
        SchemaError: the schema and the struct do not fit.
    """
    return _struct_writer(schema, struct, "", {})


def _struct_reader(
    schema: Schema, struct: type[Struct], path: str, names: dict[str, Any]
) -> Callable[[dict[str, Any]], Any]:
    converts = [
        (name, convert)
        for name, node, type_ in _fields(schema, struct, names)
        if (convert := _reader(node, type_, f"{path}{name}", names)) is not None
    ]

    def read(values: dict[str, Any]) -> Any:
        for name, convert in converts:
            values[name] = convert(values[name])
        return struct(**values)

    return read


def _struct_writer(
    schema: Schema, struct: type[Struct], path: str, names: dict[str, Any]
) -> Callable[[Any], dict[str, Any]]:
    converts = [
        (name, convert)
        for name, node, type_ in _fields(schema, struct, names)
        if (convert := _writer(node, type_, f"{path}{name}", names)) is not None
    ]

    def write(message: Any) -> dict[str, Any]:
        values = msgspec.structs.asdict(message)
        for name, convert in converts:
            values[name] = convert(values[name])
        return values

    return write


def _fields(
    schema: Schema, struct: type[Struct], names: dict[str, Any]
) -> list[tuple[str, Any, msgspec.inspect.Type]]:
    names[schema["name"].rpartition(".")[2]] = schema
    nodes = {field["name"]: field["type"] for field in schema["fields"]}
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, StructType)
    types = {field.name: field.type for field in info.fields}
    if nodes.keys() != types.keys():
        differing = ", ".join(sorted(nodes.keys() ^ types.keys()))
        raise SchemaError(f"schema and struct of {struct.__name__} do not have the same fields: {differing}")
    return [(name, node, types[name]) for name, node in nodes.items()]


def _kind(node: Any, names: dict[str, Any]) -> tuple[str, Any]:
    """Tell what kind of schema a node is, and give its definition where it only names one."""
    if isinstance(node, list):
        return "union", node
    if isinstance(node, str):
        named = names.get(node.rpartition(".")[2])
        return (node, node) if named is None else (named["type"], named)
    if node["type"] in {"enum", "record"}:
        names[node["name"].rpartition(".")[2]] = node
    return node["type"], node


def _nullable(node: list[Any], type_: msgspec.inspect.Type, path: str) -> tuple[Any, msgspec.inspect.Type]:
    inner = [branch for branch in node if branch != "null"]
    if len(inner) != 1 or len(node) != 2 or not isinstance(type_, UnionType):
        raise SchemaError(f"{path}: the only unions are of null and one type")
    return inner[0], next(
        branch for branch in type_.types if not isinstance(branch, msgspec.inspect.NoneType)
    )


def _optional(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda value: None if value is None else convert(value)


def _reader(node: Any, type_: msgspec.inspect.Type, path: str, names: dict[str, Any]) -> Convert | None:
    kind, definition = _kind(node, names)
    if kind == "union":
        return _optional(_reader(*_nullable(definition, type_, path), path, names))
    if isinstance(type_, DateTimeType):
        return _time_reader(path)
    if kind == "enum":
        return _symbol_reader(definition, type_, path)
    if kind == "record" and isinstance(type_, StructType):
        return _struct_reader(definition, type_.cls, f"{path}.", names)
    if kind == "array" and isinstance(type_, VarTupleType):
        convert = _reader(definition["items"], type_.item_type, f"{path}[]", names)
        return tuple if convert is None else lambda values: tuple(map(convert, values))
    _require_plain(kind, type_, path)
    return None


def _writer(node: Any, type_: msgspec.inspect.Type, path: str, names: dict[str, Any]) -> Convert | None:
    kind, definition = _kind(node, names)
    if kind == "union":
        return _optional(_writer(*_nullable(definition, type_, path), path, names))
    if isinstance(type_, DateTimeType):
        return _time_writer(path)
    if kind == "enum":
        # fastavro compares symbols as text, which members of a StrEnum are.
        return None
    if kind == "record" and isinstance(type_, StructType):
        return _struct_writer(definition, type_.cls, f"{path}.", names)
    if kind == "array" and isinstance(type_, VarTupleType):
        convert = _writer(definition["items"], type_.item_type, f"{path}[]", names)
        return None if convert is None else lambda values: list(map(convert, values))
    _require_plain(kind, type_, path)
    return None


_PLAIN = {
    "string": msgspec.inspect.StrType,
    "int": msgspec.inspect.IntType,
    "long": msgspec.inspect.IntType,
    "double": msgspec.inspect.FloatType,
    "boolean": msgspec.inspect.BoolType,
    "bytes": msgspec.inspect.BytesType,
    "map": DictType,
}


def _require_plain(kind: str, type_: msgspec.inspect.Type, path: str) -> None:
    if kind not in _PLAIN or not isinstance(type_, _PLAIN[kind]):
        raise SchemaError(f"{path}: Avro {kind} does not fit {type(type_).__name__.removesuffix('Type')}")


def _time_reader(path: str) -> Convert:
    def read(microseconds: int) -> datetime:
        if not _EARLIEST <= microseconds <= _LATEST:
            raise BadRecord(
                BadRecordCode.TIME_OUT_OF_RANGE,
                f"{path} lies outside the years 1 to 9999; is it in microseconds?",
                field=path,
            )
        return EPOCH + timedelta(0, 0, microseconds)

    return read


def _time_writer(path: str) -> Convert:
    def write(moment: datetime) -> int:
        if moment.tzinfo is None:
            raise ValueError(f"{path} has no time zone")
        return (moment - EPOCH) // _MICROSECOND

    return write


def _symbol_reader(definition: Schema, type_: msgspec.inspect.Type, path: str) -> Convert:
    if definition.get("default") != UNKNOWN_SYMBOL:
        raise SchemaError(f"{path}: an enumeration's default is the symbol {UNKNOWN_SYMBOL!r}")
    if isinstance(type_, EnumType):
        members: dict[Any, Any] = {member.value: member for member in list(type_.cls)}
    elif isinstance(type_, msgspec.inspect.LiteralType):
        members = {value: value for value in type_.values}
    else:
        raise SchemaError(f"{path}: an enumeration does not fit {type(type_).__name__.removesuffix('Type')}")
    # The other way round is right: a symbol that is no longer written must stay in the schema to be read.
    if lacking := members.keys() - set(definition["symbols"]):
        raise SchemaError(f"{path}: add to the schema's symbols, at their end: {', '.join(sorted(lacking))}")

    def read(symbol: str) -> Any:
        member = members.get(symbol)
        if member is None:
            raise BadRecord(
                BadRecordCode.UNKNOWN_SYMBOL,
                f"{path} has a symbol that this version does not know",
                field=path,
            )
        return member

    return read
