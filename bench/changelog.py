"""Changelogs as the engine would have left them after compaction: one record per key, in no order of keys."""

import shutil
import tempfile
import time
from collections.abc import Callable

from bench.cluster import Bench, send

# A prime above any number of keys, so that stepping by it meets each key once.
_STEP = 1_000_000_007
# The broker's copy, the store's, and what compaction of the store writes meanwhile.
_COPIES = 3
_KEY_BYTES = 60  # a key and what is kept beside it
_REPORT_RECORDS = 2_000_000


def key_of(number: int) -> bytes:
    """A customer's key."""
    return b"customer-%08d" % number


def fill(bench: Bench, changelog: str, keys: int, envelope: Callable[[int], bytes]) -> None:
    """Create a changelog and fill it.

    Args:
        bench: the broker.
        changelog: the topic.
        keys: how many.
        envelope: a key's sealed value, by its number.
    """
    bench.create([changelog], {"cleanup.policy": "compact"})
    producer = bench.producer()
    began = time.monotonic()
    for place in range(keys):
        number = place * _STEP % keys
        send(producer, changelog, envelope(number), key_of(number))
        if place and place % _REPORT_RECORDS == 0:
            print(f"  {changelog}: {place:,} of {keys:,} keys written", flush=True)
    producer.flush()
    print(f"  {changelog}: {keys:,} keys written in {time.monotonic() - began:.0f} s", flush=True)


def check_room(keys: int, value_bytes: int) -> None:
    """Look before a broker and a store write so much.

    Raises:
        SystemExit: the disk of temporary files has too little room.
    """
    needed = keys * (value_bytes + _KEY_BYTES) * _COPIES
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > free:
        raise SystemExit(
            f"{keys:,} keys of {value_bytes} bytes need about {needed / 2**30:.0f} GiB in "
            f"{tempfile.gettempdir()}, which has {free / 2**30:.0f} GiB left; ask for fewer or set TMPDIR"
        )
