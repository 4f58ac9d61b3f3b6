"""How a value says which schema it was written with: two framings, and who looks schemas up.

- Without a registry: Avro's single-object encoding (specification 1.12): `C3 01`, then the fingerprint of the
  writer's schema (8 bytes, little-endian), then the record.
- With a registry: Confluent's wire format: `00`, then the schema's id (4 bytes, big-endian), then the record.
"""

import struct
from typing import Protocol

SINGLE_OBJECT_MAGIC = b"\xc3\x01"
SINGLE_OBJECT_HEADER_BYTES = 10
CONFLUENT_MAGIC = 0
CONFLUENT_HEADER_BYTES = 5

_CONFLUENT_HEADER = struct.Struct(">bI")


class SchemaSource(Protocol):
    """Finds schemas by a registry's ids, for reading."""

    def schema(self, schema_id: int) -> str:
        """Give the schema's JSON. It is asked once per id and topic.

        Raises:
            LookupError: the registry answered that it has no such id. (A registry that does not answer is
                another matter: that exception passes through, so that the record is tried again.)
        """
        ...


class SchemaIds(Protocol):
    """Finds a registry's ids of schemas, for writing."""

    def id_of(self, subject: str, schema: str) -> int:
        """Give the id of a schema that is registered for the subject (`<topic>-value`).

        It is asked once per topic.

        Raises:
            LookupError: it is not registered; nothing is registered by itself.
        """
        ...


def single_object_header(fingerprint: bytes) -> bytes:
    """Give the ten bytes before a record in single-object encoding."""
    return SINGLE_OBJECT_MAGIC + fingerprint


def confluent_header(schema_id: int) -> bytes:
    """Give the five bytes before a record in Confluent's wire format."""
    return _CONFLUENT_HEADER.pack(CONFLUENT_MAGIC, schema_id)


def confluent_schema_id(value: bytes) -> int:
    """Read the schema's id from a value that has Confluent's header."""
    schema_id: int = _CONFLUENT_HEADER.unpack_from(value)[1]
    return schema_id
