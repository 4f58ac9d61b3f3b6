"""Whole workers on a real Kafka, on the worst day of their lives; `make chaos`.

    python -m tests.chaos                      # everything, about a quarter of an hour
    python -m tests.chaos --only backlog       # one scenario
    python -m tests.chaos --soak-minutes 60    # and an hour of steady work
    python -m tests.chaos --seed 4711          # the same chances again

Every scenario ends the same way: what workers committed is held against a recomputation from the inputs
(`tests.app.recompute`). Nothing may be missing, nothing twice, and the states must be equal.
"""
