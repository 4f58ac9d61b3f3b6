"""The dashboard of those who answer for dunning: who owes, who is asked, who pays."""

from streams.ops.dashboards.grafana import Dashboard, Panel, Query, Row

__all__ = ["BUSINESS"]

BUSINESS = Dashboard(
    uid="dunning-business",
    title="Dunning: customers",
    meaning="Who owes, who is asked, who pays, and why others are not asked.",
    since="now-7d",
    rows=(
        Row(
            "Now, and in the time shown",
            (
                Panel(
                    title="Open cases",
                    meaning="All that are open, whatever their stage.",
                    queries=(Query("sum(dunning_cases)"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Suspended",
                    meaning="Cases that hold a suspension now.",
                    queries=(Query('sum(dunning_cases{stage="suspended"})'),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Awaiting a person",
                    meaning="Cases that could not be suspended, which a person was asked to look at.",
                    queries=(Query('sum(dunning_cases{stage="reviewed"})'),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Cases opened",
                    meaning="By a failed or a reversed payment.",
                    queries=(Query('sum(increase(dunning_decisions_total{outcome="opened"}[$__range]))'),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Invoices recovered",
                    meaning="Paid after they had failed.",
                    queries=(Query("sum(increase(dunning_recoveries_total[$__range]))"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    title="Accounts suspended",
                    meaning="Ordered in the time shown.",
                    queries=(
                        Query('sum(increase(dunning_account_commands_total{action="suspend"}[$__range]))'),
                    ),
                    kind="stat",
                    width=4,
                ),
            ),
        ),
        Row(
            "Cases and money",
            (
                Panel(
                    title="Cases by stage",
                    meaning="Where open cases stand. Cases that pile up in one stage want a reason.",
                    queries=(Query("sum by (stage) (dunning_cases)", "{{stage}}"),),
                    stacked=True,
                ),
                Panel(
                    title="Recovered amount per day, in minor units",
                    meaning="Cents, yen, fils: what was paid of invoices that had failed, by currency.",
                    queries=(
                        Query(
                            "sum by (currency) (increase(dunning_recovered_minor_units_total[1d]))",
                            "{{currency}}",
                        ),
                    ),
                ),
                Panel(
                    title="Invoices recovered per day",
                    meaning="By currency.",
                    queries=(
                        Query("sum by (currency) (increase(dunning_recoveries_total[1d]))", "{{currency}}"),
                    ),
                    stacked=True,
                ),
            ),
        ),
        Row(
            "What is sent",
            (
                Panel(
                    title="Messages per hour, by channel",
                    meaning="Commands to the notification service.",
                    queries=(
                        Query(
                            "sum by (channel) (increase(dunning_notification_commands_total[1h]))",
                            "{{channel}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    title="Messages per hour, by template",
                    meaning="The ten most frequent.",
                    queries=(
                        Query(
                            "topk(10, sum by (template, purpose) "
                            "(increase(dunning_notification_commands_total[1h])))",
                            "{{template}} ({{purpose}})",
                        ),
                    ),
                ),
                Panel(
                    title="Account commands per hour",
                    meaning="Suspensions that no reactivations follow, sooner or later, are a sign that "
                    "payments are not reported.",
                    queries=(
                        Query("sum by (action) (increase(dunning_account_commands_total[1h]))", "{{action}}"),
                    ),
                ),
            ),
        ),
        Row(
            "What is not sent, and why",
            (
                Panel(
                    title="Suppressed steps per hour, by reason",
                    meaning="Due steps that led to nothing; the ten most frequent reasons.",
                    queries=(
                        Query(
                            "topk(10, sum by (reason) (increase(dunning_suppressions_total[1h])))",
                            "{{reason}}",
                        ),
                    ),
                ),
                Panel(
                    title="Deferred and cancelled steps per hour, by reason",
                    meaning="Deferred ones come later; the ten most frequent reasons.",
                    queries=(
                        Query(
                            "topk(10, sum by (outcome, reason) (increase("
                            'dunning_decisions_total{outcome=~"deferred|cancelled|held"}[1h])))',
                            "{{outcome}}: {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    title="What suspensions lacked, per day",
                    meaning="Each time that the gate was looked at and not met. Much "
                    "`final_notice_delivered` or `delivered_contacts`: is feedback published?",
                    queries=(
                        Query(
                            "sum by (missing) (increase(dunning_suspensions_blocked_total[1d]))",
                            "{{missing}}",
                        ),
                    ),
                    stacked=True,
                ),
            ),
        ),
        Row(
            "What is heard",
            (
                Panel(
                    title="Events per hour, by kind",
                    meaning="A kind that is missing is a publisher that is.",
                    queries=(Query("sum by (kind) (increase(dunning_events_total[1h]))", "{{kind}}"),),
                ),
                Panel(
                    title="Events without effect per hour",
                    meaning="Duplicates, and events that said nothing new.",
                    queries=(
                        Query(
                            "sum by (kind, outcome) "
                            '(increase(dunning_events_total{outcome=~"duplicate|ignored"}[1h]))',
                            "{{kind}}: {{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    title="Unusable records per hour",
                    meaning="They are among the dead letters; what they say has not happened.",
                    queries=(
                        Query(
                            "sum by (kind, reason) (increase(dunning_dead_letters_total[1h])) > 0",
                            "{{kind}}: {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    title="Policies in force",
                    meaning="All workers should name the same.",
                    queries=(Query("count by (job, name, version) (dunning_policy_info)"),),
                    kind="table",
                    width=24,
                ),
            ),
        ),
    ),
)
