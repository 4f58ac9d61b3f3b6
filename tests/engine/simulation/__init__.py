"""The round protocol under a seeded scheduler, over a broker in memory that misbehaves on purpose.

The engine's own `Rounds`, `Assignment`, `Restorer`, `TableSet` and `HeldTicks` run as several workers in one
thread, without real time. Between any two calls to Kafka, and in the middle of a transaction, the scheduler
may let another worker go on, kill one, let it stand still, expel it from the group, abort its transaction or
hide a commit's outcome. A seed gives one run, always the same.

    python -m tests.engine.simulation --seeds 100000     # print a verdict; each failure with its seed
    python -m tests.engine.simulation --seed 4711        # that run again, with its whole trace
"""
