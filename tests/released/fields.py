"""What a struct says, by the names of its fields: two of one type that change places are noticed so."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.inspect import (
    DictType,
    NamedTupleType,
    StructType,
    TupleType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

FieldName = tuple[str, str]
"""The struct's name and the field's."""


def said(value: Any) -> Any:
    """The value in plain terms; of structs and named tuples the fields that are not as by default."""
    if isinstance(value, Struct):
        return {
            field.name: said(getattr(value, field.name))
            for field in msgspec.structs.fields(value)
            if not _is_default(field, getattr(value, field.name))
        }
    if hasattr(value, "_asdict"):
        return {
            name: said(part)
            for name, part in value._asdict().items()
            if name not in value._field_defaults or part != value._field_defaults[name]
        }
    if isinstance(value, Mapping):
        return {str(key): said(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [said(part) for part in value]
    return msgspec.to_builtins(value, builtin_types=())


def shown(value: Any) -> Iterator[FieldName]:
    """The fields, at any depth, that are not as by default."""
    if isinstance(value, Struct):
        for field in msgspec.structs.fields(value):
            part = getattr(value, field.name)
            if not _is_default(field, part):
                yield type(value).__name__, field.name
                yield from shown(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from shown(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from shown(part)


def all_fields(struct: type[Struct]) -> set[FieldName]:
    """The fields of the struct and of all structs that lie in it."""
    found: set[FieldName] = set()
    _collect(type_info(struct), found)
    return found


def _collect(kind: Type, found: set[FieldName]) -> None:
    parts: tuple[Type, ...] = ()
    if isinstance(kind, StructType):
        parts = tuple(field.type for field in kind.fields)
        found |= {(kind.cls.__name__, field.name) for field in kind.fields}
    elif isinstance(kind, NamedTupleType):
        parts = tuple(field.type for field in kind.fields)
    elif isinstance(kind, UnionType):
        parts = kind.types
    elif isinstance(kind, TupleType):
        parts = kind.item_types
    elif isinstance(kind, VarTupleType):
        parts = (kind.item_type,)
    elif isinstance(kind, DictType):
        parts = (kind.value_type,)
    for part in parts:
        _collect(part, found)


def _is_default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(value == field.default_factory())
    return field.default is not msgspec.NODEFAULT and bool(value == field.default)
