"""The domain: events, commands, state and `decide`. Pure functions over frozen values."""
