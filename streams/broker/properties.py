"""The settings of a single-node Kafka whose records may play in other years."""

from collections.abc import Mapping

PropertyValue = str | int | bool

_FOREVER_MS = 2**63 - 1
_CENTURY_MS = 100 * 365 * 86_400_000

DEFAULTS: Mapping[str, PropertyValue] = {
    # One node: nothing can be replicated, and internal topics with few partitions are created sooner.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    # Topics are created on purpose or not at all: a typo must not become a topic.
    "auto.create.topics.enable": False,
    # Tests join groups, die and rejoin; production's patience would only make them slow.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.min.heartbeat.interval.ms": 100,
    # A killed worker's transaction is aborted soon after its own timeout, not up to 10 s later.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "transaction.max.timeout.ms": 3_600_000,
    # Virtual time: a record's timestamp says nothing about its age, so nothing expires, is refused or starts
    # a new segment because of it.
    "log.retention.ms": -1,
    "log.roll.ms": _CENTURY_MS,
    "log.message.timestamp.after.max.ms": _FOREVER_MS,
    "log.message.timestamp.before.max.ms": _FOREVER_MS,
    # Every segment maps two index files of this size; 10 MiB, the default, is much for 200 small partitions.
    "log.index.size.max.bytes": 1_048_576,
    # The default takes a quarter of our heap.
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    # A small machine shared with the worker under test.
    "num.network.threads": 2,
    "num.io.threads": 4,
    # A SIGKILLed broker comes back only when its old session has run out.
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3_000,
}
"""Settings of the node whatever it runs in; the caller's properties override them."""


def server_properties(
    *,
    listen_address: str,
    port: int,
    controller_port: int,
    data_directory: str,
    properties: Mapping[str, PropertyValue],
) -> dict[str, str]:
    """All properties of a combined broker and controller that clients reach at 127.0.0.1:`port`.

    Args:
        listen_address: the address to bind for clients; inside a container all of its own, else 127.0.0.1.
        port: the port for clients, the same inside and outside a container.
        controller_port: the port on 127.0.0.1 where broker and controller meet.
        data_directory: where the log is kept, as seen by the broker.
        properties: the caller's own, which win.
    """
    node: dict[str, PropertyValue] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"CLIENT://{listen_address}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "log.dirs": data_directory,
    }
    merged = {**node, **DEFAULTS, **properties}
    return {name: _as_text(value) for name, value in merged.items()}


def render(properties: Mapping[str, str]) -> str:
    """The text of a server.properties file."""
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _as_text(value: PropertyValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
