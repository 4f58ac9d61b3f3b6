"""A worker on `streams.engine` that has nothing to do but to restore; it says when it begins and is done."""

import sys
import time
from collections.abc import AsyncIterable, Iterable

from bench.assignment import from_argument
from streams.engine import Batch, Codec, EngineSettings, Observer, TopicPartition, create_app, run_worker

TABLE = "things"


class Stamps(Observer):
    """Prints what happened and when (epoch seconds)."""

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Restoring begins."""
        self._say("assigned", sum(1 for _ in partitions))

    def ready(self, partition: int) -> None:
        """A partition is restored."""
        self._say("ready", partition)

    @staticmethod
    def _say(what: str, number: int) -> None:
        print(what, number, repr(time.time()), flush=True)


def main() -> int:
    """Run until SIGTERM."""
    given = from_argument()
    app = create_app(
        EngineSettings(
            application_id=given.application,
            bootstrap_servers=given.servers,
            data_directory=given.state_directory,
            store="rocksdb" if given.store == "rocksdb" else "memory",
            # A restart is to be measured, not the wait for the session of the worker before.
            static_membership=False,
        ),
        observer=Stamps(),
    )
    app.Table(TABLE, codec=Codec[bytes](bytes, bytes), due=lambda _: None)

    @app.agent(app.topic(given.input))
    async def nothing(batches: AsyncIterable[Batch]) -> None:
        async for _ in batches:
            pass

    return run_worker(app)


if __name__ == "__main__":
    sys.exit(main())
