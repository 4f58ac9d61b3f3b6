"""THE catalogue: every metric of a worker, with its kind, unit, labels and meaning.

The metrics are made from it, and so is their reference in the docs. No label ever holds a customer, a case,
an invoice or a command: each label has a closed set of values, or a source and a limit.

Counters of what rounds do count committed rounds only, in this process: they begin at zero with it. Exact
totals over all workers and restarts lie in the output topics.
"""

from typing import get_args, get_type_hints

from streams.dunning.commands import AccountCommand, Missing, NotificationCommand, Outcome, ReasonCode
from streams.dunning.events import Channel, CustomerEvent, Tick
from streams.ops.definition import Label, Metric
from streams.ops.facts import CaseStage, EventOutcome


def _symbols(struct: type, field: str) -> tuple[str, ...]:
    return get_args(get_type_hints(struct)[field])


# A topic has far fewer; the limits below only keep a mistake from filling the memory of Prometheus.
_PARTITION = Label(name="partition", source="number of the partition", limit=4_096)
_TOPIC = Label(name="topic", source="input topic", limit=64)
_TABLE = Label(name="table", source="table of the application", limit=16)
# ISO 4217 lists about 180; events with other codes are dead letters.
_CURRENCY = Label(name="currency", source="ISO 4217 code", limit=256)
_KIND = Label(
    name="kind",
    source="middle word of the topic",
    values=(
        *(str(each.__struct_config__.tag) for each in (*get_args(CustomerEvent), Tick)),
        "offer-lease",
        "policy",
    ),
)
_REASON = Label(name="reason", source="reason of the decision", values=tuple(ReasonCode))

DECISIONS = Metric(
    name="dunning_decisions_total",
    kind="counter",
    group="Dunning",
    meaning="Outcomes with their reasons, one for each step, case, plan or event that was decided about.",
    labels=(Label(name="outcome", source="outcome of the decision", values=tuple(Outcome)), _REASON),
)
NOTIFICATION_COMMANDS = Metric(
    name="dunning_notification_commands_total",
    kind="counter",
    group="Dunning",
    meaning="Commands to contact a customer.",
    labels=(
        Label(name="template", source="template of the policy", limit=100),
        Label(name="channel", source="channel of the command", values=tuple(Channel)),
        Label(
            name="purpose", source="purpose of the message", values=_symbols(NotificationCommand, "purpose")
        ),
    ),
)
ACCOUNT_COMMANDS = Metric(
    name="dunning_account_commands_total",
    kind="counter",
    group="Dunning",
    meaning="Commands to suspend or reactivate a subscription, or to have a person look at a case.",
    labels=(Label(name="action", source="action of the command", values=_symbols(AccountCommand, "action")),),
)
SUPPRESSIONS = Metric(
    name="dunning_suppressions_total",
    kind="counter",
    group="Dunning",
    meaning="Due steps that led to nothing, `superseded` ones included. They are among the decisions, too.",
    labels=(_REASON,),
)
SUSPENSIONS_BLOCKED = Metric(
    name="dunning_suspensions_blocked_total",
    kind="counter",
    group="Dunning",
    meaning="What the suspension gate lacked, each time that it was looked at (once a day) and not met. One "
    "look may lack several things.",
    labels=(Label(name="missing", source="what the gate lacked", values=tuple(Missing)),),
)
CASES = Metric(
    name="dunning_cases",
    kind="gauge",
    group="Dunning",
    meaning="Open cases. Kept with the state and as exact; each partition is reported by the worker that "
    "holds it, so the sum over workers counts no case twice.",
    labels=(_PARTITION, Label(name="stage", source="stage of the case", values=tuple(CaseStage))),
)
RECOVERIES = Metric(
    name="dunning_recoveries_total",
    kind="counter",
    group="Dunning",
    meaning="Invoices that were paid after they had failed.",
    labels=(_CURRENCY,),
)
RECOVERED_AMOUNT = Metric(
    name="dunning_recovered_minor_units_total",
    kind="counter",
    group="Dunning",
    unit="minor_units",
    meaning="What was paid with them, in minor units of the currency (cents, yen, fils).",
    labels=(_CURRENCY,),
)
POLICY_INFO = Metric(
    name="dunning_policy_info",
    kind="info",
    group="Dunning",
    meaning="The policy in force.",
    labels=(
        Label(name="name", source="name of the policy", limit=1),
        Label(name="version", source="hash of the policy's content", limit=1),
    ),
)

EVENTS = Metric(
    name="dunning_events_total",
    kind="counter",
    group="Inputs",
    meaning="Input records and what became of them. Of ticks, only bad ones are counted, and those on which "
    "a decision about a customer failed.",
    labels=(_KIND, Label(name="outcome", source="what became of it", values=tuple(EventOutcome))),
)
DEAD_LETTERS = Metric(
    name="dunning_dead_letters_total",
    kind="counter",
    group="Inputs",
    meaning="Records that could not be used and went to the dead letters.",
    labels=(
        _KIND,
        Label(
            name="reason",
            source="code in the dead letter's headers",
            values=(
                "null_value",
                "not_avro",
                "unknown_schema",
                "wrong_schema",
                "undecodable",
                "missing_customer",
                "key_mismatch",
                "unknown_currency",
                "negative_amount",
                "time_out_of_range",
                "card_number",
                "unknown_symbol",
                "too_long",
                "invalid_field",
                "processing_failed",
            ),
        ),
    ),
)
LAG = Metric(
    name="dunning_lag_records",
    kind="gauge",
    group="Inputs",
    unit="records",
    meaning="Input records after the committed offset, as last measured.",
    labels=(_TOPIC, _PARTITION),
)
LAG_AGE = Metric(
    name="dunning_lag_age_seconds",
    kind="gauge",
    group="Inputs",
    unit="seconds",
    meaning="Since when Kafka has not answered the question for the lag, which is asked every five seconds; "
    "it grows when the worker is cut off.",
)
CLOCK_DELAY = Metric(
    name="dunning_clock_delay_seconds",
    kind="gauge",
    group="Inputs",
    unit="seconds",
    meaning="How far the partition's clock, which steps fall due by, is behind the machine's clock at the "
    "moment of asking. Negative where virtual time runs ahead.",
    labels=(_PARTITION,),
)
OLDEST_DUE = Metric(
    name="dunning_oldest_due_seconds",
    kind="gauge",
    group="Inputs",
    unit="seconds",
    meaning="For how long the key that has been due longest waits for a tick to decide about it, by the "
    "machine's clock; zero if none is due. Looked at every five seconds, which it may be off by.",
    labels=(_TABLE, _PARTITION),
)
DUE_BACKLOG = Metric(
    name="dunning_due_backlog",
    kind="gauge",
    group="Inputs",
    meaning="Keys that are due by the machine's clock and that no tick has decided about yet: customers. At "
    "most 1,000 of a partition are counted.",
    labels=(_TABLE, _PARTITION),
)
CUSTOMERS_DUE = Metric(
    name="dunning_customers_due_total",
    kind="counter",
    group="Inputs",
    meaning="Customers about whom a tick decided because something was due.",
)
HELD_TICKS = Metric(
    name="dunning_held_ticks",
    kind="gauge",
    group="Inputs",
    meaning="Ticks that wait until all that lay in the partition's other inputs has been read.",
    labels=(_PARTITION,),
)

ROUND_DURATION = Metric(
    name="dunning_round_duration_seconds",
    kind="histogram",
    group="Rounds and state",
    unit="seconds",
    meaning="Committed rounds: from delivery to the agents until the stores have the changes.",
    # A transaction costs 10 to 15 ms, a full round 60 ms and more; an agent is given a minute.
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
ROUND_RECORDS = Metric(
    name="dunning_round_records",
    kind="histogram",
    group="Rounds and state",
    unit="records",
    meaning="Input records of committed rounds.",
    # A round holds 4,000 unless set otherwise.
    buckets=(1.0, 10.0, 100.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0),
)
TRANSACTIONS = Metric(
    name="dunning_transactions_total",
    kind="counter",
    group="Rounds and state",
    meaning="Kafka transactions of rounds, as they ended. A round whose agent raised has begun none.",
    labels=(Label(name="outcome", source="how it ended", values=("committed", "aborted")),),
)
TRANSACTION_DURATION = Metric(
    name="dunning_transaction_duration_seconds",
    kind="histogram",
    group="Rounds and state",
    unit="seconds",
    meaning="Committed transactions: from their beginning until the broker's answer. It is the part of a "
    "round that Kafka takes.",
    # Measured 10 to 15 ms on a broker nearby; the broker itself aborts what takes half a minute.
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
OUTPUT_RECORDS = Metric(
    name="dunning_output_records_total",
    kind="counter",
    group="Rounds and state",
    unit="records",
    meaning="Records sent to output topics by committed rounds.",
)
CHANGELOG_RECORDS = Metric(
    name="dunning_changelog_records_total",
    kind="counter",
    group="Rounds and state",
    unit="records",
    meaning="Records sent to changelogs by committed rounds.",
)
ROUND_FAILURES = Metric(
    name="dunning_round_failures_total",
    kind="counter",
    group="Rounds and state",
    meaning="Rounds given up, to be run again: an agent raised, an output was refused, the broker aborted "
    "the transaction, or the group had gone on without this worker.",
    labels=(Label(name="cause", source="cause", values=("agent", "output", "aborted", "membership")),),
)
PARTITIONS = Metric(
    name="dunning_partitions",
    kind="gauge",
    group="Rounds and state",
    meaning="Partition numbers that this worker holds (`assigned`), and those of them that are restored and "
    "being processed (`ready`).",
    labels=(Label(name="state", source="state", values=("assigned", "ready")),),
)
INPUT_PARTITIONS = Metric(
    name="dunning_input_partitions",
    kind="gauge",
    group="Rounds and state",
    meaning="Partitions that the inputs have. As many have to be ready over all workers; those that are not, "
    "nobody works on.",
)
REBALANCES = Metric(
    name="dunning_rebalances_total",
    kind="counter",
    group="Rounds and state",
    meaning="Times that the group gave this worker its partitions, the first included.",
)
RESTORED = Metric(
    name="dunning_restored_records",
    kind="gauge",
    group="Rounds and state",
    unit="records",
    meaning="Changelog records applied by the last restore.",
    labels=(_TABLE, _PARTITION),
)
RESTORE_REMAINING = Metric(
    name="dunning_restore_remaining_offsets",
    kind="gauge",
    group="Rounds and state",
    unit="offsets",
    meaning="Changelog offsets left to restore; zero when it is done.",
    labels=(_TABLE, _PARTITION),
)
TABLE_KEYS = Metric(
    name="dunning_table_keys",
    kind="gauge",
    group="Rounds and state",
    meaning="Keys of a table; an estimate where it lies on disk.",
    labels=(_TABLE, _PARTITION),
)

STORE_SIZE = Metric(
    name="dunning_store_bytes",
    kind="gauge",
    group="Rounds and state",
    unit="bytes",
    meaning="What a table's partition takes on disk; nothing is said where tables lie in memory.",
    labels=(_TABLE, _PARTITION),
)

START_TIME = Metric(
    name="dunning_start_time_seconds",
    kind="gauge",
    group="Worker",
    unit="seconds",
    meaning="When this process started, in seconds since the epoch.",
)
BUILD_INFO = Metric(
    name="dunning_build_info",
    kind="info",
    group="Worker",
    meaning="What is running.",
    labels=(
        Label(name="version", source="release of this program", limit=1),
        Label(name="python", source="version of Python", limit=1),
    ),
)

CATALOGUE: tuple[Metric, ...] = (
    DECISIONS,
    NOTIFICATION_COMMANDS,
    ACCOUNT_COMMANDS,
    SUPPRESSIONS,
    SUSPENSIONS_BLOCKED,
    CASES,
    RECOVERIES,
    RECOVERED_AMOUNT,
    POLICY_INFO,
    EVENTS,
    DEAD_LETTERS,
    LAG,
    LAG_AGE,
    CLOCK_DELAY,
    OLDEST_DUE,
    DUE_BACKLOG,
    CUSTOMERS_DUE,
    HELD_TICKS,
    ROUND_DURATION,
    ROUND_RECORDS,
    TRANSACTIONS,
    TRANSACTION_DURATION,
    OUTPUT_RECORDS,
    CHANGELOG_RECORDS,
    ROUND_FAILURES,
    PARTITIONS,
    INPUT_PARTITIONS,
    REBALANCES,
    RESTORED,
    RESTORE_REMAINING,
    TABLE_KEYS,
    STORE_SIZE,
    START_TIME,
    BUILD_INFO,
)
