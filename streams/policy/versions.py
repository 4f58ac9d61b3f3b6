"""Versions of a policy as they are kept: packed, found again by their hash, and put together for deciding.

What was checked when it was published is not checked again, and keeps the version that it was published
under: a later release may know more settings (with defaults, which change the hash), more rules of networks,
stricter checks. A case must find its ladder and its words all the same.
"""

import json
import zlib
from typing import Any

from streams.policy.errors import PolicyError, Problem
from streams.policy.loading import LoadedPolicy, canonical, from_stored, version_of

_MOST_BYTES = 32 * 1024 * 1024
"""A document that unpacks to more than this is none: the largest policy is a hundredth of it."""


def pack(policy: LoadedPolicy) -> bytes:
    """The whole policy, settings and texts, as bytes; the same policy gives the same bytes."""
    return zlib.compress(canonical(policy.document).encode(), level=9)


def unpack(version: str, packed: bytes) -> LoadedPolicy:
    """The policy of that version.

    Raises:
        PolicyError: The bytes are not that version's, or this release cannot read it.
    """
    return from_stored(document_of(version, packed), version, f"version {version}")


def document_of(version: str, packed: bytes) -> dict[str, Any]:
    """The document of that version, whether or not this release can read it.

    Raises:
        PolicyError: The bytes are not that version's.
    """
    source = f"version {version}"
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, _MOST_BYTES)
        if not unpacking.eof:
            raise PolicyError(source, [Problem("", "is cut off, or too large to be a policy")])
        document: Any = json.loads(text)
    except (zlib.error, ValueError) as error:
        raise PolicyError(source, [Problem("", f"cannot be read: {error}")]) from error
    if not isinstance(document, dict) or version_of(document) != version:
        raise PolicyError(source, [Problem("", "is not the content that the version is the hash of")])
    return document
