"""The dashboard of those who run it: whether the workers keep up, and what holds them up if not."""

from streams.ops.dashboards.grafana import Dashboard, Panel, Query, Row

__all__ = ["ENGINE"]

ENGINE = Dashboard(
    uid="dunning-engine",
    title="Dunning: engine",
    meaning="Whether the workers keep up, and what holds them up if not.",
    since="now-6h",
    rows=(
        Row(
            "At a glance",
            (
                Panel(
                    title="Workers",
                    meaning="Those that Prometheus sees.",
                    queries=(Query("count(dunning_build_info)"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Partitions nobody works on",
                    meaning="Zero, except while a worker restarts or restores.",
                    queries=(
                        Query(
                            "sum(max by (job) (dunning_input_partitions))"
                            ' - sum(dunning_partitions{state="ready"})'
                        ),
                    ),
                    kind="stat",
                    width=4,
                    limit=1,
                ),
                Panel(
                    title="Records waiting",
                    meaning="After the committed offsets, over all inputs.",
                    queries=(Query("sum(dunning_lag_records)"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Furthest behind",
                    meaning="The clock of the slowest partition.",
                    queries=(Query("max(dunning_clock_delay_seconds)"),),
                    kind="stat",
                    unit="s",
                    width=4,
                    limit=300,
                ),
                Panel(
                    title="Due longest",
                    meaning="For how long the customer waits who waits longest.",
                    queries=(Query("max(dunning_oldest_due_seconds)"),),
                    kind="stat",
                    unit="s",
                    width=4,
                    limit=900,
                ),
                Panel(
                    title="Kafka silent for",
                    meaning="The worker that has waited longest for an answer.",
                    queries=(Query("max(dunning_lag_age_seconds)"),),
                    kind="stat",
                    unit="s",
                    width=4,
                    limit=120,
                ),
            ),
        ),
        Row(
            "Is it in time?",
            (
                Panel(
                    title="Clock delay by partition",
                    meaning="Steps are late by so much. A second or two is usual.",
                    queries=(
                        Query("max by (partition) (dunning_clock_delay_seconds)", "partition {{partition}}"),
                    ),
                    unit="s",
                    width=6,
                    limit=300,
                ),
                Panel(
                    title="Lag by topic",
                    meaning="Records after the committed offset.",
                    queries=(Query("sum by (topic) (dunning_lag_records)", "{{topic}}"),),
                    width=6,
                ),
                Panel(
                    title="Lag by partition",
                    meaning="One partition alone: a slow leader, or a customer with very many events.",
                    queries=(Query("sum by (partition) (dunning_lag_records)", "partition {{partition}}"),),
                    width=6,
                ),
                Panel(
                    title="Due backlog, and customers decided about per minute",
                    meaning="Who is due and waits, up to 1,000 in a partition; and how fast it goes.",
                    queries=(
                        Query("sum(dunning_due_backlog)", "due"),
                        Query("sum(rate(dunning_customers_due_total[$__rate_interval])) * 60", "decided"),
                        Query("sum(dunning_held_ticks)", "ticks held back"),
                    ),
                    width=6,
                ),
            ),
        ),
        Row(
            "Rounds and transactions",
            (
                Panel(
                    title="Records per second",
                    meaning="In, out, and written to changelogs.",
                    queries=(
                        Query("sum(rate(dunning_round_records_sum[$__rate_interval]))", "inputs"),
                        Query("sum(rate(dunning_output_records_total[$__rate_interval]))", "outputs"),
                        Query("sum(rate(dunning_changelog_records_total[$__rate_interval]))", "changelogs"),
                    ),
                    unit="cps",
                ),
                Panel(
                    title="Round duration",
                    meaning="From delivery to the agents until the stores have the changes.",
                    queries=tuple(
                        Query(
                            f"histogram_quantile({share}, sum by (le) "
                            "(rate(dunning_round_duration_seconds_bucket[$__rate_interval])))",
                            name,
                        )
                        for share, name in ((0.5, "half"), (0.99, "99 of 100"))
                    ),
                    unit="s",
                ),
                Panel(
                    title="Transaction duration",
                    meaning="The part of it that Kafka takes: 10 to 50 ms with brokers nearby.",
                    queries=tuple(
                        Query(
                            f"histogram_quantile({share}, sum by (le) "
                            "(rate(dunning_transaction_duration_seconds_bucket[$__rate_interval])))",
                            name,
                        )
                        for share, name in ((0.5, "half"), (0.99, "99 of 100"))
                    ),
                    unit="s",
                    limit=2,
                ),
                Panel(
                    title="Transactions per second",
                    meaning="As they ended. Aborted ones are run again.",
                    queries=(
                        Query(
                            "sum by (outcome) (rate(dunning_transactions_total[$__rate_interval]))",
                            "{{outcome}}",
                        ),
                    ),
                    unit="cps",
                ),
                Panel(
                    title="Rounds given up per minute, by cause",
                    meaning="Some `agent` for each bad record; `aborted` and `membership`: look at Kafka.",
                    queries=(
                        Query(
                            "sum by (cause) (rate(dunning_round_failures_total[$__rate_interval])) * 60",
                            "{{cause}}",
                        ),
                    ),
                ),
                Panel(
                    title="Records in a round",
                    meaning="On average. Rounds grow with the backlog, up to 4,000 unless set otherwise.",
                    queries=(
                        Query(
                            "sum(rate(dunning_round_records_sum[$__rate_interval])) / "
                            "sum(rate(dunning_round_records_count[$__rate_interval]))",
                            "records",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "State",
            (
                Panel(
                    title="Keys by table",
                    meaning="An estimate where tables lie on disk.",
                    queries=(Query("sum by (table) (dunning_table_keys)", "{{table}}"),),
                    width=6,
                ),
                Panel(
                    title="Disk by worker",
                    meaning="What the tables take.",
                    queries=(Query("sum by (instance) (dunning_store_bytes)", "{{instance}}"),),
                    unit="bytes",
                    width=6,
                ),
                Panel(
                    title="Left to restore, by worker",
                    meaning="Offsets of the changelogs; has to shrink.",
                    queries=(Query("sum by (instance) (dunning_restore_remaining_offsets)", "{{instance}}"),),
                    width=6,
                ),
                Panel(
                    title="Restored by the last restore, by worker",
                    meaning="Records read from changelogs.",
                    queries=(Query("sum by (instance) (dunning_restored_records)", "{{instance}}"),),
                    width=6,
                ),
            ),
        ),
        Row(
            "Workers",
            (
                Panel(
                    title="Partitions by worker",
                    meaning="Those that it holds, and those of them that it works on.",
                    queries=(
                        Query("sum by (instance, state) (dunning_partitions)", "{{instance}} {{state}}"),
                    ),
                ),
                Panel(
                    title="Up for, by worker",
                    meaning="Since its start.",
                    queries=(Query("time() - dunning_start_time_seconds", "{{instance}}"),),
                    unit="s",
                ),
                Panel(
                    title="Rebalances per hour, by worker",
                    meaning="One for each start; more are trouble.",
                    queries=(
                        Query("sum by (instance) (increase(dunning_rebalances_total[1h]))", "{{instance}}"),
                    ),
                ),
                Panel(
                    title="Releases",
                    meaning="All workers should run the same, except during a roll-out.",
                    queries=(Query("count by (job, version, python) (dunning_build_info)"),),
                    kind="table",
                    width=24,
                ),
            ),
        ),
    ),
)
