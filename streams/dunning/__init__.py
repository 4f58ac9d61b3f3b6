"""The domain: events, commands, state and `decide`. Pure functions over frozen values."""

from streams.dunning.decide import Decision, decide, decision_record

__all__ = ["Decision", "decide", "decision_record"]
